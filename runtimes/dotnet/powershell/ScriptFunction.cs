using System;
using System.Collections.ObjectModel;
using System.IO;
using System.Management.Automation;
using System.Management.Automation.Language;
using System.Management.Automation.Runspaces;
using System.Text;

namespace Lambkin;

public sealed class LambdaPowerShellException(string message) : Exception(message);

/// <summary>
/// A script, or a function of a script or of a module, as handler. It gets the event, parsed, and the context, as the variables $LambdaInput
/// and $LambdaContext and as its first two arguments. The last object that it outputs is the result; what it writes to the error
/// stream fails the invocation. Functions' scripts and modules are loaded once, in the init; a script runs with fresh variables each time.
/// </summary>
sealed class ScriptFunction : IFunction
{
    readonly PowerShell shell;
    readonly string code; // what an invocation runs
    readonly bool isScript;
    Exception last; // of the error stream

    public ScriptFunction(string handler)
    {
        string root = Environment.GetEnvironmentVariable("LAMBDA_TASK_ROOT");
        SetVariables(root);
        var runspace = RunspaceFactory.CreateRunspace(InitialSessionState.CreateDefault());
        runspace.ThreadOptions = PSThreadOptions.UseCurrentThread;
        runspace.Open();
        shell = PowerShell.Create(runspace);
        LogStreams();
        Run("$null = ConvertFrom-Json -InputObject '{}'"); // what each event needs is loaded now

        string[] parts = handler.Split("::");
        string function = parts.Length > 1 ? parts[^1] : Environment.GetEnvironmentVariable("AWS_POWERSHELL_FUNCTION_HANDLER");
        string script = parts.Length < 3 ? Parsed(Path.Combine(root, parts[0]), parts[0]) : null;
        isScript = string.IsNullOrEmpty(function);
        if (!isScript)
        {
            Run(script != null ? $". {Quoted(script)}" : $"Import-Module {Quoted(parts[1])}");
            if (runspace.SessionStateProxy.InvokeCommand.GetCommand(function, CommandTypes.All) == null)
                throw new LambdaPowerShellException($"Failed to find function {function} in {(script != null ? parts[0] : parts[1])}.");
        }
        code = "param([string]$LambdaInputString, $LambdaContext)\n$LambdaInput = ConvertFrom-Json -InputObject $LambdaInputString\n" +
            $"& {Quoted(isScript ? script : function)} $LambdaInput $LambdaContext";
    }

    /// <summary>As AWS's host has them.</summary>
    static void SetVariables(string root)
    {
        foreach (string name in (string[])["TEMP", "TMP", "TMPDIR"]) Environment.SetEnvironmentVariable(name, "/tmp");
        SetDefault("HOME", "/tmp/home");
        SetDefault("PSModulePath", $"/opt/modules:{root}/modules:{root}/Modules"); // PowerShell puts its own before them
        string environment = Environment.GetEnvironmentVariable("AWS_EXECUTION_ENV");
        if (string.IsNullOrEmpty(environment) || environment.Contains("powershell")) return;
        Environment.SetEnvironmentVariable("AWS_EXECUTION_ENV", $"{environment}_powershell_{PSVersionInfo.PSVersion.ToString().Split(' ')[0]}");
    }

    static void SetDefault(string name, string value)
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name))) Environment.SetEnvironmentVariable(name, value);
    }

    static string Quoted(string text) => $"'{text.Replace("'", "''")}'";

    /// <returns>the path, once it is known that this is a script</returns>
    static string Parsed(string path, string name)
    {
        if (!File.Exists(path))
            throw new LambdaPowerShellException($"Failed to find PowerShell script {name}. Make sure the script is included with the package bundle.");
        Parser.ParseFile(path, out _, out ParseError[] errors);
        if (errors.Length > 0) throw new ParseException(errors);
        return path;
    }

    void LogStreams()
    {
        PSDataStreams streams = shell.Streams;
        streams.Verbose.DataAdding += (_, added) => Write(Level.Trace, "Verbose", added.ItemAdded);
        streams.Debug.DataAdding += (_, added) => Write(Level.Debug, "Debug", added.ItemAdded);
        streams.Information.DataAdding += (_, added) => Write(Level.Information, "Information", added.ItemAdded);
        streams.Warning.DataAdding += (_, added) => Write(Level.Warning, "Warning", added.ItemAdded);
        streams.Error.DataAdding += (_, added) =>
        {
            Write(Level.Error, "Error", added.ItemAdded);
            if (added.ItemAdded is ErrorRecord { Exception: not null } record) last = ScriptError.From(record.Exception, record);
        };
    }

    /// <summary>Lines of text name the stream, as with AWS's host; JSON has the level.</summary>
    static void Write(Level level, string stream, object record)
    {
        string message = record?.ToString();
        if (!string.IsNullOrEmpty(message)) Log.Write(level, Log.IsJson ? message : $"[{stream}] - {message}");
    }

    Collection<PSObject> Run(string script, string input = null, object context = null)
    {
        last = null;
        shell.Commands.Clear();
        shell.Streams.ClearStreams();
        shell.AddScript(script, input != null);
        if (input != null) shell.AddParameter("LambdaInputString", input).AddParameter("LambdaContext", context);
        return Run();
    }

    Collection<PSObject> Run()
    {
        Collection<PSObject> output;
        try
        {
            output = shell.Invoke();
        }
        catch (RuntimeException e)
        {
            throw ScriptError.From(e, e.ErrorRecord);
        }
        return last == null ? output : throw last;
    }

    public void Call(Event of, Stream output)
    {
        if (isScript) shell.Runspace.ResetRunspaceState();
        Collection<PSObject> results = Run(code, Encoding.UTF8.GetString(of.Body, 0, of.Length), new ScriptContext(of));
        PSObject result = results.Count > 0 ? results[^1] : null;
        if (result != null) output.Write(Encoding.UTF8.GetBytes(result.BaseObject as string ?? Json(result)));
    }

    string Json(PSObject result)
    {
        shell.Commands.Clear();
        shell.AddCommand("ConvertTo-Json").AddParameter("InputObject", result);
        return Run() is [PSObject text, ..] ? text.BaseObject as string ?? "" : "";
    }
}
