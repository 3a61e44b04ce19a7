using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Lambkin;

// What functions see of an invocation. The interfaces are those of the Amazon.Lambda.Core in the function's package, of whatever
// version, so the types that implement them are made when it is known (Core.cs); they derive from these.

/// <summary>Members that have types of Amazon.Lambda.Core are asked for by name.</summary>
public abstract class Members
{
    public virtual object Other(string name) => null;
}

public class Context : Members
{
    static string functionName, functionVersion, logGroupName, logStreamName;
    static int memory;

    /// <summary>As the function's variables say, which may come long after this class was first used.</summary>
    internal static void Configure()
    {
        functionName = Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_NAME");
        functionVersion = Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_VERSION");
        logGroupName = Environment.GetEnvironmentVariable("AWS_LAMBDA_LOG_GROUP_NAME");
        logStreamName = Environment.GetEnvironmentVariable("AWS_LAMBDA_LOG_STREAM_NAME");
        int.TryParse(Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), out memory);
    }

    internal Event From;
    internal object Client, Cognito, Logging, Serializing;

    public virtual string AwsRequestId => From.Id;
    public virtual string FunctionName => functionName;
    public virtual string FunctionVersion => functionVersion;
    public virtual string InvokedFunctionArn => From.Arn;
    public virtual string LogGroupName => logGroupName;
    public virtual string LogStreamName => logStreamName;
    public virtual int MemoryLimitInMB => memory;
    public virtual TimeSpan RemainingTime => DateTime.UnixEpoch.AddMilliseconds(From.Deadline) - DateTime.UtcNow;
    public virtual string TenantId => From.TenantId;
    public virtual string TraceId => From.TraceId;

    public override object Other(string name) => name switch
    {
        "ClientContext" => Client,
        "Identity" => Cognito,
        "Logger" => Logging,
        "Serializer" => Serializing,
        _ => null,
    };
}

public class Logger : Members
{
    public virtual void Log(string message) => Console.Write(message);
    public virtual void LogLine(string message) => Lambkin.Log.Write(Level.Information, message);
    public virtual void Log(string level, string message) => Lambkin.Log.Write(level, null, message, null);
    public virtual void Log(string level, string message, params object[] args) => Lambkin.Log.Write(level, null, message, args);
    public virtual void Log(string level, Exception exception, string message, params object[] args) =>
        Lambkin.Log.Write(level, exception, message, args);
}

public class Identity : Members
{
    readonly string id, pool;

    public Identity()
    {
        if (string.IsNullOrWhiteSpace(Parsing.Value)) return;
        using JsonDocument document = JsonDocument.Parse(Parsing.Value);
        id = Parsing.Text(document.RootElement, "cognitoIdentityId");
        pool = Parsing.Text(document.RootElement, "cognitoIdentityPoolId");
    }

    public virtual string IdentityId => id;
    public virtual string IdentityPoolId => pool;
}

public class ClientContext : Members
{
    readonly IDictionary<string, string> environment, custom;
    readonly object client;

    public ClientContext()
    {
        if (string.IsNullOrWhiteSpace(Parsing.Value)) return;
        using JsonDocument document = JsonDocument.Parse(Parsing.Value);
        environment = Parsing.Map(document.RootElement, "env");
        custom = Parsing.Map(document.RootElement, "custom");
        if (!Parsing.Has(document.RootElement, "client", out JsonElement element)) return;
        Parsing.Element = element;
        client = Core.Current?.NewApplication() ?? new Application();
    }

    public virtual IDictionary<string, string> Environment => environment;
    public virtual IDictionary<string, string> Custom => custom;
    public override object Other(string name) => name == "Client" ? client : null;
}

public class Application : Members
{
    readonly string package = Parsing.Text(Parsing.Element, "app_package_name"), title = Parsing.Text(Parsing.Element, "app_title"),
        code = Parsing.Text(Parsing.Element, "app_version_code"), version = Parsing.Text(Parsing.Element, "app_version_name"),
        id = Parsing.Text(Parsing.Element, "installation_id");

    public virtual string AppPackageName => package;
    public virtual string AppTitle => title;
    public virtual string AppVersionCode => code;
    public virtual string AppVersionName => version;
    public virtual string InstallationId => id;
}

/// <summary>What the constructors above read: types that are made later have none with parameters.</summary>
static class Parsing
{
    public static string Value;
    public static JsonElement Element;

    public static bool Has(JsonElement of, string name, out JsonElement value)
    {
        value = default;
        return of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;
    }

    public static string Text(JsonElement of, string name) => Has(of, name, out JsonElement value) ? value.ToString() : null;

    public static IDictionary<string, string> Map(JsonElement of, string name)
    {
        if (!Has(of, name, out JsonElement value) || value.ValueKind != JsonValueKind.Object) return null;
        var map = new Dictionary<string, string>();
        foreach (JsonProperty property in value.EnumerateObject()) map[property.Name] = property.Value.ToString();
        return map;
    }
}
