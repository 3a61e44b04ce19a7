package lambkin;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOError;

/**
 * Runtime client of the managed runtimes java*: loads the handler, then for ever takes an event, calls the handler and sends the
 * result, which leaves in one write with the request for the next event.
 */
public final class Main {
    private static final String TRACE = "com.amazonaws.xray.traceHeader"; // where AWS's X-Ray SDK looks for it
    private static final String OLD_TRACE = "_X_AMZN_TRACE_ID"; // ... and where it did with java8.al2 and java11
    private static final int INIT_FAILED = 1;

    private final RuntimeApi api = new RuntimeApi(variable("AWS_LAMBDA_RUNTIME_API"));
    private final Handler handler;
    private final Result result = new Result();

    /** Gives its bytes without a copy. */
    private static final class Result extends ByteArrayOutputStream {
        byte[] array() {
            return buf;
        }
    }

    private Main(ClassLoader classes) {
        handler = load(variable("_HANDLER"), classes);
    }

    /** With an argument it only rehearses: the build archives the classes that this takes. */
    public static void main(String[] args) throws Exception {
        if (args.length == 0) Parked.waitForFunction();
        Log.open();
        if (args.length > 0) {
            Rehearsal.run();
            return;
        }
        Package classes = new Package(new File(variable("LAMBDA_TASK_ROOT")), new File("/opt/java"));
        Thread.currentThread().setContextClassLoader(classes);
        new Main(classes).run();
        System.exit(1);
    }

    private static String variable(String name) {
        String value = System.getenv(name);
        return value == null ? "" : value;
    }

    private Handler load(String name, ClassLoader classes) {
        try {
            return Loader.load(name, classes);
        } catch (Fault fault) {
            Log.current.failure(fault.forLog());
            api.initError("Runtime.BadFunctionCode", fault.document());
            System.exit(INIT_FAILED);
            throw fault;
        }
    }

    /** Until something has happened after which nobody knows what still works. */
    private void run() throws ReflectiveOperationException {
        String runtime = variable("AWS_EXECUTION_ENV");
        Environment old = runtime.endsWith("_java8.al2") || runtime.endsWith("_java11") ? new Environment() : null;
        for (byte[] answer = null; ;) {
            Event event = api.next(answer);
            Log.current.begin(event);
            if (event.traceId == null) System.clearProperty(TRACE);
            else System.setProperty(TRACE, event.traceId);
            if (old != null) old.set(OLD_TRACE, event.traceId);
            result.reset();
            try {
                handler.call(event.body, result, new InvocationContext(event));
                Thread.interrupted(); // the function may have set it
                answer = api.response(event.id, result.array(), result.size());
            } catch (Fault fault) {
                answer = fail(event, fault, "Runtime.BadFunctionCode", fault.document(), fault.fatal);
            } catch (Throwable e) {
                Fault fault = Fault.of(e, e instanceof VirtualMachineError || e instanceof IOError);
                answer = fail(event, fault, "Runtime.UserException", Fault.document(e), fault.fatal);
            }
            if (answer == null) return;
        }
    }

    /** null: it was told, and the process ends. */
    private byte[] fail(Event event, Fault fault, String type, byte[] document, boolean fatal) {
        Log.current.failure(fault.forLog());
        byte[] error = api.error(event.id, type, document, !fatal);
        if (!fatal) return error;
        api.lastly(error);
        return null;
    }
}
