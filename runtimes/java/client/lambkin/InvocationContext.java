package lambkin;

import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import java.util.HashMap;
import java.util.Map;

/** What the handler is told about an event. */
final class InvocationContext implements Context {
    private final Event event;
    private final Identity identity;
    private final Caller client;

    InvocationContext(Event event) {
        this.event = event;
        identity = new Identity(new Texts(event.identity));
        client = event.clientContext == null || event.clientContext.isEmpty() ? null : new Caller(event.clientContext);
    }

    @Override
    public String getAwsRequestId() {
        return event.id;
    }

    @Override
    public String getLogGroupName() {
        return System.getenv("AWS_LAMBDA_LOG_GROUP_NAME");
    }

    @Override
    public String getLogStreamName() {
        return System.getenv("AWS_LAMBDA_LOG_STREAM_NAME");
    }

    @Override
    public String getFunctionName() {
        return System.getenv("AWS_LAMBDA_FUNCTION_NAME");
    }

    @Override
    public String getFunctionVersion() {
        return System.getenv("AWS_LAMBDA_FUNCTION_VERSION");
    }

    @Override
    public String getInvokedFunctionArn() {
        return event.arn;
    }

    @Override
    public CognitoIdentity getIdentity() {
        return identity;
    }

    @Override
    public ClientContext getClientContext() {
        return client;
    }

    @Override
    public int getRemainingTimeInMillis() {
        return (int) Math.max(0, Math.min(Integer.MAX_VALUE, event.deadline - System.currentTimeMillis()));
    }

    @Override
    public int getMemoryLimitInMB() {
        return Integer.parseInt(System.getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"));
    }

    @Override
    public LambdaLogger getLogger() {
        return Log.current;
    }

    @Override
    public String getTenantId() {
        return event.tenantId;
    }

    @Override
    public String getXrayTraceId() {
        return event.traceId;
    }

    /** An object's members as texts: what is no string is its JSON. */
    private static final class Texts {
        private final Map<String, String> texts = new HashMap<>();

        Texts(String object) {
            if (object == null || object.isEmpty()) return;
            JsonReader in = new JsonReader(object);
            if (in.takeNull()) return;
            in.open('{');
            for (boolean first = true; in.more('}', first); first = false) {
                String name = in.name();
                if (!in.takeNull()) texts.put(name, in.isString() ? in.string() : in.raw());
            }
        }

        String get(String name) {
            return texts.get(name);
        }

        /** null: there is none of that name */
        Map<String, String> map(String name) {
            return texts.containsKey(name) ? new Texts(texts.get(name)).texts : null;
        }
    }

    private static final class Identity implements CognitoIdentity {
        private final String id;
        private final String pool;

        Identity(Texts of) {
            id = of.get("cognitoIdentityId");
            pool = of.get("cognitoIdentityPoolId");
        }

        @Override
        public String getIdentityId() {
            return id == null ? "" : id;
        }

        @Override
        public String getIdentityPoolId() {
            return pool == null ? "" : pool;
        }
    }

    private static final class Caller implements ClientContext {
        private final Map<String, String> custom;
        private final Map<String, String> environment;
        private final Client client;

        Caller(String json) {
            Texts all = new Texts(json);
            custom = all.map("custom");
            environment = all.map("env");
            client = all.get("client") == null ? null : new App(new Texts(all.get("client")));
        }

        @Override
        public Client getClient() {
            return client;
        }

        @Override
        public Map<String, String> getCustom() {
            return custom;
        }

        @Override
        public Map<String, String> getEnvironment() {
            return environment;
        }
    }

    private static final class App implements Client {
        private final Texts of;

        App(Texts of) {
            this.of = of;
        }

        @Override
        public String getInstallationId() {
            return of.get("installation_id");
        }

        @Override
        public String getAppTitle() {
            return of.get("app_title");
        }

        @Override
        public String getAppVersionName() {
            return of.get("app_version_name");
        }

        @Override
        public String getAppVersionCode() {
            return of.get("app_version_code");
        }

        @Override
        public String getAppPackageName() {
            return of.get("app_package_name");
        }
    }
}
