using System;
using System.Text;

namespace Lambkin;

/// <summary>What an exception looks like to the invoker: AWS's layout, to the blank.</summary>
static class ErrorDocument
{
    const int BytesMax = 256 << 10;
    const string ScriptTrace = "lambkin.trace"; // among an exception's data: where in a script it comes from
    const string TooLong = "{\"errorMessage\": \"Exception exceeded maximum payload size of 256KB.\"}";

    public static byte[] Of(Exception error)
    {
        string text = Layout(error, 0, false, BytesMax) ?? TooLong;
        return Encoding.UTF8.GetBytes(text);
    }

    /// <summary>Frames of a script, instead of those of what runs it.</summary>
    public static void SetTrace(Exception error, string trace) => error.Data[ScriptTrace] = trace;

    static string Trace(Exception error) => error.Data[ScriptTrace] as string ?? error.StackTrace;

    /// <summary>For the log.</summary>
    public static string Text(Exception error) =>
        error.Data[ScriptTrace] is string trace ? $"{error.GetType().FullName}: {error.Message}\n{trace}" : error.ToString();

    static int Size(StringBuilder text) => Encoding.UTF8.GetByteCount(text.ToString());

    /// <returns>null: there is no room for it</returns>
    static string Layout(Exception error, int depth, bool comma, int room)
    {
        if (room <= 0) return null;
        var text = new StringBuilder();
        string at = new(' ', 2 * depth), inside = new(' ', 2 * depth + 2);
        text.Append(at).Append("{\n").Append(inside).Append("\"errorType\": \"").Append(Escape(error.GetType().Name)).Append("\",\n")
            .Append(inside).Append("\"errorMessage\": \"").Append(Escape(error.Message)).Append('"');
        Stack(text, Trace(error), inside);
        var many = error as AggregateException;
        bool list = many != null && many.InnerExceptions.Count > 0;
        if (error.InnerException != null)
        {
            text.Append(",\n").Append(inside).Append("\"cause\": ");
            text.Append(Layout(error.InnerException, depth + 1, list, room - Size(text)) ?? TooLong + "\n");
        }
        if (list)
        {
            text.Append(inside).Append("\"causes\": [");
            for (int i = 0; i < many.InnerExceptions.Count; i++)
            {
                string one = Layout(many.InnerExceptions[i], depth + 2, i < many.InnerExceptions.Count - 1, room - Size(text));
                text.Append(one ?? $"{inside}  {TooLong}\n");
                if (one == null) break;
            }
            text.Append(inside).Append("]\n");
        }
        if (error.InnerException == null && !list) text.Append('\n');
        text.Append(at).Append(comma ? "},\n" : "}\n");
        return Size(text) > room ? null : text.ToString();
    }

    static void Stack(StringBuilder text, string stack, string inside)
    {
        string[] lines = (stack ?? "").Split('\n');
        int count = lines.Length;
        while (count > 0 && IsOurs(lines[count - 1].Trim())) count--;
        string before = $",\n{inside}\"stackTrace\": [\n";
        bool any = false;
        for (int i = 0; i < count; i++)
        {
            string line = Escape(lines[i]);
            if (line.Length == 0) continue;
            text.Append(before).Append(inside).Append("  \"").Append(line).Append('"');
            before = ",\n";
            any = true;
        }
        if (any) text.Append('\n').Append(inside).Append(']');
    }

    /// <summary>Frames below the handler's: how it was called is of no interest.</summary>
    static bool IsOurs(string line) =>
        line.Length == 0 || line.StartsWith("at Lambkin.", StringComparison.Ordinal) ||
        line.StartsWith("at System.RuntimeMethodHandle.InvokeMethod", StringComparison.Ordinal) ||
        line.StartsWith("at System.Reflection.", StringComparison.Ordinal) || line.StartsWith("at InvokeStub_", StringComparison.Ordinal);

    static string Escape(string s)
    {
        var text = new StringBuilder(s.Length + 16);
        foreach (char c in s)
        {
            switch (c)
            {
                case '\n': text.Append("\\n"); break;
                case '\r': text.Append("\\r"); break;
                case '\t': text.Append("\\t"); break;
                case '\f': text.Append("\\f"); break;
                case '\b': text.Append("\\b"); break;
                case '"': text.Append("\\\""); break;
                case '\\': text.Append("\\\\"); break;
                default:
                    if (c < ' ' || c == '\u0085' || c == '\u2028' || c == '\u2029') text.Append($"\\u{(int)c:X4}");
                    else text.Append(c);
                    break;
            }
        }
        return text.ToString().Trim();
    }
}
