using System;
using System.Buffers.Binary;
using System.IO;
using System.Text;

namespace Lambkin;

enum Level { Trace, Debug, Information, Warning, Error, Critical }

/// <summary>
/// Where everything that is logged goes: the framed log pipe if there is one, else standard output. Console.Out and Console.Error
/// come here as well.
/// </summary>
static class Log
{
    const int EventMax = (256 << 10) - 26; // of CloudWatch
    static readonly object one = new();
    static int pipe = -1;
    static bool unformatted, json;
    public static bool IsJson => json;
    static Level least = Level.Information;
    public static string RequestId = "", TraceId, TenantId;

    /// <summary>Takes the console. Nothing is known of the function yet.</summary>
    public static void TakeConsole()
    {
        Console.SetOut(new LogWriter(Level.Information));
        Console.SetError(new LogWriter(Level.Error));
    }

    static string Variable(string handlers, string functions)
    {
        string value = Environment.GetEnvironmentVariable(handlers);
        return string.IsNullOrEmpty(value) ? Environment.GetEnvironmentVariable(functions) ?? "" : value;
    }

    /// <summary>As the function's variables say.</summary>
    public static void Configure()
    {
        string format = Variable("AWS_LAMBDA_HANDLER_LOG_FORMAT", "AWS_LAMBDA_LOG_FORMAT");
        json = format.Equals("json", StringComparison.OrdinalIgnoreCase);
        unformatted = format.Equals("unformatted", StringComparison.OrdinalIgnoreCase);
        if (LevelOf(Variable("AWS_LAMBDA_HANDLER_LOG_LEVEL", "AWS_LAMBDA_LOG_LEVEL")) is Level level) least = level;
        if (int.TryParse(Environment.GetEnvironmentVariable("_LAMBDA_TELEMETRY_LOG_FD"), out int fd)) pipe = fd;
    }

    /// <summary>.NET's names, and those of the function's configuration.</summary>
    public static Level? LevelOf(string name) => name?.ToUpperInvariant() switch
    {
        "TRACE" => Level.Trace,
        "DEBUG" => Level.Debug,
        "INFORMATION" or "INFO" => Level.Information,
        "WARNING" or "WARN" => Level.Warning,
        "ERROR" => Level.Error,
        "CRITICAL" or "FATAL" => Level.Critical,
        _ => null,
    };

    static string Word(Level level) => level switch
    {
        Level.Trace => "trce",
        Level.Debug => "dbug",
        Level.Information => "info",
        Level.Warning => "warn",
        Level.Error => "fail",
        _ => "crit",
    };

    public static void Write(Level? level, string message) => Write(level, level?.ToString(), null, message, null);

    /// <summary>A level that is none of ours is printed as it is; none at all is left out.</summary>
    public static void Write(string level, Exception error, string message, object[] args) =>
        Write(LevelOf(level), level, error, message, args);

    static void Write(Level? level, string name, Exception error, string message, object[] args)
    {
        if (json) level ??= Level.Information;
        if (level < least) return;
        DateTime now = DateTime.UtcNow;
        string text;
        try
        {
            text = json ? JsonLog.Line(now, level.Value, error, message, args) : TextLine(now, level, name, error, message, args);
        }
        catch (Exception e)
        {
            text = $"{message} ({e.GetType().Name} while this was formatted: {e.Message})"; // a ToString() of the function's, perhaps
        }
        Emit(text + "\n", level, now);
    }

    static string TextLine(DateTime now, Level? level, string name, Exception error, string message, object[] args)
    {
        if (args != null && args.Length > 0 && message != null) message = new Template(message, args).Text;
        if (error != null) message = string.IsNullOrEmpty(message) ? ErrorDocument.Text(error) : $"{message}\n{ErrorDocument.Text(error)}";
        if (unformatted) return message ?? "";
        string word = level is Level known ? Word(known) : name;
        return $"{Time(now)}\t{RequestId}\t{(string.IsNullOrEmpty(word) ? "" : word + "\t")}{message}";
    }

    public static string Time(DateTime time) => time.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>One event, or several if it is longer than any may be.</summary>
    public static void Emit(string text, Level? level, DateTime time)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        lock (one)
        {
            if (pipe < 0)
            {
                Libc.Write(1, bytes, bytes.Length);
                return;
            }
            for (int at = 0, n; at < bytes.Length; at += n)
            {
                n = Math.Min(bytes.Length - at, EventMax);
                while (at + n < bytes.Length && (bytes[at + n] & 0xc0) == 0x80) n--; // not within a character
                EmitFrame(bytes, at, n, level, time);
            }
        }
    }

    static void EmitFrame(byte[] bytes, int at, int n, Level? level, DateTime time)
    {
        var frame = new byte[16 + n];
        uint bits = level is Level known ? (uint)known + 1 : 0;
        BinaryPrimitives.WriteUInt32BigEndian(frame, 0xa55a0000 + (bits << 2) + 2 + (json ? 0u : 1u));
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(4), (uint)n);
        BinaryPrimitives.WriteInt64BigEndian(frame.AsSpan(8), (time.Ticks - DateTime.UnixEpoch.Ticks) / (TimeSpan.TicksPerMillisecond / 1000));
        Buffer.BlockCopy(bytes, at, frame, 16, n);
        if (!Libc.Write(pipe, frame, frame.Length)) pipe = -1; // the function closed it
    }

    public static void Raw(int fd, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Libc.Write(fd, bytes, bytes.Length);
    }
}

/// <summary>Console.Out or Console.Error: a line is an event of this level, anything else goes out as it is.</summary>
sealed class LogWriter(Level level) : TextWriter
{
    public override Encoding Encoding => Encoding.UTF8;

    public override void Write(char value) => Write(value.ToString());
    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));
    public override void Write(ReadOnlySpan<char> buffer) => Write(new string(buffer));
    public override void Write(string value)
    {
        if (!string.IsNullOrEmpty(value)) Log.Emit(value, level, DateTime.UtcNow);
    }

    public override void WriteLine() => WriteLine("");
    public override void WriteLine(string value) => Log.Write(level, value ?? "");
    public override void WriteLine(object value) => WriteLine(value?.ToString());
    public override void WriteLine(char value) => WriteLine(value.ToString());
    public override void WriteLine(char[] buffer) => WriteLine(buffer == null ? "" : new string(buffer));
    public override void WriteLine(char[] buffer, int index, int count) => WriteLine(new string(buffer, index, count));
    public override void WriteLine(ReadOnlySpan<char> buffer) => WriteLine(new string(buffer));
    public override void WriteLine(StringBuilder value) => WriteLine(value?.ToString());
    public override void WriteLine(bool value) => WriteLine(value.ToString());
    public override void WriteLine(int value) => WriteLine(value.ToString(FormatProvider));
    public override void WriteLine(uint value) => WriteLine(value.ToString(FormatProvider));
    public override void WriteLine(long value) => WriteLine(value.ToString(FormatProvider));
    public override void WriteLine(ulong value) => WriteLine(value.ToString(FormatProvider));
    public override void WriteLine(float value) => WriteLine(value.ToString(FormatProvider));
    public override void WriteLine(double value) => WriteLine(value.ToString(FormatProvider));
    public override void WriteLine(decimal value) => WriteLine(value.ToString(FormatProvider));
    public override void WriteLine(string format, object arg0) => WriteLine(string.Format(FormatProvider, format, arg0));
    public override void WriteLine(string format, object arg0, object arg1) => WriteLine(string.Format(FormatProvider, format, arg0, arg1));
    public override void WriteLine(string format, object arg0, object arg1, object arg2) =>
        WriteLine(string.Format(FormatProvider, format, arg0, arg1, arg2));
    public override void WriteLine(string format, params object[] arg) => WriteLine(string.Format(FormatProvider, format, arg));
}
