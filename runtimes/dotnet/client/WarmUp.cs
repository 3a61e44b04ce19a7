using System;
using System.IO;
using System.Reflection;
using System.Text;
using System.Text.Json;

namespace Lambkin;

/// <summary>
/// What happens before there is a function, so that it need not happen afterwards: the paths of a first invocation are compiled and
/// the framework's parts that most functions use are loaded, by a function of our own. Nothing here looks at a variable.
/// </summary>
static class WarmUp
{
    const string Answer = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 1\r\nContent-Length: 2";

    public static void Run()
    {
        var of = new Event { Body = "{\"Name\":\"x\",\"Number\":1,\"Words\":[\"a\"]}"u8.ToArray(), ClientContext = "{\"custom\":{\"a\":\"b\"}}", Identity = "{}" };
        of.Length = of.Body.Length;
        RuntimeApi.Parse(Answer, out _, of);
        Core.Current = new Core(typeof(WarmUp).Assembly, typeof(Shapes.ILambdaContext).Namespace);
        foreach (string name in (string[])["Text", "Record", "Later"])
        {
            MethodInfo method = typeof(Sample).GetMethod(name);
            try
            {
                using var output = new ResultStream();
                new Function(method, new Sample(), new Serializer(new Json())).Call(of, output);
            }
            catch (Exception e)
            {
                ErrorDocument.Of(e);
            }
        }
        Core.Current.NewContext(of, null);
        Core.Current = null;
    }

    public sealed class Item
    {
        public string Name { get; set; }
        public int Number { get; set; }
        public string[] Words { get; set; }
    }

    public sealed class Sample
    {
        public string Text(JsonElement input) => input.ToString();
        public Item Record(Item input, Shapes.ILambdaContext context) => input;
        public System.Threading.Tasks.Task<string> Later(Stream input) => throw new InvalidOperationException("none");
    }

    public sealed class Json
    {
        readonly JsonSerializerOptions options = new() { PropertyNameCaseInsensitive = true };
        public T Deserialize<T>(Stream from) => JsonSerializer.Deserialize<T>(from, options);
        public void Serialize<T>(T value, Stream to) => JsonSerializer.Serialize(to, value, options);
    }
}
