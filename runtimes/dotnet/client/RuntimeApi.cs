using System;
using System.Text;

namespace Lambkin;

/// <summary>One event as the platform gives it.</summary>
sealed class Event
{
    public string Id = "", Arn = "", TraceId, ClientContext, Identity, TenantId;
    public long Deadline;
    public byte[] Body;
    public int Length;
}

/// <summary>
/// The Runtime API over one kept connection, written by hand. A result and the request for the next event are one write; a
/// connection that is lost is made anew, and what had no answer is sent again.
/// </summary>
sealed class RuntimeApi
{
    const string Base = "/2018-06-01/runtime";

    readonly string host, poll;
    byte[] data = new byte[16384]; // what has come
    int from, to;                  // ... and was not looked at yet
    int fd = -1;
    bool answered; // by this platform, ever

    public RuntimeApi(string address)
    {
        host = $"Host: {address}\r\nUser-Agent: aws-lambda-dotnet/{Environment.Version}-lambkin\r\n";
        poll = $"GET {Base}/invocation/next HTTP/1.1\r\n{host}\r\n";
        this.address = address;
    }

    readonly string address;

    static void Die(string why)
    {
        Log.Raw(2, $"lambkin runtime client: {why}\n");
        Libc.Exit(1);
    }

    void Connect()
    {
        string[] parts = address.Split(':');
        string[] bytes = parts[0].Split('.');
        uint ip = 0;
        int port = 0;
        bool ok = parts.Length == 2 && bytes.Length == 4 && int.TryParse(parts[1], out port);
        foreach (string part in bytes)
        {
            ok = byte.TryParse(part, out byte value) && ok;
            ip = ip << 8 | value;
        }
        if (!ok) Die($"AWS_LAMBDA_RUNTIME_API is no address: {address}");
        fd = Libc.Connect(ip, port);
        if (fd < 0) Die($"no connection to the Runtime API: {Libc.Error()}");
    }

    void Close()
    {
        Libc.Close(fd);
        fd = -1;
        from = to = 0;
    }

    /// <summary>The next event, after the result of the last one, if there was one, has been delivered.</summary>
    public Event Next(byte[] result, int length)
    {
        byte[] request = result ?? Encoding.UTF8.GetBytes(poll);
        if (result == null) length = request.Length;
        bool posts = result != null;
        Send(request, length);
        for (bool again = false; ;)
        {
            if (posts && Read(out int status, null))
            {
                if (!again && (status < 200 || status > 299)) Die($"the Runtime API answered {status} to the result");
                posts = false;
                request = Encoding.UTF8.GetBytes(poll);
                length = request.Length;
            }
            var next = new Event();
            if (!posts && Read(out status, next))
            {
                if (status != 200) Die($"the Runtime API answered {status} when asked for the next event");
                return next;
            }
            if (!answered) Die("no connection to the Runtime API: it was closed");
            answered = false; // twice in a row it is gone
            again = true;
            Close();
            Send(request, length);
        }
    }

    /// <summary>The process ends: nothing is asked for any more.</summary>
    public void InitError(string type, byte[] body)
    {
        byte[] request = Post("/init/error", $"Lambda-Runtime-Function-Error-Type: {type}\r\n", body, body.Length, false, out int length);
        Send(request, length);
        Read(out _, null);
    }

    public byte[] Response(string id, byte[] body, int n, string contentType, out int length) =>
        Post($"/invocation/{id}/response", "", body, n, true, out length, contentType);

    public byte[] Error(string id, string type, byte[] body, out int length) =>
        Post($"/invocation/{id}/error", $"Lambda-Runtime-Function-Error-Type: {type}\r\n", body, body.Length, true, out length);

    byte[] Post(string path, string header, byte[] body, int n, bool thenPoll, out int length, string contentType = "application/json")
    {
        string head = $"POST {Base}{path} HTTP/1.1\r\nContent-Type: {contentType}\r\nContent-Length: {n}\r\n{header}{host}\r\n";
        string tail = thenPoll ? poll : "";
        var request = new byte[Encoding.UTF8.GetMaxByteCount(head.Length + tail.Length) + n];
        length = Encoding.UTF8.GetBytes(head, 0, head.Length, request, 0);
        Buffer.BlockCopy(body, 0, request, length, n);
        length += n;
        length += Encoding.UTF8.GetBytes(tail, 0, tail.Length, request, length);
        return request;
    }

    void Send(byte[] request, int length)
    {
        if (fd < 0) Connect();
        if (Libc.Write(fd, request, length)) return;
        Close(); // while the event was worked on
        Connect();
        Libc.Write(fd, request, length);
    }

    bool More()
    {
        if (from > 0)
        {
            Buffer.BlockCopy(data, from, data, 0, to - from);
            to -= from;
            from = 0;
        }
        if (to == data.Length) Array.Resize(ref data, 2 * to);
        int n = Libc.Read(fd, data, to);
        if (n > 0) to += n;
        return n > 0;
    }

    /// <summary>One answer; false: the connection has ended before.</summary>
    bool Read(out int status, Event into)
    {
        status = 0;
        while (true)
        {
            int end;
            while ((end = data.AsSpan(from, to - from).IndexOf("\r\n\r\n"u8)) < 0)
                if (!More()) return false;
            string head = Encoding.UTF8.GetString(data, from, end);
            int length = Parse(head, out status, into);
            if (status == 0) Die("the Runtime API sent no answer of a known kind");
            if (end + 4 + length > data.Length) Array.Resize(ref data, from + end + 4 + length);
            while (to - from < end + 4 + length)
                if (!More()) return false;
            int body = from + end + 4;
            from = body + length;
            if (status < 200) continue; // the answer is still to come
            answered = true;
            if (into == null) return true;
            into.Body = new byte[length]; // the function may keep it
            into.Length = length;
            Buffer.BlockCopy(data, body, into.Body, 0, length);
            return true;
        }
    }

    /// <returns>how long the body is; a status of 0 says that this is no answer</returns>
    internal static int Parse(string head, out int status, Event into)
    {
        const int LengthMax = 64 << 20;
        int length = 0;
        status = 0;
        string[] lines = head.Split("\r\n");
        bool ok = lines[0].Length >= 12 && (lines[0].StartsWith("HTTP/1.1 ", StringComparison.Ordinal) || lines[0].StartsWith("HTTP/1.0 ", StringComparison.Ordinal));
        int code = 0;
        ok = ok && int.TryParse(lines[0].AsSpan(9, 3), System.Globalization.NumberStyles.None, null, out code);
        for (int i = 1; i < lines.Length && ok; i++)
        {
            int colon = lines[i].IndexOf(':');
            if (colon < 0) continue;
            string name = lines[i][..colon].ToLowerInvariant();
            string value = lines[i][(colon + 1)..].Trim();
            if (name == "transfer-encoding") ok = false;
            else if (name == "content-length")
                ok = int.TryParse(value, System.Globalization.NumberStyles.None, null, out length) && length <= LengthMax;
            else if (into != null) Take(into, name, value);
        }
        if (ok) status = code;
        return ok ? length : 0;
    }

    static void Take(Event into, string name, string value)
    {
        switch (name)
        {
            case "lambda-runtime-aws-request-id": into.Id = value; break;
            case "lambda-runtime-deadline-ms": long.TryParse(value, out into.Deadline); break;
            case "lambda-runtime-invoked-function-arn": into.Arn = value; break;
            case "lambda-runtime-trace-id": into.TraceId = value; break;
            case "lambda-runtime-client-context": into.ClientContext = value; break;
            case "lambda-runtime-cognito-identity": into.Identity = value; break;
            case "lambda-runtime-aws-tenant-id": into.TenantId = value; break;
        }
    }
}
