// The public surface of the package of this name as far as functions here use it: the package itself is in no registry that tests may ask.
using System;
using System.Collections.Generic;
using System.IO;

namespace Amazon.Lambda.Core;

public interface ILambdaContext
{
    string AwsRequestId { get; }
    IClientContext ClientContext { get; }
    string FunctionName { get; }
    string FunctionVersion { get; }
    ICognitoIdentity Identity { get; }
    string InvokedFunctionArn { get; }
    ILambdaLogger Logger { get; }
    string LogGroupName { get; }
    string LogStreamName { get; }
    int MemoryLimitInMB { get; }
    TimeSpan RemainingTime { get; }
    string TenantId => "default of the interface";
    string TraceId => "default of the interface";
    ILambdaSerializer Serializer => null;
    string OfALaterVersion { get; }
    int NumberOfALaterVersion { get; }
    string DefaultOfALaterVersion => "default of the interface";
}

public interface IClientContext
{
    IDictionary<string, string> Environment { get; }
    IClientApplication Client { get; }
    IDictionary<string, string> Custom { get; }
}

public interface IClientApplication
{
    string AppPackageName { get; }
    string AppTitle { get; }
    string AppVersionCode { get; }
    string AppVersionName { get; }
    string InstallationId { get; }
}

public interface ICognitoIdentity
{
    string IdentityId { get; }
    string IdentityPoolId { get; }
}

public enum LogLevel { Trace, Debug, Information, Warning, Error, Critical }

public interface ILambdaLogger
{
    void Log(string message);
    void LogLine(string message);
    void Log(string level, string message) => LogLine(message);
    void Log(LogLevel level, string message) => Log(level.ToString(), message);
    void LogTrace(string message) => Log(LogLevel.Trace.ToString(), message);
    void LogDebug(string message) => Log(LogLevel.Debug.ToString(), message);
    void LogInformation(string message) => Log(LogLevel.Information.ToString(), message);
    void LogWarning(string message) => Log(LogLevel.Warning.ToString(), message);
    void LogError(string message) => Log(LogLevel.Error.ToString(), message);
    void LogCritical(string message) => Log(LogLevel.Critical.ToString(), message);
    void Log(string level, string message, params object[] args) => Log(level, message, (object)args);
    void Log(string level, Exception exception, string message, params object[] args)
    {
        Log(level, message, args);
        Log(level, exception.ToString(), args);
    }
    void LogInformation(string message, params object[] args) => Log(LogLevel.Information.ToString(), message, args);
    void LogError(Exception exception, string message, params object[] args) => Log(LogLevel.Error.ToString(), exception, message, args);
}

public interface ILambdaSerializer
{
    T Deserialize<T>(Stream requestStream);
    void Serialize<T>(T response, Stream responseStream);
}

[AttributeUsage(AttributeTargets.Assembly | AttributeTargets.Method)]
public sealed class LambdaSerializerAttribute(Type serializerType) : Attribute
{
    public Type SerializerType { get; set; } = serializerType;
}

public static class LambdaLogger
{
#pragma warning disable CS0649, IDE0044
    private static Action<string> _loggingAction = Console.WriteLine;
    private static Action<string, string, object[]> _loggingWithLevelAction = (level, message, args) => Console.WriteLine(message);
    private static Action<string, Exception, string, object[]> _loggingWithLevelAndExceptionAction = (level, error, message, args) => Console.WriteLine(message);

    public static void Log(string message) => _loggingAction(message);
    public static void Log(string level, string message) => _loggingWithLevelAction(level, message, []);
    public static void Log(LogLevel level, string message, params object[] args) => _loggingWithLevelAction(level.ToString(), message, args);
    public static void Log(LogLevel level, Exception exception, string message, params object[] args) =>
        _loggingWithLevelAndExceptionAction(level.ToString(), exception, message, args);
}
