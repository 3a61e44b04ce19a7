using System;

namespace Lambkin.Shapes;

// Interfaces of the shape that Amazon.Lambda.Core's have, for the warm-up.

public interface ILambdaContext
{
    string AwsRequestId { get; }
    ILambdaLogger Logger { get; }
    TimeSpan RemainingTime { get; }
}

public interface ILambdaLogger
{
    void LogLine(string message);
}
