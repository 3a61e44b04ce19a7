package lambkin;

import java.io.File;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.URI;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Base64;
import java.util.Currency;
import java.util.Locale;
import java.util.TimeZone;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** Types of one value. Strings stand for numbers and truth values, numbers and truth values for strings. */
abstract class Scalars extends Decoder {
    /** Given the text of a string, a number or a truth value. */
    abstract Object parse(String text) throws Exception;

    /** null: it is no scalar */
    static Decoder of(Class<?> raw) {
        if (raw == String.class || raw == CharSequence.class) return new Strings();
        if (raw == boolean.class || raw == Boolean.class || raw == AtomicBoolean.class) return new Booleans(raw);
        if (raw == char.class || raw == Character.class) return new Characters(raw);
        if (raw.isPrimitive() || Number.class.isAssignableFrom(raw)) return raw == void.class ? new Nothing() : new Numbers(raw);
        if (raw == Void.class) return new Nothing();
        return Named.isOne(raw) ? new Named(raw) : null;
    }

    @Override
    Object read(JsonReader in) throws Throwable {
        if (in.isString()) return parse(in.string());
        char c = in.peek();
        if (c == 't' || c == 'f') return parse(String.valueOf(in.bool()));
        if (!in.isNumber()) throw in.fail("Cannot deserialize a value from what begins with '" + c + "'");
        return parse(in.number());
    }

    private static final class Nothing extends Decoder {
        @Override
        boolean unwraps() {
            return false;
        }

        @Override
        Object read(JsonReader in) {
            in.skip();
            return null;
        }
    }

    private static final class Strings extends Scalars {
        @Override
        Object parse(String text) {
            return text;
        }
    }

    private static final class Booleans extends Scalars {
        private final Class<?> raw;

        Booleans(Class<?> raw) {
            this.raw = raw;
        }

        @Override
        Object none() {
            return raw == boolean.class ? Boolean.FALSE : null;
        }

        @Override
        Object parse(String text) {
            String word = text.trim();
            if (word.isEmpty()) return none();
            boolean value = word.equalsIgnoreCase("true") || !word.equalsIgnoreCase("false") && Long.parseLong(word) != 0;
            return raw == AtomicBoolean.class ? (Object) new AtomicBoolean(value) : (Object) value;
        }
    }

    private static final class Characters extends Scalars {
        private final Class<?> raw;

        Characters(Class<?> raw) {
            this.raw = raw;
        }

        @Override
        Object none() {
            return raw == char.class ? Character.valueOf('\0') : null;
        }

        @Override
        Object parse(String text) {
            if (text.isEmpty()) return none();
            if (text.length() != 1) throw new IllegalArgumentException("\"" + text + "\" is not one character");
            return text.charAt(0);
        }
    }

    private static final class Numbers extends Scalars {
        private final Class<?> raw;

        Numbers(Class<?> raw) {
            this.raw = raw;
        }

        @Override
        Object none() {
            if (raw == int.class) return 0;
            if (raw == long.class) return 0L;
            if (raw == double.class) return 0.0;
            if (raw == float.class) return 0.0f;
            if (raw == short.class) return (short) 0;
            return raw == byte.class ? (Object) (byte) 0 : null;
        }

        @Override
        Object parse(String text) {
            String number = text.trim();
            if (number.isEmpty()) return none();
            if (raw == double.class || raw == Double.class) return JsonReader.toDouble(number);
            if (raw == float.class || raw == Float.class) return (float) JsonReader.toDouble(number);
            if (raw == BigDecimal.class) return new BigDecimal(JsonReader.bounded(number));
            if (raw == BigInteger.class) return JsonReader.decimal(number).toBigInteger();
            if (raw == Number.class) return JsonReader.natural(number);
            return whole(JsonReader.isWhole(number) ? Long.parseLong(number) : longOf(JsonReader.toDouble(number)));
        }

        private static long longOf(double number) {
            if (number >= -0x1p63 && number < 0x1p63) return (long) number;
            throw new NumberFormatException("Numeric value (" + number + ") out of range of long");
        }

        private Object whole(long value) {
            if (raw == long.class || raw == Long.class) return value;
            if (raw == AtomicLong.class) return new AtomicLong(value);
            if (raw == short.class || raw == Short.class) return (short) within(value, Short.MIN_VALUE, Short.MAX_VALUE);
            if (raw == byte.class || raw == Byte.class) return (byte) within(value, Byte.MIN_VALUE, 255); // also without a sign
            int number = (int) within(value, Integer.MIN_VALUE, Integer.MAX_VALUE);
            if (raw == int.class || raw == Integer.class) return number;
            if (raw == AtomicInteger.class) return new AtomicInteger(number);
            throw new IllegalArgumentException("Cannot construct instance of `" + raw.getName() + "`");
        }

        private static long within(long value, long least, long most) {
            if (value >= least && value <= most) return value;
            throw new NumberFormatException("Numeric value (" + value + ") out of range (" + least + " - " + most + ")");
        }
    }

    /** Classes whose values are strings in JSON. */
    private static final class Named extends Scalars {
        private final Class<?> raw;

        Named(Class<?> raw) {
            this.raw = raw;
        }

        static boolean isOne(Class<?> raw) {
            return raw == UUID.class || raw == URI.class || raw == URL.class || raw == File.class || raw == Path.class || raw == Locale.class
                || raw == Currency.class || raw == TimeZone.class || raw == Class.class || raw == StringBuilder.class
                || raw == ByteBuffer.class || raw == java.util.regex.Pattern.class;
        }

        @Override
        Object parse(String text) throws Exception {
            if (raw == StringBuilder.class) return new StringBuilder(text);
            if (raw == ByteBuffer.class) return ByteBuffer.wrap(Base64.getMimeDecoder().decode(text));
            if (text.isEmpty()) return raw == URI.class ? URI.create(text) : null;
            if (raw == UUID.class) return UUID.fromString(text);
            if (raw == URI.class) return URI.create(text);
            if (raw == URL.class) return new URL(text);
            if (raw == File.class) return new File(text);
            if (raw == Path.class) return Paths.get(text);
            if (raw == Locale.class) return Locale.forLanguageTag(text.replace('_', '-'));
            if (raw == Currency.class) return Currency.getInstance(text);
            if (raw == TimeZone.class) return TimeZone.getTimeZone(text);
            if (raw == Class.class) return Class.forName(text, true, Thread.currentThread().getContextClassLoader());
            return java.util.regex.Pattern.compile(text);
        }
    }
}
