package tests;

import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

/** The functions of java_test.py. */
public class Handlers {
    public enum Colour { RED, GREEN }

    public static class Box<T> {
        private T value;
        private List<T> more;

        public T getValue() {
            return value;
        }

        public void setValue(T value) {
            this.value = value;
        }

        public List<T> getMore() {
            return more;
        }

        public void setMore(List<T> more) {
            this.more = more;
        }
    }

    public static class NumberBox extends Box<Long> {
    }

    public static class All {
        public String text;
        public int number;
        public long big;
        public Integer boxed;
        public boolean flag;
        public double real;
        public char letter;
        public Colour colour;
        public BigDecimal exact;
        public BigInteger huge;
        public byte[] bytes;
        public int[] numbers;
        public List<String> words;
        public Set<Colour> colours;
        public Map<Colour, List<Integer>> table;
        public Box<Date> box;
        public NumberBox numberBox;
        public Object any;
        public Optional<String> maybe;
        public UUID id;
        public Date date;
        public Instant instant;
        public LocalDate day;
        public LocalDateTime moment;
        public Duration duration;
        public transient String passing = "transient";
        private String hidden = "hidden";
        private String readOnly = "read-only";
        private String url = "";
        private boolean isWritten;

        public String getReadOnly() {
            return readOnly;
        }

        public String getURL() {
            return url;
        }

        private void setURL(String url) {
            this.url = url + (hidden == null ? "!" : "");
        }

        public boolean isWritten() {
            return isWritten;
        }

        public void setWritten(boolean written) {
            isWritten = written;
        }
    }

    public static All all(All input) {
        return input;
    }

    public static Map<String, Object> map(Map<String, Object> input) {
        return input;
    }

    public static String text(String input) {
        return input;
    }

    public static List<Box<Integer>> list(List<Box<Integer>> input) {
        return input;
    }

    public static void nothing() {
    }

    public static Void none(Void input) {
        return null;
    }

    // ---- overloads ----

    public String choose(String input) {
        return "one";
    }

    public String choose(String input, Context context) {
        return "two " + (context != null);
    }

    public String choose(String input, String other, Context context) {
        return "three";
    }

    public String context(Context context) {
        return context.getAwsRequestId();
    }

    public String unfit(Context context, String input) {
        return input;
    }

    // ---- streams ----

    public static class Streams implements RequestStreamHandler {
        public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
            for (int c; (c = input.read()) >= 0;) output.write(Character.toUpperCase(c));
        }
    }

    public void copy(InputStream input, OutputStream output) throws IOException {
        for (int c; (c = input.read()) >= 0;) output.write(c);
    }

    public int swallow(InputStream input) {
        return 1;
    }

    // ---- interfaces ----

    public abstract static class Base<O, I> implements RequestHandler<I, O> {
    }

    public static class Derived extends Base<String, Box<Integer>> {
        public String handleRequest(Box<Integer> input, Context context) {
            return input.getValue() + " " + input.getMore().get(0).getClass().getName();
        }
    }

    @SuppressWarnings("rawtypes")
    public static class Raw implements RequestHandler {
        public Object handleRequest(Object input, Context context) {
            return input;
        }
    }

    public static class Plain {
    }

    public class Inner {
        public String get() {
            return "inner";
        }
    }

    public static class Closed {
        private Closed() {
        }

        public String get() {
            return "closed";
        }
    }

    public static class Unlucky {
        public Unlucky() {
            throw new IllegalStateException("böse");
        }

        public void get() {
        }
    }

    public static class Static {
        static final int NUMBER = Integer.parseInt("none");

        public static void get() {
        }
    }

    // ---- errors ----

    public String fail(String how) throws Exception {
        switch (how) {
        case "plain":
            throw new IllegalArgumentException("böse");
        case "silent":
            throw new IOException();
        case "cause":
            throw new RuntimeException("outer", new IOException("inner"));
        case "stack":
            return fail(how) + how;
        case "exit":
            System.exit(3);
            return null;
        case "thread":
            Thread thread = new Thread(() -> {
                throw new IllegalStateException("aside");
            });
            thread.start();
            thread.join();
            return "fine";
        case "interrupt":
            Thread.currentThread().interrupt();
            return "interrupted";
        case "interrupted":
            return String.valueOf(Thread.currentThread().isInterrupted());
        default:
            return how;
        }
    }

    public Object circle() {
        return new Object() {
            public Object getItself() {
                return Arrays.asList(this);
            }
        };
    }

    // ---- context and logs ----

    public Map<String, Object> tell(Context c) {
        Map<String, Object> told = new LinkedHashMap<>();
        ClientContext client = c.getClientContext();
        told.put("id", c.getAwsRequestId());
        told.put("group", c.getLogGroupName());
        told.put("stream", c.getLogStreamName());
        told.put("name", c.getFunctionName());
        told.put("version", c.getFunctionVersion());
        told.put("arn", c.getInvokedFunctionArn());
        told.put("memory", c.getMemoryLimitInMB());
        told.put("identity", Arrays.asList(c.getIdentity().getIdentityId(), c.getIdentity().getIdentityPoolId()));
        told.put("tenant", c.getTenantId());
        told.put("trace", Arrays.asList(c.getXrayTraceId(), System.getProperty("com.amazonaws.xray.traceHeader"), System.getenv("_X_AMZN_TRACE_ID")));
        told.put("remaining", c.getRemainingTimeInMillis());
        if (client == null) return told;
        told.put("custom", client.getCustom());
        told.put("environment", client.getEnvironment());
        told.put("client", client.getClient());
        return told;
    }

    public void log(List<String> what, Context context) {
        for (String message : what) context.getLogger().log(message);
        LambdaRuntime.getLogger().log("bytes".getBytes(StandardCharsets.UTF_8));
        for (LogLevel level : LogLevel.values()) context.getLogger().log("at " + level, level);
    }

    public void print(String text) {
        System.out.println(text);
        System.out.print("no end");
        System.err.println("err " + text);
    }

    public Object look(List<String> names) {
        Map<String, Object> seen = new LinkedHashMap<>();
        for (String name : names) seen.put(name, System.getenv(name));
        seen.put("loader", Thread.currentThread().getContextClassLoader() == Handlers.class.getClassLoader());
        seen.put("core", Context.class.getClassLoader() == ClassLoader.getSystemClassLoader());
        return seen;
    }
}
