package lambkin;

import java.nio.charset.StandardCharsets;

/** Appends JSON to a text. Commas are its business. */
final class JsonWriter {
    private static final String HEX = "0123456789ABCDEF";

    private final StringBuilder out = new StringBuilder(256);
    private boolean comma; // before what comes next

    JsonWriter open(char bracket) {
        separate();
        out.append(bracket);
        comma = false;
        return this;
    }

    JsonWriter close(char bracket) {
        out.append(bracket);
        comma = true;
        return this;
    }

    JsonWriter member(String name) {
        string(name);
        out.append(':');
        comma = false;
        return this;
    }

    /** A number, or one of the three words. */
    JsonWriter plain(String text) {
        separate();
        out.append(text);
        comma = true;
        return this;
    }

    JsonWriter string(String text) {
        separate();
        out.append('"');
        int from = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c >= ' ' && c != '"' && c != '\\') continue;
            out.append(text, from, i);
            escape(c);
            from = i + 1;
        }
        out.append(text, from, text.length()).append('"');
        comma = true;
        return this;
    }

    private void separate() {
        if (comma) out.append(',');
    }

    private void escape(char c) {
        switch (c) {
        case '"':
        case '\\':
            out.append('\\').append(c);
            break;
        case '\n':
            out.append("\\n");
            break;
        case '\r':
            out.append("\\r");
            break;
        case '\t':
            out.append("\\t");
            break;
        case '\b':
            out.append("\\b");
            break;
        case '\f':
            out.append("\\f");
            break;
        default:
            out.append("\\u00").append(HEX.charAt(c >> 4)).append(HEX.charAt(c & 15));
            break;
        }
    }

    byte[] bytes() {
        return out.toString().getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public String toString() {
        return out.toString();
    }
}
