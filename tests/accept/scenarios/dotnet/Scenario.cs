// What scenarios.test.js asks of every language.
using System;
using System.Collections.Generic;
using System.IO;
using System.Security.Cryptography;
using System.Text.Json;
using System.Threading;
using Amazon.Lambda.Core;

[assembly: LambdaSerializer(typeof(Amazon.Lambda.Serialization.SystemTextJson.DefaultLambdaJsonSerializer))]

namespace Scenario;

public class Custom(string message) : Exception(message);

public class Init
{
    public Init() => throw new InvalidDataException("at init");

    public string Handle() => "";
}

public record Request(string Do, JsonElement Value)
{
    public string Text => Value.GetString();
}

public class Handler
{
    public object Handle(Request request, ILambdaContext context)
    {
        switch (request.Do)
        {
            case "echo": return request.Value;
            case "context": return Tell(context);
            case "environment": return Variables(request.Value);
            case "remaining": return Remaining(request.Value.GetDouble(), context);
            case "trace": return Environment.GetEnvironmentVariable("_X_AMZN_TRACE_ID");
            case "heap": return GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20;
            case "layer": return File.ReadAllText("/opt/lib/word").Trim();
            case "error": throw new InvalidDataException(request.Text);
            case "custom": throw new Custom(request.Text);
            case "marshal": return (Action)Exhaust;
            case "sleep": Thread.Sleep(TimeSpan.FromSeconds(request.Value.GetDouble())); break;
            case "exit": Environment.Exit(request.Value.GetInt32()); break;
            case "memory": Exhaust(); break;
            case "big": return new string('x', request.Value.GetInt32());
            case "binary": return Convert.ToHexStringLower(SHA256.HashData(Convert.FromBase64String(request.Text)));
            case "print": Console.WriteLine(request.Text); break;
            case "log": context.Logger.LogError(request.Text); break;
            case "levels": Levels(context.Logger, request.Text); break;
        }
        return null;
    }

    static Dictionary<string, object> Tell(ILambdaContext context) => new()
    {
        ["id"] = context.AwsRequestId,
        ["name"] = context.FunctionName,
        ["version"] = context.FunctionVersion,
        ["arn"] = context.InvokedFunctionArn,
        ["memory"] = context.MemoryLimitInMB,
        ["group"] = context.LogGroupName,
        ["stream"] = context.LogStreamName,
        ["remaining"] = (long)context.RemainingTime.TotalMilliseconds,
        ["client"] = context.ClientContext?.Custom,
        ["identity"] = context.Identity?.IdentityId,
    };

    static Dictionary<string, string> Variables(JsonElement names)
    {
        var found = new Dictionary<string, string>();
        foreach (JsonElement name in names.EnumerateArray()) found[name.GetString()] = Environment.GetEnvironmentVariable(name.GetString());
        return found;
    }

    static long[] Remaining(double seconds, ILambdaContext context)
    {
        long earlier = (long)context.RemainingTime.TotalMilliseconds;
        Thread.Sleep(TimeSpan.FromSeconds(seconds));
        return [earlier, (long)context.RemainingTime.TotalMilliseconds];
    }

    static void Levels(ILambdaLogger logger, string message)
    {
        logger.LogDebug($"{message} debug");
        logger.LogInformation($"{message} info");
        logger.LogWarning($"{message} warn");
        logger.LogError($"{message} error");
    }

    static void Exhaust()
    {
        for (var kept = new List<byte[]>(); ;)
        {
            kept.Add(new byte[10000000]);
            kept[^1].AsSpan().Fill((byte)'x');
        }
    }
}
