package lambkin;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.LambdaRuntimeInternal;
import com.amazonaws.services.lambda.runtime.logging.LogFormat;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** The function's logger: a frame of the log pipe for each call, or standard output if there is no pipe (spec/dataplane.md 3.6). */
final class Log implements LambdaLogger {
    private static final int HEADER = 16;

    static Log current;

    private final boolean json;
    private final LogLevel least;
    private final OutputStream pipe; // null: there is none
    private volatile Event event;

    private Log(boolean json, LogLevel least, OutputStream pipe) {
        this.json = json;
        this.least = least;
        this.pipe = pipe;
    }

    static void open() {
        current = new Log(LogFormat.fromString(System.getenv("AWS_LAMBDA_LOG_FORMAT")) == LogFormat.JSON,
            LogLevel.fromString(System.getenv("AWS_LAMBDA_LOG_LEVEL")), openPipe(System.getenv("_LAMBDA_TELEMETRY_LOG_FD")));
        LambdaRuntimeInternal.setLogger(current);
        System.setOut(stream(FileDescriptor.out));
        System.setErr(stream(FileDescriptor.err));
    }

    private static OutputStream openPipe(String number) {
        long fd = number == null ? -1 : RuntimeApi.number(number, Integer.MAX_VALUE);
        try {
            return fd < 0 ? null : new FileOutputStream(Descriptor.of((int) fd));
        } catch (ReflectiveOperationException | RuntimeException e) {
            return null;
        }
    }

    /** What is printed is written at once, in UTF-8 whatever the locale is. */
    private static PrintStream stream(FileDescriptor fd) {
        try {
            return new PrintStream(new FileOutputStream(fd), true, "UTF-8");
        } catch (java.io.UnsupportedEncodingException e) {
            throw new AssertionError(e);
        }
    }

    static void raw(String text) {
        System.err.print(text);
        System.err.flush();
    }

    void begin(Event of) {
        event = of;
    }

    boolean isJson() {
        return json;
    }

    /** An error is of a level in JSON alone, as AWS's client does it. */
    void failure(String text) {
        log(text, json ? LogLevel.ERROR : LogLevel.UNDEFINED);
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(String message, LogLevel level) {
        if (!isEnabled(level)) return;
        String text = json ? jsonLine(message, level) : level == LogLevel.UNDEFINED ? message : "[" + level + "] " + message;
        emit(String.valueOf(text).getBytes(StandardCharsets.UTF_8), level);
    }

    @Override
    public void log(byte[] message, LogLevel level) {
        if (isEnabled(level)) emit(message == null ? new byte[] {'n', 'u', 'l', 'l'} : message, level);
    }

    private boolean isEnabled(LogLevel level) {
        return level == LogLevel.UNDEFINED || level.ordinal() >= least.ordinal();
    }

    private String jsonLine(String message, LogLevel level) {
        JsonWriter out = new JsonWriter();
        out.open('{').member("timestamp").string(Times.stamp(System.currentTimeMillis()));
        if (message != null) out.member("message").string(message);
        out.member("level").string(level.name());
        Event of = event;
        if (of != null) out.member("AWSRequestId").string(of.id);
        if (of != null && of.tenantId != null) out.member("tenantId").string(of.tenantId);
        return out.close('}') + "\n";
    }

    private synchronized void emit(byte[] text, LogLevel level) {
        try {
            if (pipe == null) {
                System.out.write(text, 0, text.length);
                System.out.flush();
            } else {
                pipe.write(frame(text, level));
            }
        } catch (IOException e) {
            // nobody reads any more
        }
    }

    private byte[] frame(byte[] text, LogLevel level) {
        byte[] frame = new byte[HEADER + text.length];
        long now = System.currentTimeMillis() * 1000;
        put(frame, 0, 0xa55a0002L + (level.ordinal() << 2) + (json ? 0 : 1), 4);
        put(frame, 4, text.length, 4);
        put(frame, 8, now, 8);
        System.arraycopy(text, 0, frame, HEADER, text.length);
        return frame;
    }

    private static void put(byte[] to, int at, long value, int size) {
        for (int i = 0; i < size; i++) to[at + i] = (byte) (value >>> 8 * (size - 1 - i));
    }
}
