using System;
using System.IO;
using System.Text.Json;

namespace Hello;

public record Request(string name);

/// <summary>Streams need no package. With Amazon.Lambda.Core and a serializer a handler takes and returns objects.</summary>
public class Greeter
{
    readonly string greeting = Environment.GetEnvironmentVariable("GREETING") ?? "Hello";

    public Stream Greet(Stream input)
    {
        string name = JsonSerializer.Deserialize<Request>(input)?.name ?? "world";
        Console.WriteLine($"saying hello to {name}");
        return new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(new { message = $"{greeting}, {name}!" }));
    }
}
