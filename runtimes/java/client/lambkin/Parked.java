package lambkin;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Booted ahead of its function, the process waits here for it. Java takes its copy of the variables when somebody asks for the first
 * one: nobody may before await() is back.
 */
final class Parked {
    private static final String VARIABLE = "_LAMBKIN_PARKED_FD=";

    private Parked() {
    }

    static void waitForFunction() throws Exception {
        int fd = descriptor();
        if (fd < 0) return;
        System.load(new File(new File(System.getProperty("java.class.path")).getParentFile(), "parked.so").getAbsolutePath());
        Rehearsal.run();
        if (!await(fd)) Runtime.getRuntime().halt(0);
        if (System.getenv("LAMBDA_TASK_ROOT") != null) return;
        Log.raw("lambkin runtime client: this Java has read its variables too early\n");
        Runtime.getRuntime().halt(1);
    }

    /** False: it is not needed any more. */
    private static native boolean await(int fd);

    /** -1: this is an ordinary start. */
    private static int descriptor() throws IOException {
        byte[] variables = new byte[8192];
        int n = 0;
        try (InputStream in = new FileInputStream("/proc/self/environ")) {
            for (int got; (got = in.read(variables, n, variables.length - n)) > 0;) {
                n += got;
                if (n == variables.length) variables = Arrays.copyOf(variables, 2 * n);
            }
        }
        String text = "\0" + new String(variables, 0, n, StandardCharsets.ISO_8859_1);
        int at = text.indexOf("\0" + VARIABLE);
        if (at < 0) return -1;
        int from = at + 1 + VARIABLE.length();
        return (int) RuntimeApi.number(text.substring(from, text.indexOf('\0', from)), Integer.MAX_VALUE);
    }
}
