using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Amazon.Lambda.Core;
using Amazon.Lambda.Serialization.SystemTextJson;

[assembly: LambdaSerializer(typeof(DefaultLambdaJsonSerializer))]

namespace Tests;

public class Order
{
    public string Name { get; set; }
    public int Number { get; set; }
}

public class Base
{
    protected string Inherited(string input) => "base " + input;
    string Hidden(string input) => "hidden " + input;
}

public class Shapes : Base
{
    public class Nested
    {
        public string Inner(string input) => "nested " + input;
    }

    static int count;
    public string Text(string input) => input;
    public Order Poco(Order input, ILambdaContext context) => new() { Name = input.Name + context.FunctionName, Number = input.Number + 1 };
    public int Number(int input) => input + 1;
    public static string Static(string input) => "static " + input;
    public void Nothing(string input) { }
    public string NoInput() => "none";
    public string OnlyContext(ILambdaContext context) => context.AwsRequestId;
    public Stream Streams(Stream input) => input;
    public Stream NoStream(Stream input) => null;
    public async Task<Stream> LaterStream(Stream input) { await Task.Yield(); return input; }
    public async Task<string> Later(string input) { await Task.Delay(1); return input; }
    public async Task LaterNothing(string input) => await Task.Yield();
    public Task<int> LaterNumber(int input) => Task.FromResult(input * 2);
    public async ValueTask<string> ValueLater(string input) { await Task.Yield(); return input; }
    public ValueTask ValueNothing(string input) => ValueTask.CompletedTask;
    public Dictionary<string, object> Map(Dictionary<string, object> input) => input;
    public string Overloaded(string input) => "string";
    public string Overloaded(int input) => "int";
    public int Counts() => ++count;
    public string Null(string input) => null;
    public Stream Big(Stream input) => new MemoryStream(new byte[int.Parse(new StreamReader(input).ReadToEnd())]);
}

public abstract class Abstract
{
    public string Instance(string input) => input;
    public abstract string Empty(string input);
    public static string Static(string input) => input;
}
public class Generic<T> { public string Method(string input) => input; }
public interface IHandler { string Method(string input); }
public class Rejected
{
    public T Method<T>(T input) => input;
    public async void Void(string input) => await Task.Yield();
    public string Params(params string[] input) => "";
    public string Three(string a, ILambdaContext b, string c) => "";
    public string Second(string a, string b) => "";
}
public class Static { static Static() => Console.WriteLine("type constructor"); public static string Method(string input) => input; }
public class Throws { public Throws() => throw new InvalidOperationException("böse \"x\"\n"); public string Method(string input) => input; }

public class Custom : Exception
{
    public Custom(string message, Exception inner = null) : base(message, inner) { }
}

public class Errors
{
    public string Throw(string what)
    {
        switch (what)
        {
            case "plain": throw new Custom("böse \"x\"\n\u0001");
            case "inner": throw new Custom("outer", new Custom("middle", new ArgumentNullException("name")));
            case "many": throw new AggregateException("all", new Custom("one"), new Custom("two"));
            case "long": throw new Custom(new string('x', 300000));
            case "exit": Environment.Exit(7); break;
        }
        return what;
    }
    public async Task<string> Later(string what) { await Task.Delay(1); return Throw(what); }
    public Task<string> Blocks(string what) => Task.Run<string>(() => { Throw(what); return what; });
}

public class Look
{
    public Dictionary<string, object> Context(string input, ILambdaContext c)
    {
        return new Dictionary<string, object>
        {
            ["id"] = c.AwsRequestId, ["name"] = c.FunctionName, ["version"] = c.FunctionVersion, ["arn"] = c.InvokedFunctionArn,
            ["group"] = c.LogGroupName, ["stream"] = c.LogStreamName, ["memory"] = c.MemoryLimitInMB,
            ["remaining"] = c.RemainingTime.TotalSeconds > 1000, ["tenant"] = c.TenantId, ["trace"] = c.TraceId,
            ["identity"] = c.Identity.IdentityId, ["pool"] = c.Identity.IdentityPoolId, ["custom"] = c.ClientContext.Custom,
            ["env"] = c.ClientContext.Environment, ["app"] = c.ClientContext.Client?.InstallationId, ["title"] = c.ClientContext.Client?.AppTitle,
            ["serializer"] = c.Serializer.GetType().Name, ["later"] = c.OfALaterVersion, ["number"] = c.NumberOfALaterVersion,
            ["default"] = c.DefaultOfALaterVersion, ["variable"] = Environment.GetEnvironmentVariable("_X_AMZN_TRACE_ID"),
        };
    }

    public string Logs(string input, ILambdaContext c)
    {
        Console.WriteLine("out {0}", 1);
        Console.Error.WriteLine("err");
        Console.Write("raw");
        c.Logger.LogLine("two\nlines");
        c.Logger.LogTrace("too little");
        c.Logger.LogWarning("warning");
        c.Logger.LogCritical("critical");
        c.Logger.LogInformation("{user} has {count:000} and {@order}", "Ada", 7, new Order { Name = "x", Number = 1 });
        c.Logger.LogInformation("{1} {0} {{}}", "a", "b");
        c.Logger.LogError(new Custom("inside"), "with an error");
        LambdaLogger.Log("static");
        LambdaLogger.Log(LogLevel.Warning, "static {x}", 5);
        c.Logger.Log("mine", "own level");
        return input;
    }

    public Dictionary<string, object> Process(string[] names) => new()
    {
        ["env"] = names.ToDictionary(n => n, Environment.GetEnvironmentVariable), ["limit"] = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20,
        ["base"] = AppContext.BaseDirectory, ["version"] = Environment.Version.Major, ["cwd"] = Environment.CurrentDirectory,
        ["switch"] = AppContext.TryGetSwitch("System.Reflection.Metadata.MetadataUpdater.IsSupported", out bool on) && !on,
    };
}
