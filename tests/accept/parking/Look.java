package look;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** What parking.test.js compares. */
public class Look {
    private static final double SEED = Math.random();

    public Map<String, Object> look() throws Exception {
        Map<String, Object> seen = new TreeMap<>();
        seen.put("seed", SEED);
        seen.put("env", new TreeMap<>(System.getenv()));
        seen.put("environ", lines("environ", "\0", "").stream().filter(s -> !s.isEmpty()).sorted().collect(Collectors.toList()));
        seen.put("child", child());
        seen.put("cmdline", lines("cmdline", "\0", ""));
        seen.put("archives", lines("maps", "\n", ".* /var/runtime/archives/.*").isEmpty() ? 0 : 1);
        seen.put("limits", lines("limits", "\n", ""));
        seen.put("status", lines("status", "\n", "(Sig|Shd|Cap|Uid|Gid|Groups|Umask|Seccomp|NoNewPrivs).*"));
        seen.put("mounts", lines("mountinfo", "\n", "").stream().map(Look::mount).sorted().collect(Collectors.toList()));
        seen.put("cwd", Files.readSymbolicLink(Paths.get("/proc/self/cwd")).toString());
        seen.put("here", new File("lib/look.jar").exists());
        seen.put("properties", new TreeMap<>(System.getProperties()));
        seen.put("threads", Thread.getAllStackTraces().keySet().stream().map(Thread::getName).sorted().collect(Collectors.toList()));
        seen.put("stack", new Throwable().getStackTrace().length);
        seen.put("fds", descriptors());
        seen.put("tmp", new File("/tmp").list());
        seen.put("heap", Runtime.getRuntime().maxMemory());
        return seen;
    }

    private static String mount(String line) {
        String[] words = line.split(" ");
        return words.length < 6 ? "" : words[4] + " " + words[5];
    }

    private static List<String> lines(String file, String separator, String wanted) throws Exception {
        String text = new String(Files.readAllBytes(Paths.get("/proc/self/" + file)), StandardCharsets.UTF_8);
        List<String> found = new ArrayList<>();
        for (String line : text.split(separator)) {
            if (wanted.isEmpty() || line.matches(wanted)) found.add(line);
        }
        return found;
    }

    /** What another program gets of the variables. */
    private static String child() throws Exception {
        Process process = new ProcessBuilder("/bin/sh", "-c", "echo $COLOUR $_LAMBKIN_PARKED_FD").start();
        byte[] bytes = new byte[100];
        int n = process.getInputStream().read(bytes);
        return new String(bytes, 0, n, StandardCharsets.UTF_8);
    }

    private static Map<String, String> descriptors() throws Exception {
        Map<String, String> found = new TreeMap<>();
        for (File file : new File("/proc/self/fd").listFiles()) {
            Path path = file.toPath();
            if (Files.isSymbolicLink(path)) found.put(file.getName(), Files.readSymbolicLink(path).toString().replaceAll(":.*", ""));
        }
        return found;
    }
}
