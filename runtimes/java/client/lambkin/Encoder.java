package lambkin;

import java.io.File;
import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Currency;
import java.util.Iterator;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.concurrent.atomic.AtomicBoolean;

/** Writes values as JSON, by what they are rather than by what they are declared as. Members that are null are left out. */
final class Encoder {
    private static final int DEPTH_MAX = 1000; // as deep as nobody means it: an object that contains itself

    private final JsonWriter out = new JsonWriter();
    private int depth;

    static byte[] document(Object value) throws Throwable {
        Encoder encoder = new Encoder();
        encoder.write(value);
        return encoder.out.bytes();
    }

    private void write(Object value) throws Throwable {
        if (!scalar(value)) nested(value);
    }

    private boolean scalar(Object value) {
        if (value == null) out.plain("null");
        else if (value instanceof CharSequence || value instanceof Character) out.string(value.toString());
        else if (value instanceof Boolean || value instanceof AtomicBoolean) out.plain(value.toString());
        else if (value instanceof Number) number((Number) value);
        else if (value instanceof Enum) out.string(((Enum<?>) value).name());
        else if (value instanceof byte[]) out.string(Base64.getEncoder().encodeToString((byte[]) value));
        else if (value instanceof char[]) out.string(new String((char[]) value));
        else return named(value);
        return true;
    }

    private boolean named(Object value) {
        if (Times.isTime(value.getClass())) Times.write(value, out);
        else if (value instanceof ByteBuffer) out.string(base64(((ByteBuffer) value).duplicate()));
        else if (value instanceof Class) out.string(((Class<?>) value).getName());
        else if (value instanceof File) out.string(((File) value).getAbsolutePath());
        else if (value instanceof Path) out.string(((Path) value).toUri().toString());
        else if (value instanceof TimeZone) out.string(((TimeZone) value).getID());
        else if (value instanceof java.util.UUID || value instanceof java.net.URI || value instanceof java.net.URL
            || value instanceof Locale || value instanceof Currency || value instanceof java.util.regex.Pattern) out.string(value.toString());
        else return false;
        return true;
    }

    private static String base64(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return Base64.getEncoder().encodeToString(bytes);
    }

    private void number(Number value) {
        boolean real = value instanceof Double || value instanceof Float;
        if (real && (Double.isNaN(value.doubleValue()) || Double.isInfinite(value.doubleValue()))) out.string(value.toString());
        else out.plain(value.toString());
    }

    private void nested(Object value) throws Throwable {
        if (++depth > DEPTH_MAX) throw new IllegalStateException("Document nesting depth exceeds the maximum allowed (" + DEPTH_MAX + ")");
        if (value instanceof Map) map((Map<?, ?>) value);
        else if (value instanceof Iterable && !(value instanceof Path)) elements(((Iterable<?>) value).iterator());
        else if (value instanceof Iterator) elements((Iterator<?>) value);
        else if (value.getClass().isArray()) array(value);
        else if (Wrappers.isWrapper(value.getClass())) write(Wrappers.held(value));
        else bean(value);
        depth--;
    }

    private void map(Map<?, ?> map) throws Throwable {
        out.open('{');
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            if (entry.getValue() == null) continue;
            if (entry.getKey() == null) throw new IllegalArgumentException("Null key for a Map not allowed in JSON");
            out.member(entry.getKey() instanceof Enum ? ((Enum<?>) entry.getKey()).name() : entry.getKey().toString());
            write(entry.getValue());
        }
        out.close('}');
    }

    private void elements(Iterator<?> elements) throws Throwable {
        out.open('[');
        while (elements.hasNext()) write(elements.next());
        out.close(']');
    }

    private void array(Object array) throws Throwable {
        out.open('[');
        for (int i = 0; i < Array.getLength(array); i++) write(Array.get(array, i));
        out.close(']');
    }

    private void bean(Object value) throws Throwable {
        Bean bean = Bean.of(value.getClass());
        out.open('{');
        for (Bean.Property property : bean.properties.values()) {
            if (!property.isReadable()) continue;
            Object member = property.get(value);
            if (member == null) continue;
            if (member == value) throw new IllegalStateException("Direct self-reference leading to cycle");
            out.member(property.name);
            write(member);
        }
        out.close('}');
    }
}
