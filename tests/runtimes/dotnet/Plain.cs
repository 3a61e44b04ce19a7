using System.IO;
using Amazon.Lambda.Core;
using Amazon.Lambda.Serialization.SystemTextJson;

public class Plain
{
    public void In(string input) { }
    public string Out(Stream input) => "";
    [LambdaSerializer(typeof(DefaultLambdaJsonSerializer))]
    public string Mine(string input) => input;
}
