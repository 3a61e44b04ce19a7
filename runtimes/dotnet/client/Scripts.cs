using System;
using System.IO;
using System.Reflection;
using System.Runtime.Loader;

namespace Lambkin;

/// <summary>
/// Handlers of PowerShell: SCRIPT.ps1, SCRIPT.ps1::FUNCTION or Module::MODULE::FUNCTION. PowerShell is the host's; what runs it is an
/// assembly of its own (../powershell), so that nobody else needs it.
/// </summary>
static class Scripts
{
    /// <summary>Also in tools/compile-dotnet. A sandbox sees nothing of the host but what is below /usr.</summary>
    static readonly string[] homes = ["/usr/share/powershell", "/usr/lib/powershell", "/usr/local/share/powershell", "/usr/local/lib/powershell"];

    public static bool IsHandler(string handler, string root)
    {
        string[] parts = handler.Split("::");
        if (parts.Length == 3) return parts[0] == "Module" && !File.Exists(Path.Combine(root, "Module.dll"));
        return parts.Length <= 2 && parts[0].EndsWith(".ps1", StringComparison.OrdinalIgnoreCase);
    }

    public static IFunction Load(string handler)
    {
        string home = Array.Find(homes, folder => File.Exists(Path.Combine(folder, "System.Management.Automation.dll"))) ??
            throw new LambdaValidationException($"PowerShell is not installed. lambkin looks for it in {string.Join(", ", homes)}; " +
                "tools/install-powershell puts it there.");
        string host = Path.Combine(AppContext.BaseDirectory, "powershell.dll");
        if (!File.Exists(host)) throw new LambdaValidationException("PowerShell was not there when lambkin was built: build it again.");
        AssemblyLoadContext.Default.Resolving += (context, name) =>
        {
            string path = Path.Combine(home, name.Name + ".dll");
            return File.Exists(path) ? context.LoadFromAssemblyPath(path) : null;
        };
        Type type = AssemblyLoadContext.Default.LoadFromAssemblyPath(host).GetType("Lambkin.ScriptFunction", true);
        return (IFunction)Activator.CreateInstance(type, BindingFlags.DoNotWrapExceptions | BindingFlags.Instance | BindingFlags.Public, null, [handler], null);
    }
}
