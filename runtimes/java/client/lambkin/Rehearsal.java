package lambkin;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What happens before there is a function, so that it need not happen afterwards: the classes of a first invocation are loaded, and
 * its paths have been gone, by functions of our own. Nothing here looks at a variable. The build also runs it, to find out which
 * classes belong into the archive of shared ones.
 */
final class Rehearsal {
    private static final String HEAD = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 1\r\nContent-Length: ";
    private static final String EVENT = "{\"name\":\"x\",\"numbers\":[1,2.5,null],\"deep\":{\"yes\":true}}";

    private Rehearsal() {
    }

    static void run() throws Exception {
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        String own = System.getProperty("java.class.path");
        try (Package classes = new Package(new File("/nowhere"), new File("/nowhere"));
             URLClassLoader jar = new URLClassLoader(new URL[] {new File(own).toURI().toURL()}, null)) {
            Thread.currentThread().setContextClassLoader(classes);
            jar.loadClass(Item.class.getName()).getDeclaredConstructor().newInstance(); // as classes of a function are read
            openFirst();
            converse(Loader.load(Plain.class.getName(), classes));
            for (String name : new String[] {"::item", "::bytes", "::fail", "::nowhere"}) call(Loader.load(Sample.class.getName() + name, classes));
            call(Loader.load("nowhere.Nothing", classes));
        } finally {
            Thread.currentThread().setContextClassLoader(before);
        }
        System.gc();
    }

    /** With its first connection Java opens a descriptor that stays: it gets the number that it has in an ordinary start. */
    private static void openFirst() {
        RuntimeApi api = new RuntimeApi("127.0.0.1:1");
        try {
            api.connect();
        } catch (IOException e) {
            // nobody listens there
        }
        api.close();
    }

    /** An invocation and the poll for the next, by a platform of our own. */
    private static void converse(Handler handler) throws Exception {
        try (ServerSocket platform = new ServerSocket(0, 1, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}))) {
            RuntimeApi api = new RuntimeApi("127.0.0.1:" + platform.getLocalPort());
            api.connect();
            try (Socket side = platform.accept()) {
                String event = HEAD + EVENT.length() + "\r\n\r\n" + EVENT;
                side.getOutputStream().write((event + HEAD + "0\r\n\r\n" + event).getBytes(StandardCharsets.UTF_8));
                byte[] result = call(handler, api.next(null));
                api.next(api.response("1", result, result.length));
            }
            api.close();
        } catch (IOException e) {
            // without a network of its own it goes without this
        }
    }

    private static byte[] call(Handler handler, Event event) {
        ByteArrayOutputStream result = new ByteArrayOutputStream();
        try {
            handler.call(event.body, result, new InvocationContext(event));
            return result.toByteArray();
        } catch (Fault fault) {
            return fault.document();
        } catch (Throwable e) {
            Fault.of(e, false).forLog();
            return Fault.document(e);
        }
    }

    private static void call(Handler handler) {
        Event event = new Event();
        event.body = EVENT.getBytes(StandardCharsets.UTF_8);
        event.clientContext = event.identity = "{\"custom\":{\"a\":\"b\"}}";
        call(handler, event);
    }

    public static final class Plain implements RequestHandler<Map<String, Object>, Object> {
        @Override
        public Object handleRequest(Map<String, Object> event, Context context) {
            return event;
        }
    }

    public static final class Item {
        private String name;
        public List<Double> numbers = new ArrayList<>();

        public String getName() {
            return name;
        }

        public void setName(String name) {
            this.name = name;
        }
    }

    public static final class Sample {
        public Item item(Item item, Context context) {
            return item;
        }

        public void bytes(InputStream input, OutputStream output) throws IOException {
            output.write(input.read());
        }

        public String fail(Object event) {
            throw new IllegalStateException(String.valueOf(event));
        }
    }
}
