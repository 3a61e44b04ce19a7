namespace Lambkin;

/// <summary>$LambdaContext: what Amazon.Lambda.Core's ILambdaContext has, without that assembly.</summary>
public sealed class ScriptContext : Context
{
    internal ScriptContext(Event of)
    {
        From = of;
        Parsing.Value = of.Identity;
        Identity = new Identity();
        Parsing.Value = of.ClientContext;
        ClientContext = new ScriptClient();
    }

    public ScriptClient ClientContext { get; }
    public Identity Identity { get; }
    public Logger Logger { get; } = new();
}

public sealed class ScriptClient : ClientContext
{
    public object Client => Other("Client");
}
