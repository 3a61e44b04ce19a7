using System;

namespace Lambkin;

/// <summary>The function is not as AWS wants it; the name is what the invoker sees.</summary>
sealed class LambdaValidationException(string message) : Exception(message);

/// <summary>ASSEMBLY::TYPE::METHOD</summary>
sealed class HandlerName
{
    const string Valid = "The valid format is 'ASSEMBLY::TYPE::METHOD'.";

    public readonly string Assembly, Type, Method;

    public HandlerName(string handler)
    {
        if (string.IsNullOrWhiteSpace(handler)) throw new LambdaValidationException($"Empty lambda function handler. {Valid}");
        string[] parts = handler.Split("::", 3);
        if (parts.Length != 3) throw new LambdaValidationException($"Invalid lambda function handler: '{handler}'. {Valid}");
        Assembly = Part(parts[0], "assembly", handler);
        Type = Part(parts[1], "type", handler);
        Method = Part(parts[2], "method", handler);
    }

    static string Part(string part, string what, string handler) =>
        part.Trim() is { Length: > 0 } text
            ? text
            : throw new LambdaValidationException($"Invalid lambda function handler: '{handler}', the {what} is missing. {Valid}");
}
