using System;
using System.Collections;
using System.Collections.Generic;
using System.Management.Automation;
using System.Reflection;
using System.Reflection.Emit;
using System.Text.RegularExpressions;

namespace Lambkin;

/// <summary>
/// What a script's error is to its caller: for throw 'Name' and throw @{Exception = 'Name'; Message = 'text'} an exception of a class
/// with that name, which is made here; otherwise the .NET exception inside. Where in the script it was is its stack trace.
/// </summary>
static class ScriptError
{
    static readonly Dictionary<string, Type> named = [];
    static readonly ModuleBuilder module = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("Lambkin.Errors"), AssemblyBuilderAccess.Run)
        .DefineDynamicModule("Lambkin.Errors");

    public static Exception From(Exception error, ErrorRecord record)
    {
        Exception found = (error as RuntimeException, record?.TargetObject) switch
        {
            (null, _) => error,
            (_, Hashtable fields) when fields["Exception"] is string { Length: > 0 } name => Named(name, fields["Message"] as string ?? name),
            (_, string name) when IsName(name) => Named(name, name),
            _ => error.InnerException ?? record?.Exception ?? error,
        };
        if (record?.ScriptStackTrace is { Length: > 0 } trace) ErrorDocument.SetTrace(found, ownFrame.Replace(trace, ""));
        return found;
    }

    /// <summary>The last frame is the few lines that ScriptFunction runs.</summary>
    static readonly Regex ownFrame = new(@"\n?at <ScriptBlock>, <No file>: line \d+\s*\z");

    /// <summary>It could be the name of a class, also a generic one: no part of it begins with a digit or a mark.</summary>
    static bool IsName(string text) => text.Length < 1024 && Regex.IsMatch(text, @"\A[\w`:.$+<>\-\[\],&*]+\z") &&
        !Regex.IsMatch(text, @"(?:\A|[:.$+<>\-\[\],&*])[\w-[\p{L}\p{Nl}_]]");

    static Exception Named(string name, string message)
    {
        if (!named.TryGetValue(name, out Type type))
        {
            TypeBuilder made = module.DefineType(name, TypeAttributes.Public, typeof(Exception));
            ILGenerator code = made.DefineConstructor(MethodAttributes.Public, CallingConventions.Standard, [typeof(string)]).GetILGenerator();
            code.Emit(OpCodes.Ldarg_0);
            code.Emit(OpCodes.Ldarg_1);
            code.Emit(OpCodes.Call, typeof(Exception).GetConstructor([typeof(string)]));
            code.Emit(OpCodes.Ret);
            named[name] = type = made.CreateType();
        }
        return (Exception)Activator.CreateInstance(type, message);
    }
}
