using System;
using System.IO;
using System.Reflection;

namespace Lambkin;

/// <summary>The ILambdaSerializer that the function's package names, if it does.</summary>
sealed class Serializer
{
    public readonly object Instance;
    readonly MethodInfo deserialize, serialize; // as the class has them, still generic
    readonly string assembly, method;

    public Serializer(Assembly assembly, MethodInfo method)
    {
        this.assembly = assembly.FullName;
        this.method = method.ToString();
        Type attribute = Core.Current?.Find("LambdaSerializerAttribute");
        if (attribute == null) return;
        object[] found = method.GetCustomAttributes(attribute, true);
        if (found.Length == 0) found = assembly.GetCustomAttributes(attribute, true);
        if (found.Length == 0) return;
        Type type = (Type)found[0].GetType().GetProperty("SerializerType")?.GetValue(found[0]) ??
            throw new LambdaValidationException($"The 'SerializerType' property on attribute class '{attribute.FullName}' is not set.");
        Type contract = type.GetInterface(Core.Name + ".ILambdaSerializer") ??
            throw new LambdaValidationException($"The '{type.FullName}' class is invalid: it does not implement the 'ILambdaSerializer' interface.");
        if (type.GetConstructor(Type.EmptyTypes) == null)
            throw new LambdaValidationException($"The indicated serializer '{type.FullName}' does not define a public zero-parameter constructor.");
        Instance = Activator.CreateInstance(type);
        InterfaceMapping map = type.GetInterfaceMap(contract);
        for (int i = 0; i < map.InterfaceMethods.Length; i++)
        {
            if (map.InterfaceMethods[i].Name == "Deserialize") deserialize = map.TargetMethods[i];
            if (map.InterfaceMethods[i].Name == "Serialize") serialize = map.TargetMethods[i];
        }
    }

    /// <summary>For the warm-up.</summary>
    internal Serializer(object instance)
    {
        Instance = instance;
        deserialize = instance.GetType().GetMethod("Deserialize");
        serialize = instance.GetType().GetMethod("Serialize");
    }

    string Missing(string doing, Type type) =>
        $"Could not find the LambdaSerializerAttribute on the assembly '{assembly}' or method '{method}' while attempting to {doing} " +
        $"data of type '{type}'. To use types other than System.IO.Stream as input/output parameters, the assembly or Lambda function " +
        "should be annotated with Amazon.Lambda.Core.LambdaSerializerAttribute.";

    public Func<Stream, object> Reader(Type type)
    {
        if (type == typeof(Stream)) return stream => stream;
        if (deserialize == null) throw new LambdaValidationException(Missing("deserialize input", type));
        MethodInfo method = deserialize.MakeGenericMethod(type);
        if (!type.IsValueType) return method.CreateDelegate<Func<Stream, object>>(Instance);
        return ((Typed)Activator.CreateInstance(typeof(Typed<>).MakeGenericType(type))).Reader(method, Instance);
    }

    public Action<object, Stream> Writer(Type type)
    {
        if (typeof(Stream).IsAssignableFrom(type)) return Copy;
        if (serialize == null) throw new LambdaValidationException(Missing("serialize output", type));
        return ((Typed)Activator.CreateInstance(typeof(Typed<>).MakeGenericType(type))).Writer(serialize.MakeGenericMethod(type), Instance);
    }

    static void Copy(object from, Stream to)
    {
        if (from == null) return;
        using var stream = (Stream)from;
        stream.CopyTo(to);
    }

    abstract class Typed
    {
        public abstract Func<Stream, object> Reader(MethodInfo method, object instance);
        public abstract Action<object, Stream> Writer(MethodInfo method, object instance);
    }

    sealed class Typed<T> : Typed
    {
        Func<Stream, T> reads;
        Action<T, Stream> writes;

        public override Func<Stream, object> Reader(MethodInfo method, object instance)
        {
            reads = method.CreateDelegate<Func<Stream, T>>(instance);
            return Read;
        }

        object Read(Stream from) => reads(from);

        public override Action<object, Stream> Writer(MethodInfo method, object instance)
        {
            writes = method.CreateDelegate<Action<T, Stream>>(instance);
            return Write;
        }

        void Write(object value, Stream to) => writes((T)value, to);
    }
}

/// <summary>What a handler writes its result into.</summary>
sealed class ResultStream : MemoryStream
{
    const int ResultMax = 6291556;

    void Check(int more)
    {
        if (Position + more > ResultMax)
            throw new ArgumentException("The Lambda function returned a response that is too long to serialize. " +
                "The response size limit for a Lambda function is 6MB.");
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        Check(count);
        base.Write(buffer, offset, count);
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Check(buffer.Length);
        base.Write(buffer);
    }

    public override void WriteByte(byte value)
    {
        Check(1);
        base.WriteByte(value);
    }
}
