#include "codec/json_check.h"

#include <stdio.h>

struct check {
    const unsigned char *p; /* where it reads */
    const unsigned char *end;
    const char *what; /* why it stopped */
    unsigned depth;
    unsigned char is_object[JSON_DEPTH_MAX / 8 + 1]; /* one bit a level */
};

static bool fail(struct check *c, const char *what)
{
    c->what = what;
    return false;
}

static void blanks(struct check *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
        c->p++;
}

/* Eight bytes at once: true if none of them is a quote, a backslash, a control or a non-ASCII one.
 */
static bool all_plain(const unsigned char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = UINT64_C(0x8080808080808080);
    uint64_t v;
    memcpy(&v, p, sizeof v);
    uint64_t quote = v ^ (ones * '"');
    uint64_t slash = v ^ (ones * '\\');
    uint64_t found = (v - ones * 0x20) | (quote - ones) | (slash - ones) | v;
    return (found & highs) == 0;
}

static bool is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool escape(struct check *c)
{
    c->p++;
    if (c->p == c->end)
        return fail(c, "Unexpected end-of-input in a character escape sequence");
    unsigned char kind = *c->p;
    if (kind != 'u') {
        if (kind == '\0' || !strchr("\"\\/bfnrt", kind))
            return fail(c, "Unrecognized character escape");
        c->p++;
        return true;
    }
    c->p++;
    for (int i = 0; i < 4; i++, c->p++) {
        if (c->p == c->end || !is_hex(*c->p))
            return fail(c, "Unexpected character: expected a hex-digit for character escape "
                           "sequence");
    }
    return true;
}

static bool string(struct check *c)
{
    c->p++;
    for (;;) {
        while (c->end - c->p >= 8 && all_plain(c->p))
            c->p += 8;
        if (c->p == c->end)
            return fail(c, "Unexpected end-of-input: was expecting closing quote for a string "
                           "value");
        unsigned char byte = *c->p;
        if (byte == '"') {
            c->p++;
            return true;
        }
        if (byte == '\\') {
            if (!escape(c))
                return false;
        } else if (byte < 0x20) {
            return fail(c, "Illegal unquoted control character: has to be escaped");
        } else if (byte < 0x80) {
            c->p++;
        } else {
            size_t n = slice_utf8((struct slice){(const char *)c->p, (size_t)(c->end - c->p)});
            if (!n)
                return fail(c, "Invalid UTF-8");
            c->p += n;
        }
    }
}

static bool digits(struct check *c)
{
    const unsigned char *from = c->p;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        c->p++;
    return c->p > from || fail(c, "Unexpected character in numeric value");
}

static bool number(struct check *c)
{
    if (*c->p == '-')
        c->p++;
    if (c->p < c->end && *c->p == '0')
        c->p++;
    else if (!digits(c))
        return false;
    if (c->p < c->end && *c->p == '.') {
        c->p++;
        if (!digits(c))
            return false;
    }
    if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
        c->p++;
        if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
            c->p++;
        if (!digits(c))
            return false;
    }
    return true;
}

static bool word(struct check *c, const char *text, size_t n)
{
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
        return fail(c, "Unrecognized token");
    c->p += n;
    return true;
}

static bool in_object(const struct check *c)
{
    unsigned level = c->depth - 1;
    return c->is_object[level / 8] >> (level % 8) & 1;
}

static bool open_level(struct check *c, bool object)
{
    if (c->depth == JSON_DEPTH_MAX)
        return fail(c, "Document nesting depth exceeds the maximum allowed (1000)");
    unsigned char bit = (unsigned char)(1u << (c->depth % 8));
    unsigned char *byte = &c->is_object[c->depth / 8];
    *byte = (unsigned char)(object ? *byte | bit : *byte & ~bit);
    c->depth++;
    c->p++;
    return true;
}

static bool name(struct check *c)
{
    blanks(c);
    if (c->p == c->end || *c->p != '"')
        return fail(c, "Unexpected character: was expecting double-quote to start field name");
    if (!string(c))
        return false;
    blanks(c);
    if (c->p == c->end || *c->p != ':')
        return fail(c, "Unexpected character: was expecting a colon to separate field name and "
                       "value");
    c->p++;
    return true;
}

/* True with *out_open: a level was opened and its first value comes next. */
static bool value(struct check *c, bool *out_open)
{
    *out_open = false;
    blanks(c);
    if (c->p == c->end)
        return fail(c, "No content to map due to end-of-input");
    unsigned char first = *c->p;
    if (first == '{' || first == '[') {
        if (!open_level(c, first == '{'))
            return false;
        blanks(c);
        if (c->p < c->end && *c->p == (first == '{' ? '}' : ']'))
            return true; /* empty: close() takes it */
        *out_open = true;
        return first == '[' || name(c);
    }
    if (first == '"')
        return string(c);
    if (first == '-' || (first >= '0' && first <= '9'))
        return number(c);
    if (first == 't')
        return word(c, "true", 4);
    if (first == 'f')
        return word(c, "false", 5);
    return first == 'n' ? word(c, "null", 4)
                        : fail(c, "Unexpected character: expected a valid value");
}

/* After a value: closes what ends here. True with *out_more: a comma, another value follows. */
static bool after_value(struct check *c, bool *out_more)
{
    *out_more = false;
    while (c->depth) {
        blanks(c);
        if (c->p == c->end)
            return fail(c, in_object(c) ? "Unexpected end-of-input: expected close marker for "
                                          "Object"
                                        : "Unexpected end-of-input: expected close marker for "
                                          "Array");
        unsigned char byte = *c->p;
        if (byte == ',') {
            c->p++;
            *out_more = true;
            return !in_object(c) || name(c);
        }
        if (byte != (in_object(c) ? '}' : ']'))
            return fail(c, "Unexpected character: was expecting comma to separate entries");
        c->p++;
        c->depth--;
    }
    return true;
}

static bool document(struct check *c)
{
    for (;;) {
        bool opened = false;
        bool more = false;
        if (!value(c, &opened))
            return false;
        if (opened)
            continue;
        if (!after_value(c, &more))
            return false;
        if (more)
            continue;
        blanks(c);
        return c->p == c->end || fail(c, "Unexpected trailing content");
    }
}

static void describe(const struct check *c, struct slice text, struct json_fault *out)
{
    const unsigned char *start = (const unsigned char *)text.p;
    size_t at = text.n ? (size_t)(c->p - start) : 0;
    *out = (struct json_fault){.at = at, .line = 1, .column = 1};
    for (size_t i = 0; i < at; i++) {
        out->line += start[i] == '\n';
        out->column = start[i] == '\n' ? 1 : out->column + 1;
    }
    if (strcmp(c->what, "Invalid UTF-8") == 0)
        snprintf(out->what, sizeof out->what, "Invalid UTF-8 start byte 0x%x", *c->p);
    else
        snprintf(out->what, sizeof out->what, "%s", c->what);
}

bool json_check(struct slice text, struct json_fault *out)
{
    struct check c;
    const char *start = text.p ? text.p : "";
    c.p = (const unsigned char *)start;
    c.end = c.p + text.n;
    c.what = NULL;
    c.depth = 0;
    if (document(&c))
        return true;
    describe(&c, text, out);
    return false;
}

/* Behind the closing quote of the string whose opening one is at `at` - 1, or the end. */
static size_t skip_string(struct slice text, size_t at)
{
    for (;;) {
        const char *quote = at < text.n ? memchr(text.p + at, '"', text.n - at) : NULL;
        if (!quote)
            return text.n;
        size_t end = (size_t)(quote - text.p);
        size_t backslashes = 0;
        while (end - backslashes > at && text.p[end - backslashes - 1] == '\\')
            backslashes++;
        if (backslashes % 2 == 0)
            return end + 1;
        at = end + 1;
    }
}

size_t json_weight(struct slice text, size_t enough)
{
    size_t weight = 1;
    for (size_t at = 0; at < text.n && weight < enough; at++) {
        char c = text.p[at];
        weight += c == ',' || c == '[' || c == '{';
        if (c == '"')
            at = skip_string(text, at + 1) - 1;
    }
    return weight;
}
