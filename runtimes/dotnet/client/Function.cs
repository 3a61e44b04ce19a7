using System;
using System.IO;
using System.Reflection;
using System.Threading.Tasks;

namespace Lambkin;

/// <summary>What answers an event, or throws.</summary>
interface IFunction
{
    void Call(Event of, Stream output);
}

/// <summary>A handler that is ready to be called: how its input is read, how its result is written.</summary>
sealed class Function : IFunction
{
    readonly MethodInfo method;
    readonly object target;
    readonly Serializer serializer;
    readonly Func<Stream, object> read; // null: it takes no input
    readonly bool takesContext;
    readonly Func<object, object> await; // null: it is done when it returns
    readonly Action<object, Stream> write; // null: it returns nothing

    public Function(MethodInfo method, object target, Serializer serializer)
    {
        this.method = method;
        this.target = target;
        this.serializer = serializer;
        ParameterInfo[] parameters = method.GetParameters();
        takesContext = parameters.Length > 0 && Core.IsContext(parameters[^1].ParameterType);
        if (parameters.Length > (takesContext ? 1 : 0)) read = serializer.Reader(parameters[0].ParameterType);
        Type result = method.ReturnType;
        if (typeof(Task).IsAssignableFrom(result) || result == typeof(ValueTask) || IsOf(result, typeof(ValueTask<>)))
            result = Awaited(result, out await);
        if (result != typeof(void)) write = serializer.Writer(result);
    }

    static bool IsOf(Type type, Type generic) => type.IsGenericType && type.GetGenericTypeDefinition() == generic;

    static Type Awaited(Type type, out Func<object, object> await)
    {
        for (Type at = type; at != null; at = at.BaseType)
        {
            if (!IsOf(at, typeof(Task<>)) && !IsOf(at, typeof(ValueTask<>))) continue;
            Type result = at.GetGenericArguments()[0];
            await = ((Waiter)Activator.CreateInstance(typeof(Waiter<>).MakeGenericType(result))).Wait;
            return result;
        }
        await = Waiter.WaitForNothing;
        return typeof(void);
    }

    public void Call(Event of, Stream output)
    {
        object input = read?.Invoke(new MemoryStream(of.Body, 0, of.Length, false, true));
        object context = takesContext ? Core.Current.NewContext(of, serializer.Instance) : null;
        object[] arguments = (read != null, takesContext) switch
        {
            (true, true) => [input, context],
            (true, false) => [input],
            (false, true) => [context],
            _ => null,
        };
        object result = method.Invoke(target, BindingFlags.DoNotWrapExceptions, null, arguments, null);
        if (await != null) result = result == null ? null : await(result);
        write?.Invoke(result, output);
    }
}

abstract class Waiter
{
    public abstract object Wait(object task);

    public static object WaitForNothing(object task)
    {
        if (task is ValueTask value) value.AsTask().GetAwaiter().GetResult();
        else ((Task)task).GetAwaiter().GetResult();
        return null;
    }
}

sealed class Waiter<T> : Waiter
{
    public override object Wait(object task) => (task as Task<T> ?? ((ValueTask<T>)task).AsTask()).GetAwaiter().GetResult();
}
