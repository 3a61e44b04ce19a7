package lambkin;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The Runtime API over one kept connection, written by hand. A result and the request for the next event are one write; a connection
 * that is lost is made anew, and what had no answer is sent again.
 */
final class RuntimeApi {
    private static final String BASE = "/2018-06-01/runtime";
    private static final int LENGTH_MAX = 64 << 20;

    private final String address;
    private final String host;
    private final byte[] poll;
    private byte[] data = new byte[16384]; // what has come
    private int from; // ... and was not looked at yet
    private int to;
    private Socket socket;
    private InputStream input;
    private boolean answered; // by this platform, ever

    RuntimeApi(String address) {
        this.address = address;
        host = "Host: " + address + "\r\nUser-Agent: aws-lambda-java/" + System.getProperty("java.version") + "-lambkin\r\n";
        poll = bytes("GET " + BASE + "/invocation/next HTTP/1.1\r\n" + host + "\r\n");
    }

    /** The next event, after the result of the last one has been delivered. `result` is what response() or error() made, or null. */
    Event next(byte[] result) {
        boolean posts = result != null;
        byte[] request = posts ? result : poll;
        boolean again = false;
        while (true) {
            try {
                send(request);
                if (posts) {
                    int status = read(null);
                    if (!again && (status < 200 || status > 299)) throw die("the Runtime API answered " + status + " to the result");
                    posts = false;
                    request = poll; // if the connection ends now
                }
                Event event = new Event();
                int status = read(event);
                if (status != 200) throw die("the Runtime API answered " + status + " when asked for the next event");
                return event;
            } catch (IOException e) {
                if (!answered) throw die("no connection to the Runtime API: " + e.getMessage());
                answered = false; // twice in a row it is gone
                again = true;
                close();
            }
        }
    }

    /** The process ends then: nothing is asked for any more. */
    void initError(String type, byte[] body) {
        lastly(post("/init/error", type, body, body.length, false));
    }

    /** Delivers what response() or error() made without a poll behind it. */
    void lastly(byte[] request) {
        try {
            send(request);
            read(null);
        } catch (IOException e) {
            throw die("no connection to the Runtime API: " + e.getMessage());
        }
    }

    byte[] response(String id, byte[] body, int length) {
        return post("/invocation/" + id + "/response", null, body, length, true);
    }

    byte[] error(String id, String type, byte[] body, boolean thenPoll) {
        return post("/invocation/" + id + "/error", type, body, body.length, thenPoll);
    }

    private byte[] post(String path, String errorType, byte[] body, int length, boolean thenPoll) {
        byte[] head = bytes("POST " + BASE + path + " HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: " + length + "\r\n"
            + (errorType == null ? "" : "Lambda-Runtime-Function-Error-Type: " + errorType + "\r\n") + host + "\r\n");
        byte[] request = Arrays.copyOf(head, head.length + length + (thenPoll ? poll.length : 0));
        System.arraycopy(body, 0, request, head.length, length);
        if (thenPoll) System.arraycopy(poll, 0, request, head.length + length, poll.length);
        return request;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static Error die(String why) {
        Log.raw("lambkin runtime client: " + why + "\n");
        Runtime.getRuntime().halt(1);
        return new Error(why);
    }

    void connect() throws IOException {
        int colon = address.lastIndexOf(':');
        long port = colon < 0 ? -1 : number(address.substring(colon + 1), 65535);
        if (port < 0) throw die("AWS_LAMBDA_RUNTIME_API is no address: " + address);
        socket = new Socket();
        socket.connect(new InetSocketAddress(InetAddress.getByName(address.substring(0, colon)), (int) port));
        socket.setTcpNoDelay(true);
        input = socket.getInputStream();
    }

    void close() {
        try {
            if (socket != null) socket.close();
        } catch (IOException e) {
            // it is gone in any case
        }
        socket = null;
        from = to = 0;
    }

    private void send(byte[] request) throws IOException {
        if (socket == null) connect();
        socket.getOutputStream().write(request);
    }

    private void more() throws IOException {
        if (from > 0) {
            System.arraycopy(data, from, data, 0, to - from);
            to -= from;
            from = 0;
        }
        if (to == data.length) data = Arrays.copyOf(data, 2 * to);
        int n = input.read(data, to, data.length - to);
        if (n < 0) throw new IOException("it was closed");
        to += n;
    }

    private int endOfHead() {
        for (int i = from; i + 3 < to; i++)
            if (data[i] == '\r' && data[i + 1] == '\n' && data[i + 2] == '\r' && data[i + 3] == '\n') return i;
        return -1;
    }

    /** One answer: its status. */
    private int read(Event into) throws IOException {
        while (true) {
            int end;
            while ((end = endOfHead()) < 0) more();
            String head = new String(data, from, end - from, StandardCharsets.UTF_8);
            int status = status(head);
            long length = headers(head, into);
            if (status < 0 || length < 0) throw die("the Runtime API sent no answer of a known kind");
            from = end + 4;
            byte[] body = body((int) length);
            if (status < 200) continue; // the answer is still to come
            answered = true;
            if (into != null) into.body = body; // the function may keep it
            return status;
        }
    }

    private byte[] body(int length) throws IOException {
        byte[] body = new byte[length];
        int have = Math.min(length, to - from);
        System.arraycopy(data, from, body, 0, have);
        from += have;
        while (have < length) {
            int n = input.read(body, have, length - have);
            if (n < 0) throw new IOException("it was closed");
            have += n;
        }
        return body;
    }

    private static int status(String head) {
        boolean known = head.length() >= 12 && (head.startsWith("HTTP/1.1 ") || head.startsWith("HTTP/1.0 "));
        return known ? (int) number(head.substring(9, 12), 999) : -1;
    }

    /** How long the body is; -1 if that cannot be known. */
    static long headers(String head, Event into) {
        long length = 0;
        for (int at = head.indexOf("\r\n"); at >= 0;) {
            int end = head.indexOf("\r\n", at + 2);
            String line = head.substring(at + 2, end < 0 ? head.length() : end);
            at = end;
            int colon = line.indexOf(':');
            if (colon < 0) continue;
            String name = line.substring(0, colon).toLowerCase(java.util.Locale.ROOT);
            String value = line.substring(colon + 1).trim();
            if (name.equals("transfer-encoding")) return -1;
            if (name.equals("content-length")) length = number(value, LENGTH_MAX);
            else if (into != null) into.take(name, value);
        }
        return length;
    }

    /** -1 if it is none, or above `max`. */
    static long number(String text, long max) {
        if (text.isEmpty() || text.length() > 18) return -1;
        long value = 0;
        for (int i = 0; i < text.length(); i++) {
            int digit = text.charAt(i) - '0';
            if (digit < 0 || digit > 9) return -1;
            value = value * 10 + digit;
        }
        return value <= max ? value : -1;
    }
}
