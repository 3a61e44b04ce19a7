package lambkin;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.HashSet;
import java.util.Set;

/** Why a function cannot be loaded, or what an invocation threw: what the log and the error document say. */
final class Fault extends RuntimeException {
    private static final long serialVersionUID = 1;
    private static final String OWN = "lambkin.";

    final String type; // null: nothing was thrown
    final String trace;
    final boolean fatal; // the process ends

    Fault(String message) {
        this(message, null, null, false);
    }

    private Fault(String message, String type, String trace, boolean fatal) {
        super(message, null, false, false);
        this.type = type;
        this.trace = trace;
        this.fatal = fatal;
    }

    static Fault of(Throwable thrown, boolean fatal) {
        return new Fault(messageOf(thrown), thrown.getClass().getName(), trace(thrown), fatal);
    }

    static Fault of(String message, Throwable thrown, boolean fatal) {
        return new Fault(message, thrown.getClass().getName(), trace(thrown), fatal);
    }

    static String messageOf(Throwable thrown) {
        String message = thrown.getLocalizedMessage();
        return message == null ? thrown.getClass().getName() : message;
    }

    /** Without the client's frames. */
    static String trace(Throwable thrown) {
        cut(thrown, new HashSet<Throwable>());
        StringWriter text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text, true));
        return text.toString();
    }

    private static void cut(Throwable thrown, Set<Throwable> seen) {
        if (thrown == null || !seen.add(thrown)) return;
        StackTraceElement[] frames = thrown.getStackTrace();
        for (int i = 0; i < frames.length; i++) {
            if (!frames[i].getClassName().startsWith(OWN)) continue;
            thrown.setStackTrace(java.util.Arrays.copyOf(frames, i));
            break;
        }
        cut(thrown.getCause(), seen);
        for (Throwable suppressed : thrown.getSuppressed()) cut(suppressed, seen);
    }

    String forLog() {
        return type == null ? getMessage() + "\n" : getMessage() + ": " + type + "\n" + trace + "\n";
    }

    /** The error document of a loader's fault. */
    byte[] document() {
        JsonWriter out = new JsonWriter();
        out.open('{').member("errorMessage").string(String.valueOf(getMessage()));
        if (type != null) out.member("errorType").string(type);
        return out.close('}').bytes();
    }

    /** The error document of what a handler threw; its frames were cut before. */
    static byte[] document(Throwable thrown) {
        JsonWriter out = new JsonWriter();
        out.open('{').member("errorMessage").string(messageOf(thrown));
        out.member("errorType").string(thrown.getClass().getName());
        out.member("stackTrace").open('[');
        for (StackTraceElement frame : thrown.getStackTrace()) out.string(frame.toString());
        return out.close(']').close('}').bytes();
    }
}
