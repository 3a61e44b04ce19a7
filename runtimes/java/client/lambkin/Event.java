package lambkin;

/** One event as the platform gives it. */
final class Event {
    String id = "";
    String arn;
    String traceId;
    String clientContext;
    String identity;
    String tenantId;
    long deadline;
    byte[] body = {};

    void take(String name, String value) {
        switch (name) {
        case "lambda-runtime-aws-request-id":
            id = value;
            break;
        case "lambda-runtime-deadline-ms":
            deadline = RuntimeApi.number(value, Long.MAX_VALUE);
            break;
        case "lambda-runtime-invoked-function-arn":
            arn = value;
            break;
        case "lambda-runtime-trace-id":
            traceId = value;
            break;
        case "lambda-runtime-client-context":
            clientContext = value;
            break;
        case "lambda-runtime-cognito-identity":
            identity = value;
            break;
        case "lambda-runtime-aws-tenant-id":
            tenantId = value;
            break;
        default:
            break;
        }
    }
}
