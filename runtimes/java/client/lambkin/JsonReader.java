package lambkin;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON as AWS's reader takes it: also single quotes, names without quotes, control characters in strings, leading zeros, NaN and
 * Infinity (spec/dataplane.md 6.5).
 */
final class JsonReader {
    private static final int DEPTH_MAX = 1000; // these three are Jackson's
    private static final int DIGITS_MAX = 1000;
    private static final int SCALE_MAX = 100000;

    private final String text;
    private int at;
    private int depth;

    JsonReader(String text) {
        this.text = text;
    }

    RuntimeException fail(String what) {
        return new UncheckedIOException(new IOException(what + " at character " + at));
    }

    /** The first character of what comes; '\0' at the end. */
    char peek() {
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return c;
            at++;
        }
        return '\0';
    }

    boolean isString() {
        return peek() == '"' || peek() == '\'';
    }

    boolean isNumber() {
        char c = peek();
        return c >= '0' && c <= '9' || c == '-' || c == '+' || c == 'N' || c == 'I' || c == '.';
    }

    boolean takeNull() {
        if (peek() != 'n') return false;
        word("null");
        return true;
    }

    /** A string of nothing stands for null where an object is wanted. */
    boolean takeEmptyString() {
        if (!isString() || at + 1 >= text.length() || text.charAt(at + 1) != text.charAt(at)) return false;
        at += 2;
        return true;
    }

    private void word(String word) {
        if (!text.startsWith(word, at)) throw fail("Unrecognized token");
        at += word.length();
        if (at < text.length() && Character.isJavaIdentifierPart(text.charAt(at))) throw fail("Unrecognized token");
    }

    boolean bool() {
        boolean value = peek() == 't';
        word(value ? "true" : "false");
        return value;
    }

    /** Takes the bracket that opens an array or an object. */
    void open(char bracket) {
        if (peek() != bracket) throw fail("Expected '" + bracket + "'");
        if (++depth > DEPTH_MAX) throw fail("Document nesting depth exceeds the maximum allowed (" + DEPTH_MAX + ")");
        at++;
    }

    /** Whether there is one more, which begins here. The bracket that closes is taken. */
    boolean more(char closing, boolean first) {
        char c = peek();
        if (c == closing) {
            at++;
            depth--;
            return false;
        }
        if (!first) {
            if (c != ',') throw fail("Expected ',' or '" + closing + "'");
            at++;
        }
        return true;
    }

    /** A member's name, and the colon behind it. */
    String name() {
        String name = isString() ? string() : bareName();
        if (peek() != ':') throw fail("Expected ':'");
        at++;
        return name;
    }

    private String bareName() {
        int from = at;
        while (at < text.length() && Character.isJavaIdentifierPart(text.charAt(at))) at++;
        if (at == from) throw fail("Expected a name");
        return text.substring(from, at);
    }

    String string() {
        char quote = peek();
        int from = ++at;
        for (; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == quote) return text.substring(from, at++);
            if (c == '\\') return escaped(quote, new StringBuilder(text.substring(from, at)));
        }
        throw fail("Unexpected end of a string");
    }

    private String escaped(char quote, StringBuilder out) {
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == quote) return out.toString();
            if (c == '\\') c = escape();
            out.append(c);
        }
        throw fail("Unexpected end of a string");
    }

    private char escape() {
        if (at == text.length()) throw fail("Unexpected end of a string");
        char c = text.charAt(at++);
        switch (c) {
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'u':
            return unicode();
        default:
            return c;
        }
    }

    private char unicode() {
        int value = 0;
        for (int i = 0; i < 4; i++) {
            int digit = at < text.length() ? Character.digit(text.charAt(at++), 16) : -1;
            if (digit < 0) throw fail("Expected four hexadecimal digits");
            value = value << 4 | digit;
        }
        return (char) value;
    }

    /** The number as it stands there. */
    String number() {
        peek();
        int from = at;
        while (at < text.length() && isNumeric(text.charAt(at))) at++;
        String number = text.substring(from, at);
        bounded(number);
        if (!isValid(number)) throw fail("'" + number + "' is no number");
        return number;
    }

    private static boolean isNumeric(char c) {
        return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
    }

    private static boolean isValid(String number) {
        if (isNotFinite(number)) return true;
        int i = number.startsWith("-") ? 1 : 0;
        int end = digits(number, i);
        if (end == i) return false;
        i = end;
        if (i < number.length() && number.charAt(i) == '.') {
            end = digits(number, i + 1);
            if (end == i + 1) return false;
            i = end;
        }
        if (i < number.length() && (number.charAt(i) | 0x20) == 'e') {
            i++;
            if (i < number.length() && (number.charAt(i) == '-' || number.charAt(i) == '+')) i++;
            end = digits(number, i);
            return end > i && end == number.length();
        }
        return i == number.length();
    }

    private static int digits(String number, int from) {
        while (from < number.length() && number.charAt(from) >= '0' && number.charAt(from) <= '9') from++;
        return from;
    }

    static boolean isNotFinite(String number) {
        switch (number) {
        case "NaN":
        case "Infinity":
        case "INF":
        case "-Infinity":
        case "-INF":
        case "+Infinity":
        case "+INF":
            return true;
        default:
            return false;
        }
    }

    static boolean isWhole(String number) {
        return number.indexOf('.') < 0 && number.indexOf('e') < 0 && number.indexOf('E') < 0 && !isNotFinite(number);
    }

    static String bounded(String number) {
        if (number.length() <= DIGITS_MAX) return number;
        throw new NumberFormatException("Number value length (" + number.length() + ") exceeds the maximum allowed (" + DIGITS_MAX + ")");
    }

    /** With a bound: 1e999999999 is short, but its digits would fill the memory. */
    static BigDecimal decimal(String number) {
        BigDecimal value = new BigDecimal(bounded(number));
        if (Math.abs((long) value.scale()) <= SCALE_MAX) return value;
        throw new NumberFormatException("BigDecimal scale (" + value.scale() + ") magnitude exceeds the maximum allowed (" + SCALE_MAX + ")");
    }

    static double toDouble(String number) {
        if (!isNotFinite(number)) return Double.parseDouble(number);
        if (number.equals("NaN")) return Double.NaN;
        return number.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
    }

    /** What of Integer, Long, BigInteger and Double holds it. */
    static Number natural(String number) {
        if (!isWhole(number)) return toDouble(number);
        if (number.length() > 18) {
            BigInteger big = new BigInteger(number);
            if (big.bitLength() > 63) return big;
        }
        long value = Long.parseLong(number);
        if (value == (int) value) return (int) value;
        return value;
    }

    /** Whatever comes: maps, lists, strings, numbers, truth values. */
    Object any() {
        char c = peek();
        switch (c) {
        case '{':
            return members();
        case '[':
            return elements();
        case '"':
        case '\'':
            return string();
        case 't':
        case 'f':
            return bool();
        case 'n':
            word("null");
            return null;
        case '\0':
            throw fail("Unexpected end of the document");
        default:
            return natural(number());
        }
    }

    private Map<String, Object> members() {
        Map<String, Object> map = new LinkedHashMap<>();
        open('{');
        for (boolean first = true; more('}', first); first = false) {
            String name = name();
            map.put(name, any());
        }
        return map;
    }

    private List<Object> elements() {
        List<Object> list = new ArrayList<>();
        open('[');
        for (boolean first = true; more(']', first); first = false) list.add(any());
        return list;
    }

    /** Passes over whatever comes. */
    void skip() {
        char c = peek();
        if (c == '{') {
            open('{');
            for (boolean first = true; more('}', first); first = false) {
                name();
                skip();
            }
        } else if (c == '[') {
            open('[');
            for (boolean first = true; more(']', first); first = false) skip();
        } else {
            any();
        }
    }

    /** The text of whatever comes. */
    String raw() {
        peek();
        int from = at;
        skip();
        return text.substring(from, at);
    }
}
