using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Text.Json;

namespace Lambkin;

/// <summary>
/// The function's package: what AWS's launcher looks at before it starts .NET. Most packages need nothing that this process does not
/// have already, so their assemblies are loaded into it; for the others it starts .NET anew, as AWS does.
/// </summary>
sealed class Package
{
    readonly string root, deps, config;

    /// <param name="handler">ASSEMBLY::TYPE::METHOD or the name of an executable, which is started and does not come back</param>
    public Package(string root, string handler)
    {
        this.root = root;
        if (!handler.Contains(':')) Start(handler);
        string main = Environment.GetEnvironmentVariable("LAMBDA_DOTNET_MAIN_ASSEMBLY");
        string name = !string.IsNullOrEmpty(main) ? main.EndsWith(".dll", StringComparison.Ordinal) ? main[..^4] : main : handler[..handler.IndexOf(':')];
        deps = Only(name, ".deps.json", 105);
        config = Only(name, ".runtimeconfig.json", 106);
    }

    public static void Fail(int code, string why)
    {
        Log.Raw(2, $"Error: {why}\n");
        Libc.Exit(code);
    }

    string Only(string name, string kind, int code)
    {
        string path = Path.Combine(root, name + kind);
        if (File.Exists(path)) return path;
        string[] all = Directory.GetFiles(root, "*" + kind);
        if (all.Length != 1)
            Fail(code, $".NET binaries for Lambda function are not correctly installed in the {root} directory of the image when the image " +
                $"was built. The {root} directory is missing the required {kind} file.");
        return all[0];
    }

    static string DotnetRoot => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location), "..", "..", ".."));

    static void Execute(string path, params string[] args)
    {
        Libc.Execute(path, [path, .. args]);
        Fail(126, $"{path}: {Libc.Error()}");
    }

    /// <summary>It makes its own loop.</summary>
    void Start(string handler)
    {
        string binary = Path.Combine(root, handler);
        string assembly = handler.EndsWith(".dll", StringComparison.Ordinal) ? binary : binary + ".dll";
        if (File.Exists(assembly)) Execute(Path.Combine(DotnetRoot, "dotnet"), "exec", "--roll-forward", "Major", assembly);
        if (!File.Exists(binary)) Fail(104, $"executable assembly {assembly} or binary {binary} not found.");
        Execute(binary);
    }

    public void StartAnew(string handler) =>
        Execute(Path.Combine(DotnetRoot, "dotnet"), "exec", "--roll-forward", "Major", "--depsfile", deps, "--runtimeconfig", config,
            typeof(Package).Assembly.Location, handler);

    /// <summary>False: it wants another framework, settings that .NET reads when it starts, or newer parts of the framework.</summary>
    public bool FitsHere()
    {
        string framework = Path.GetDirectoryName(typeof(object).Assembly.Location);
        foreach (string path in Directory.GetFiles(root, "*.dll"))
        {
            if (File.Exists(Path.Combine(framework, Path.GetFileName(path)))) return false;
        }
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(config), new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
            JsonElement options = document.RootElement.GetProperty("runtimeOptions");
            return options.TryGetProperty("framework", out JsonElement only) && only.GetProperty("name").ValueEquals("Microsoft.NETCore.App") &&
                TakeProperties(options);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return false; // .NET says what is wrong with it
        }
    }

    static bool TakeProperties(JsonElement options)
    {
        if (!options.TryGetProperty("configProperties", out JsonElement properties)) return true;
        foreach (JsonProperty property in properties.EnumerateObject())
        {
            if (property.Name.StartsWith("System.GC.", StringComparison.Ordinal) || property.Name.StartsWith("System.Globalization.", StringComparison.Ordinal))
                return false;
            bool flag = property.Value.ValueKind is JsonValueKind.True or JsonValueKind.False;
            if (flag) AppContext.SetSwitch(property.Name, property.Value.GetBoolean());
            else AppContext.SetData(property.Name, property.Value.ToString());
        }
        return true;
    }

    /// <summary>Assemblies of the package are found from now on.</summary>
    public void Open()
    {
        // Packages for one platform are flat. Others have variants, and only .NET's own resolver knows which one counts.
        AssemblyDependencyResolver resolver = null;
        if (Directory.Exists(Path.Combine(root, "runtimes")) && Directory.GetFiles(root, Path.GetFileName(deps)[..^10] + ".dll") is [string main])
            resolver = new AssemblyDependencyResolver(main);
        AssemblyLoadContext.Default.Resolving += (context, name) =>
        {
            string path = resolver?.ResolveAssemblyToPath(name) ?? Path.Combine(root, name.CultureName ?? "", name.Name + ".dll");
            return File.Exists(path) ? context.LoadFromAssemblyPath(path) : null;
        };
        AssemblyLoadContext.Default.ResolvingUnmanagedDll += (assembly, name) =>
        {
            foreach (string candidate in (string[])[name, name + ".so", "lib" + name + ".so"])
            {
                string path = resolver?.ResolveUnmanagedDllToPath(name) ?? Path.Combine(root, candidate);
                if (File.Exists(path) && NativeLibrary.TryLoad(path, out nint library)) return library;
            }
            return 0;
        };
    }
}
