using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;

namespace Lambkin;

/// <summary>Finds the method that a handler string means, and refuses what AWS refuses.</summary>
static class Handler
{
    const BindingFlags Any = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    public static Assembly LoadAssembly(HandlerName name)
    {
        try
        {
            return AssemblyLoadContext.Default.LoadFromAssemblyName(new AssemblyName(name.Assembly));
        }
        catch (FileNotFoundException e)
        {
            throw new LambdaValidationException($"Could not find the specified handler assembly with the file name '{e.FileName}'. " +
                "The assembly should be located in the root of your uploaded .zip file.");
        }
        catch (Exception e) when (e is not LambdaValidationException)
        {
            throw new LambdaValidationException($"Unable to load assembly '{name.Assembly}'.");
        }
    }

    public static (Type, MethodInfo) Find(HandlerName name, Assembly assembly)
    {
        Type type = assembly.GetType(name.Type) ??
            throw new LambdaValidationException($"Unable to load type '{name.Type}' from assembly '{name.Assembly}'.");
        MethodInfo method = FindMethod(name, type);
        Check(type, method);
        return (type, method);
    }

    static MethodInfo FindMethod(HandlerName name, Type type)
    {
        for (Type at = type; at != null; at = at.BaseType)
        {
            var named = new List<MethodInfo>();
            foreach (MethodInfo method in at.GetMethods(Any))
            {
                if (method.ToString() == name.Method) return method;
                if (method.Name == name.Method) named.Add(method);
            }
            if (named.Count == 1) return named[0];
            if (named.Count > 1)
                throw new LambdaValidationException($"The method '{name.Method}' in type '{name.Type}' appears to have a number of overloads. " +
                    $"To call this method please specify a complete method signature. Possible candidates are:\n{string.Join('\n', named)}.");
        }
        throw new LambdaValidationException($"Unable to find method '{name.Method}' in type '{name.Type}' from assembly '{name.Assembly}': " +
            $"Found no methods matching method name '{name.Method}'.");
    }

    static void Check(Type type, MethodInfo method)
    {
        string no = $"The method '{method}' cannot be used as a Lambda Handler because it is ";
        Refuse(type.IsGenericType, $"The type '{type}' cannot be used as a Lambda Handler type because it is generic. " +
            "Handler methods cannot be located in generic types. Please specify a handler method in a non-generic type.");
        Refuse(!type.IsClass && !(type.IsValueType && !type.IsPrimitive && !type.IsEnum), $"The type '{type}' cannot be used as a handler type " +
            "since it is not a class or a struct. Please specify a handler method on a class or struct.");
        Refuse(method.IsAbstract, no + "an abstract method. Handler methods cannot be abstract. Please specify a non-abstract handler method.");
        Refuse(type.IsAbstract && !method.IsStatic, $"The instance method '{method}' cannot be used as a Lambda Handler because its type '{type}' " +
            "is abstract. Please either use a static handler or specify a type that is not abstract.");
        Refuse(method.IsGenericMethod, no + "a generic method. Handler methods cannot be generic. Please specify a non-generic handler method.");
        Refuse(method.ReturnType == typeof(void) && method.IsDefined(typeof(AsyncStateMachineAttribute), false),
            no + "an 'async void' method. Handler methods cannot be 'async void'. Please specify a method that is not 'async void'.");
        ParameterInfo[] parameters = method.GetParameters();
        Refuse(parameters.Length > 0 && parameters[^1].IsDefined(typeof(ParamArrayAttribute), false),
            no + "a 'params' method. Please specify a method that does not use 'params'.");
        Refuse((method.CallingConvention & CallingConventions.VarArgs) != 0,
            no + "a 'vararg (variable arguments)' method. Please specify a method that is not 'vararg'.");
        Refuse(parameters.Length > 2, $"Method '{method.Name}' of type '{type}' is not supported: the method has more than 2 parameters.");
        Refuse(parameters.Length == 2 && !Core.IsContext(parameters[1].ParameterType), $"Method '{method.Name}' of type '{type}' is not supported: " +
            $"the method has 2 parameters, but the second parameter is not of type '{Core.Name}.ILambdaContext'.");
    }

    static void Refuse(bool bad, string why)
    {
        if (bad) throw new LambdaValidationException(why);
    }
}
