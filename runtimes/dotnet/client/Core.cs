using System;
using System.Collections.Generic;
using System.Reflection;
using System.Reflection.Emit;

namespace Lambkin;

/// <summary>
/// The function's own Amazon.Lambda.Core. Its interfaces get implementations that are made here: whatever members a version has,
/// those that our classes know are answered, others have the interface's default or that of their type.
/// </summary>
sealed class Core
{
    public const string Name = "Amazon.Lambda.Core";
    public static Core Current;

    readonly Assembly assembly;
    readonly string space;
    readonly Type context, client, application, identity, logger;
    readonly object logging;

    public Core(Assembly assembly, string space = Name)
    {
        this.assembly = assembly;
        this.space = space;
        ModuleBuilder module = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("Lambkin.Core"), AssemblyBuilderAccess.Run)
            .DefineDynamicModule("Lambkin.Core");
        context = Implement(module, "ILambdaContext", typeof(Context));
        client = Implement(module, "IClientContext", typeof(ClientContext));
        application = Implement(module, "IClientApplication", typeof(Application));
        identity = Implement(module, "ICognitoIdentity", typeof(Identity));
        logger = Implement(module, "ILambdaLogger", typeof(Logger));
        logging = Activator.CreateInstance(logger);
    }

    public static bool IsContext(Type type) => Current != null && type == Current.Find("ILambdaContext");

    public Type Find(string name) => assembly.GetType($"{space}.{name}");

    public object NewApplication() => Activator.CreateInstance(application);

    public object NewContext(Event of, object serializer)
    {
        var made = (Context)Activator.CreateInstance(context);
        made.From = of;
        made.Logging = logging;
        made.Serializing = serializer;
        Parsing.Value = of.Identity;
        made.Cognito = Activator.CreateInstance(identity);
        Parsing.Value = of.ClientContext;
        made.Client = Activator.CreateInstance(client);
        return made;
    }

    Type Implement(ModuleBuilder module, string name, Type parent)
    {
        Type contract = Find(name);
        if (contract == null || !contract.IsInterface) return parent;
        TypeBuilder type = module.DefineType("Lambkin." + name[1..], TypeAttributes.Public | TypeAttributes.Sealed, parent, [contract]);
        ConstructorBuilder constructor = type.DefineConstructor(MethodAttributes.Public, CallingConventions.Standard, Type.EmptyTypes);
        ILGenerator code = constructor.GetILGenerator();
        code.Emit(OpCodes.Ldarg_0);
        code.Emit(OpCodes.Call, parent.GetConstructor(Type.EmptyTypes));
        code.Emit(OpCodes.Ret);
        AddMembers(type, contract, parent);
        foreach (Type inherited in contract.GetInterfaces()) AddMembers(type, inherited, parent);
        return type.CreateType();
    }

    static void AddMembers(TypeBuilder type, Type contract, Type parent)
    {
        foreach (MethodInfo wanted in contract.GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance))
        {
            Type[] parameters = TypesOf(wanted);
            MethodInfo known = parent.GetMethod(wanted.Name, parameters);
            if (known != null && known.ReturnType == wanted.ReturnType) continue; // the runtime finds it by itself
            if (!wanted.IsAbstract && wanted.Name != "get_Serializer") continue;  // the interface's default
            MethodBuilder made = type.DefineMethod($"{contract.Name}.{wanted.Name}", MethodAttributes.Private | MethodAttributes.Virtual |
                MethodAttributes.Final | MethodAttributes.HideBySig | MethodAttributes.NewSlot, wanted.ReturnType, parameters);
            Body(made.GetILGenerator(), wanted);
            type.DefineMethodOverride(made, wanted);
        }
    }

    static void Body(ILGenerator code, MethodInfo wanted)
    {
        if (wanted.ReturnType.IsValueType)
        {
            if (wanted.ReturnType != typeof(void)) code.Emit(OpCodes.Ldloc, code.DeclareLocal(wanted.ReturnType));
        }
        else
        {
            code.Emit(OpCodes.Ldarg_0);
            code.Emit(OpCodes.Ldstr, wanted.Name.StartsWith("get_", StringComparison.Ordinal) ? wanted.Name[4..] : wanted.Name);
            code.Emit(OpCodes.Callvirt, typeof(Members).GetMethod("Other"));
            code.Emit(OpCodes.Castclass, wanted.ReturnType);
        }
        code.Emit(OpCodes.Ret);
    }

    static Type[] TypesOf(MethodInfo method)
    {
        ParameterInfo[] parameters = method.GetParameters();
        var types = new Type[parameters.Length];
        for (int i = 0; i < types.Length; i++) types[i] = parameters[i].ParameterType;
        return types;
    }

    /// <summary>LambdaLogger.Log() and its like, as soon as the assembly is there: their fields have had these names ever since.</summary>
    public static void HookLoggers(Assembly loaded)
    {
        if (loaded.GetName().Name != Name) return;
        const BindingFlags hidden = BindingFlags.Static | BindingFlags.NonPublic;
        Type type = loaded.GetType(Name + ".LambdaLogger");
        Set(type?.GetField("_loggingAction", hidden), (Action<string>)(message => Log.Write((string)null, null, message, null)));
        Set(type?.GetField("_loggingWithLevelAction", hidden),
            (Action<string, string, object[]>)((level, message, args) => Log.Write(level, null, message, args)));
        Set(type?.GetField("_loggingWithLevelAndExceptionAction", hidden),
            (Action<string, Exception, string, object[]>)((level, error, message, args) => Log.Write(level, error, message, args)));
    }

    static void Set(FieldInfo field, Delegate value)
    {
        if (field != null && field.FieldType == value.GetType()) field.SetValue(null, value);
    }
}
