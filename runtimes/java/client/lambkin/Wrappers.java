package lambkin;

import java.lang.reflect.Type;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReference;

/** Optional values and references: in JSON what they hold. */
final class Wrappers extends Decoder {
    private final Class<?> raw;
    private final Type held;

    Wrappers(Type type, Class<?> raw) {
        this.raw = raw;
        if (raw == OptionalInt.class) held = Integer.class;
        else if (raw == OptionalLong.class) held = Long.class;
        else if (raw == OptionalDouble.class) held = Double.class;
        else held = Types.argument(type, raw, 0);
    }

    static boolean isWrapper(Class<?> raw) {
        return raw == Optional.class || raw == OptionalInt.class || raw == OptionalLong.class || raw == OptionalDouble.class
            || raw == AtomicReference.class;
    }

    @Override
    boolean unwraps() {
        return false;
    }

    @Override
    Object none() {
        return wrap(null);
    }

    @Override
    Object read(JsonReader in) throws Throwable {
        return wrap(of(held).decode(in));
    }

    private Object wrap(Object value) {
        if (raw == Optional.class) return Optional.ofNullable(value);
        if (raw == OptionalInt.class) return value == null ? OptionalInt.empty() : OptionalInt.of((Integer) value);
        if (raw == OptionalLong.class) return value == null ? OptionalLong.empty() : OptionalLong.of((Long) value);
        if (raw == OptionalDouble.class) return value == null ? OptionalDouble.empty() : OptionalDouble.of((Double) value);
        return new AtomicReference<>(value);
    }

    /** What a wrapper holds; null if it is empty. */
    static Object held(Object wrapper) {
        if (wrapper instanceof Optional) return ((Optional<?>) wrapper).orElse(null);
        if (wrapper instanceof OptionalInt) return ((OptionalInt) wrapper).isPresent() ? ((OptionalInt) wrapper).getAsInt() : null;
        if (wrapper instanceof OptionalLong) return ((OptionalLong) wrapper).isPresent() ? ((OptionalLong) wrapper).getAsLong() : null;
        if (wrapper instanceof OptionalDouble) return ((OptionalDouble) wrapper).isPresent() ? ((OptionalDouble) wrapper).getAsDouble() : null;
        return ((AtomicReference<?>) wrapper).get();
    }
}
