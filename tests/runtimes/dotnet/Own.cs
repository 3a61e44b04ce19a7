using System;

static class Own
{
    static int Main()
    {
        Console.WriteLine($"own loop {Environment.GetEnvironmentVariable("_HANDLER")} {Environment.GetEnvironmentVariable("LAMBDA_RUNTIME_NAME")}");
        return 42;
    }
}
