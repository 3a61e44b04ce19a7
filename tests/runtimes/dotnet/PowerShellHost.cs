// A stand-in for Amazon.Lambda.PowerShellHost and for what AWSLambdaPSCore generates of a script: a class library with PowerShell in its package.
using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;
using Amazon.Lambda.Core;

namespace Amazon.Lambda.PowerShellHost
{
    public abstract class PowerShellFunctionHost(string script)
    {
        readonly PowerShell shell = PowerShell.Create();

        public Stream ExecuteFunction(Stream inputStream, ILambdaContext context)
        {
            using var reader = new StreamReader(inputStream);
            shell.Commands.Clear();
            shell.Streams.ClearStreams();
            shell.Streams.Warning.DataAdding += (_, added) => context.Logger.LogLine($"[Warning] - {added.ItemAdded}");
            shell.AddScript("Param([string]$LambdaInputString, [Amazon.Lambda.Core.ILambdaContext]$LambdaContext)\n" +
                "$LambdaInput = ConvertFrom-Json -InputObject $LambdaInputString\n" + File.ReadAllText(script));
            shell.AddParameter("LambdaInputString", reader.ReadToEnd()).AddParameter("LambdaContext", context);
            return new MemoryStream(Encoding.UTF8.GetBytes(shell.Invoke().LastOrDefault()?.BaseObject as string ?? ""));
        }
    }
}

namespace Script
{
    public class Bootstrap() : Amazon.Lambda.PowerShellHost.PowerShellFunctionHost("script.ps1");
}
