using System;
using System.Buffers;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Lambkin;

/// <summary>A message like "{user} bought {@item} for {price:0.00}", or one with {0}, {1}.</summary>
sealed class Template
{
    public readonly List<(string Name, string Format, bool IsJson, object Value)> Properties = [];
    public readonly string Text;

    static readonly JsonSerializerOptions options = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public Template(string template, object[] args)
    {
        var found = new List<(int Start, int End, string Name, string Format, bool IsJson)>();
        for (int open = template.IndexOf('{'); open >= 0 && open + 1 < template.Length; open = template.IndexOf('{', open))
        {
            int end = template.IndexOf('}', open);
            if (template[open + 1] == '{') open += 2; // meant as it stands
            else if (end < 0) break;
            else
            {
                string inside = template[(open + 1)..end];
                int colon = inside.IndexOf(':');
                string name = (colon < 0 ? inside : inside[..colon]).Trim();
                if (name.Length > 0) found.Add((open, end + 1, name.TrimStart('@'), colon < 0 ? null : inside[(colon + 1)..], name[0] == '@'));
                open = end;
            }
        }
        bool positional = found.Count > 0;
        foreach (var one in found) positional = positional && int.TryParse(one.Name, NumberStyles.None, null, out _);
        Text = Put(template, args, found, positional);
    }

    string Put(string template, object[] args, List<(int Start, int End, string Name, string Format, bool IsJson)> found, bool positional)
    {
        var text = new StringBuilder(template.Length + 32);
        int from = 0;
        for (int i = 0; i < found.Count; i++)
        {
            var one = found[i];
            int index = positional ? int.Parse(one.Name, CultureInfo.InvariantCulture) : i;
            if (index >= args.Length) continue;
            Properties.Add((one.Name, one.Format, one.IsJson, args[index]));
            text.Append(template, from, one.Start - from).Append(Show(args[index], one.Format, one.IsJson));
            from = one.End;
        }
        return text.Append(template, from, template.Length - from).ToString().Replace("{{", "{").Replace("}}", "}");
    }

    public static string Show(object value, string format, bool isJson)
    {
        if (value == null) return isJson ? "null" : "";
        if (isJson) return Serialize(value);
        if (!string.IsNullOrEmpty(format) && value is IFormattable formattable) return formattable.ToString(format, CultureInfo.InvariantCulture);
        return value switch
        {
            string text => text,
            DateTime time => Log.Time(time),
            DateTimeOffset time => Log.Time(time.UtcDateTime),
            DateOnly date => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            TimeOnly time => time.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture),
            byte[] bytes => Convert.ToHexString(bytes),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture),
        };
    }

    static string Serialize(object value)
    {
        try
        {
            return JsonSerializer.Serialize(value, options);
        }
        catch (Exception)
        {
            return JsonSerializer.Serialize(value.ToString());
        }
    }
}

/// <summary>A log line as one JSON object.</summary>
static class JsonLog
{
    public static string Line(DateTime time, Level level, Exception error, string message, object[] args)
    {
        Template template = args != null && args.Length > 0 && message != null ? new Template(message, args) : null;
        var bytes = new ArrayBufferWriter<byte>();
        using var to = new Utf8JsonWriter(bytes);
        to.WriteStartObject();
        to.WriteString("timestamp", Log.Time(time));
        to.WriteString("level", level.ToString());
        if (!string.IsNullOrEmpty(Log.RequestId)) to.WriteString("requestId", Log.RequestId);
        if (!string.IsNullOrEmpty(Log.TenantId)) to.WriteString("tenantId", Log.TenantId);
        if (!string.IsNullOrEmpty(Log.TraceId)) to.WriteString("traceId", Log.TraceId);
        to.WriteString("message", template?.Text ?? message);
        if (template != null) Properties(to, template);
        if (error != null) Error(to, error);
        to.WriteEndObject();
        to.Flush();
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    static void Properties(Utf8JsonWriter to, Template template)
    {
        foreach (var (name, format, isJson, value) in template.Properties)
        {
            if (value == null) continue;
            to.WritePropertyName(name);
            if (!isJson && value is IDictionary map)
            {
                to.WriteStartObject();
                foreach (DictionaryEntry entry in map)
                {
                    to.WritePropertyName(entry.Key.ToString() ?? "");
                    Value(to, entry.Value, format, isJson);
                }
                to.WriteEndObject();
            }
            else if (!isJson && value is IList list and not IList<byte>)
            {
                to.WriteStartArray();
                foreach (object item in list) Value(to, item, format, isJson);
                to.WriteEndArray();
            }
            else
                Value(to, value, format, isJson);
        }
    }

    static void Value(Utf8JsonWriter to, object value, string format, bool isJson)
    {
        switch (value)
        {
            case null: to.WriteNullValue(); break;
            case var _ when isJson: to.WriteRawValue(Template.Show(value, null, true)); break;
            case var _ when !string.IsNullOrEmpty(format): to.WriteStringValue(Template.Show(value, format, false)); break;
            case bool one: to.WriteBooleanValue(one); break;
            case byte or sbyte or short or ushort or int or long: to.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture)); break;
            case uint or ulong: to.WriteNumberValue(Convert.ToUInt64(value, CultureInfo.InvariantCulture)); break;
            case decimal one: to.WriteNumberValue(one); break;
            case double one when double.IsFinite(one): to.WriteNumberValue(one); break;
            case float one when float.IsFinite(one): to.WriteNumberValue(one); break;
            default: to.WriteStringValue(Template.Show(value, null, false)); break;
        }
    }

    static void Error(Utf8JsonWriter to, Exception error)
    {
        to.WriteString("errorType", error.GetType().FullName);
        to.WriteString("errorMessage", error.Message);
        to.WriteStartArray("stackTrace");
        foreach (string line in ErrorDocument.Text(error).Split('\n')) to.WriteStringValue(line.Trim());
        to.WriteEndArray();
    }
}
