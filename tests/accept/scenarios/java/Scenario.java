package scenario;

import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What scenarios.test.js asks of every language. */
public class Scenario implements RequestHandler<Map<String, Object>, Object> {
    public static class Custom extends RuntimeException {
        private static final long serialVersionUID = 1;

        Custom(String message) {
            super(message);
        }
    }

    public static class Circle {
        public Object getItself() {
            return this;
        }
    }

    public Object handleRequest(Map<String, Object> event, Context context) {
        try {
            return act((String) event.get("do"), event.get("value"), context);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private Object act(String what, Object value, Context context) throws Exception {
        switch (what) {
        case "echo":
            return value;
        case "context":
            return tell(context);
        case "environment":
            return environment((List<?>) value);
        case "remaining":
            return remaining(((Number) value).doubleValue(), context);
        case "trace":
            return System.getProperty("com.amazonaws.xray.traceHeader");
        case "heap":
            return Runtime.getRuntime().maxMemory() >> 20;
        case "log":
            context.getLogger().log((String) value);
            return null;
        case "levels":
            levels((String) value, context.getLogger());
            return null;
        case "layer":
            return layered.Layered.word();
        case "error":
            throw error((String) value);
        case "custom":
            throw new Custom((String) value);
        case "marshal":
            return new Circle();
        case "sleep":
            Thread.sleep(1000L * (Integer) value);
            return null;
        case "exit":
            System.exit((Integer) value);
            return null;
        case "memory":
            return exhaust();
        case "big":
            char[] text = new char[(Integer) value];
            Arrays.fill(text, 'x');
            return new String(text);
        case "binary":
            return hex(MessageDigest.getInstance("SHA-256").digest(Base64.getDecoder().decode((String) value)));
        default:
            System.out.println(value);
            return null;
        }
    }

    private static RuntimeException error(String message) {
        return new IllegalArgumentException(message);
    }

    /** An empty Optional is null in JSON; what is null is left out. */
    private static Object environment(List<?> names) {
        Map<String, Object> found = new LinkedHashMap<>();
        for (Object name : names) found.put((String) name, Optional.ofNullable(System.getenv((String) name)));
        return found;
    }

    private static Object remaining(double seconds, Context context) throws InterruptedException {
        int earlier = context.getRemainingTimeInMillis();
        Thread.sleep((long) (seconds * 1000));
        return new int[] {earlier, context.getRemainingTimeInMillis()};
    }

    private static void levels(String message, LambdaLogger logger) {
        for (LogLevel level : new LogLevel[] {LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARN, LogLevel.ERROR})
            logger.log(message + " " + level.name().toLowerCase(), level);
    }

    private static Object exhaust() {
        List<Object> kept = new ArrayList<>();
        while (true) kept.add(new byte[10000000]);
    }

    private static String hex(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        for (byte one : bytes) out.append(Character.forDigit(one >> 4 & 15, 16)).append(Character.forDigit(one & 15, 16));
        return out.toString();
    }

    private static Object tell(Context context) {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("id", context.getAwsRequestId());
        told.put("name", context.getFunctionName());
        told.put("version", context.getFunctionVersion());
        told.put("arn", context.getInvokedFunctionArn());
        told.put("memory", context.getMemoryLimitInMB());
        told.put("group", context.getLogGroupName());
        told.put("stream", context.getLogStreamName());
        told.put("remaining", context.getRemainingTimeInMillis());
        told.put("client", Optional.ofNullable(context.getClientContext()).map(ClientContext::getCustom));
        told.put("identity", Optional.of(context.getIdentity().getIdentityId()).filter(id -> !id.isEmpty()));
        return told;
    }
}
