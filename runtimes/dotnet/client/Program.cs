using System;
using System.IO;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Lambkin;

static class Program
{
    static RuntimeApi api;

    /// <param name="args">the handler, if .NET was started for this function's package</param>
    static int Main(string[] args)
    {
        Log.TakeConsole();
        Parked.Wait();
        string root = Environment.GetEnvironmentVariable("LAMBDA_TASK_ROOT");
        string handler = args.Length > 0 ? args[0] : Environment.GetEnvironmentVariable("_HANDLER");
        if (string.IsNullOrEmpty(root))
            Package.Fail(101, "Environment variable LAMBDA_TASK_ROOT needs to be defined in order for the Lambda Runtime to load the function " +
                "handler to be executed.");
        if (!Directory.Exists(root) || Directory.GetFileSystemEntries(root).Length == 0)
            Package.Fail(102, $".NET binaries for Lambda function are not correctly installed in the {root} directory of the image when the " +
                $"image was built. The {root} directory is missing.");
        if (string.IsNullOrEmpty(handler)) Package.Fail(103, "No Lambda Handler function was specified.");
        if (args.Length == 0 && !Scripts.IsHandler(handler, root))
        {
            var package = new Package(root, handler);
            if (!package.FitsHere()) package.StartAnew(handler);
            package.Open();
        }
        Run(handler, root);
        return 0;
    }

    static void Run(string handler, string root)
    {
        api = new RuntimeApi(Environment.GetEnvironmentVariable("AWS_LAMBDA_RUNTIME_API") ?? "");
        Log.Configure();
        Context.Configure();
        LimitMemory();
        IFunction function;
        try
        {
            function = Scripts.IsHandler(handler, root) ? Scripts.Load(handler) : Load(handler);
        }
        catch (Exception e)
        {
            Log.Write("Error", e, null, null);
            api.InitError(TypeOf(e), ErrorDocument.Of(e));
            throw;
        }
        byte[] result = null;
        for (int length = 0; ;) result = Answer(function, api.Next(result, length), out length);
    }

    static string TypeOf(Exception e)
    {
        var type = new StringBuilder();
        foreach (char c in e.GetType().Name) type.Append(c is > ' ' and < '\x7f' ? c : '?');
        return type.ToString();
    }

    /// <summary>As AWS's client does; a lower limit of the user's own stays.</summary>
    static void LimitMemory()
    {
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable("AWS_LAMBDA_DOTNET_DISABLE_MEMORY_LIMIT_CHECK"))) return;
        if (!int.TryParse(Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), out int mb) || mb <= 0) return;
        ulong limit = (ulong)mb << 20;
        if ((ulong)GC.GetGCMemoryInfo().TotalAvailableMemoryBytes <= limit) return;
        try
        {
            AppContext.SetData("GCHeapHardLimit", limit);
            GC.RefreshMemoryLimit();
        }
        catch (InvalidOperationException)
        {
            // what is in use already is more than that
        }
    }

    static Function Load(string handler)
    {
        var name = new HandlerName(handler);
        AppDomain.CurrentDomain.AssemblyLoad += (_, loaded) => Core.HookLoggers(loaded.LoadedAssembly);
        Assembly assembly = Handler.LoadAssembly(name);
        FindCore();
        (Type type, MethodInfo method) = Handler.Find(name, assembly);
        bool jit = IsJustInTimeAhead();
        object target = null;
        if (!method.IsStatic) target = Activator.CreateInstance(type, BindingFlags.DoNotWrapExceptions | BindingFlags.Instance | BindingFlags.Public, null, null, null);
        else RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        if (jit) Prepare(assembly);
        return new Function(method, target, new Serializer(assembly, method));
    }

    /// <summary>It comes with the function; one that needs none may do without.</summary>
    static void FindCore()
    {
        try
        {
            Core.Current = new Core(Assembly.Load(new AssemblyName(Core.Name)));
        }
        catch (FileNotFoundException)
        {
            // whoever needs it says so
        }
    }

    static bool IsJustInTimeAhead()
    {
        string when = Environment.GetEnvironmentVariable("AWS_LAMBDA_DOTNET_PREJIT") ?? "";
        if (when.Equals("Always", StringComparison.OrdinalIgnoreCase)) return true;
        return !when.Equals("Never", StringComparison.OrdinalIgnoreCase) &&
            Environment.GetEnvironmentVariable("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency";
    }

    /// <summary>Compiles the function's own assembly now; what cannot be is compiled when it is called.</summary>
    static void Prepare(Assembly assembly)
    {
        foreach (Type type in assembly.GetTypes())
        {
            if (type.ContainsGenericParameters) continue;
            foreach (MethodInfo method in type.GetMethods(BindingFlags.DeclaredOnly | BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            {
                if (method.IsAbstract || method.ContainsGenericParameters) continue;
                try
                {
                    RuntimeHelpers.PrepareMethod(method.MethodHandle);
                }
                catch (Exception)
                {
                    // an assembly that it refers to is not there
                }
            }
        }
    }

    static byte[] Answer(IFunction function, Event of, out int length)
    {
        Log.RequestId = of.Id;
        Log.TraceId = of.TraceId;
        Log.TenantId = of.TenantId;
        Environment.SetEnvironmentVariable("_X_AMZN_TRACE_ID", of.TraceId);
        try
        {
            using var output = new ResultStream();
            function.Call(of, output);
            return api.Response(of.Id, output.GetBuffer(), (int)output.Length, "application/json", out length);
        }
        catch (Exception e)
        {
            Log.Write("Error", e, null, null);
            return api.Error(of.Id, TypeOf(e), ErrorDocument.Of(e), out length);
        }
    }
}
