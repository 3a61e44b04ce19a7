package lambkin;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import java.io.ByteArrayInputStream;
import java.io.OutputStream;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.ServiceLoader;

/** Reads and writes values of one type: the function's own CustomPojoSerializer if it brings one along, else Decoder and Encoder. */
abstract class Serializer {
    private static CustomPojoSerializer own;
    private static ClassLoader lookedFor;

    abstract Object read(byte[] json) throws Throwable;

    abstract void write(Object value, OutputStream to) throws Throwable;

    static Serializer of(Type type) {
        CustomPojoSerializer custom = find(Thread.currentThread().getContextClassLoader());
        return custom == null ? new Ours(type) : new Theirs(custom, type);
    }

    private static CustomPojoSerializer find(ClassLoader classes) {
        if (lookedFor == classes) return own;
        // A resource is looked for first: a ServiceLoader takes longer to start than to say that there is nothing.
        own = classes.getResource("META-INF/services/" + CustomPojoSerializer.class.getName()) == null ? null : load(classes);
        lookedFor = classes;
        return own;
    }

    private static CustomPojoSerializer load(ClassLoader classes) {
        Iterator<CustomPojoSerializer> found = ServiceLoader.load(CustomPojoSerializer.class, classes).iterator();
        CustomPojoSerializer first = found.hasNext() ? found.next() : null;
        if (found.hasNext())
            throw new IllegalStateException("Too many serializers provided inside the META-INF/services folder, only one is allowed");
        return first;
    }

    private static final class Ours extends Serializer {
        private final Type type;

        Ours(Type type) {
            this.type = type;
        }

        @Override
        Object read(byte[] json) throws Throwable {
            return Decoder.document(new String(json, StandardCharsets.UTF_8), type);
        }

        @Override
        void write(Object value, OutputStream to) throws Throwable {
            to.write(Encoder.document(value));
        }
    }

    private static final class Theirs extends Serializer {
        private final CustomPojoSerializer custom;
        private final Type type;

        Theirs(CustomPojoSerializer custom, Type type) {
            this.custom = custom;
            this.type = type;
        }

        @Override
        Object read(byte[] json) {
            return custom.fromJson(new ByteArrayInputStream(json), type);
        }

        @Override
        void write(Object value, OutputStream to) {
            custom.toJson(value, to, type);
        }
    }
}
