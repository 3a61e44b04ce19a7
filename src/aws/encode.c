#include "aws/codec.h"

#include "codec/base64.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Length of the valid UTF-8 sequence at p, 0 if there is none (RFC 3629: no surrogates, nothing
 * overlong). */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    size_t want = c >= 0xc2 && c < 0xe0   ? 2
                  : (c & 0xf0) == 0xe0    ? 3
                  : c >= 0xf0 && c < 0xf5 ? 4
                                          : 0;
    if (!want || n < want)
        return 0;
    for (size_t i = 1; i < want; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] >= 0xa0) || (c == 0xf0 && p[1] < 0x90) ||
        (c == 0xf4 && p[1] >= 0x90))
        return 0;
    return want;
}

static void escape(struct buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        buf_slice(out, S("\\\""));
        break;
    case '\\':
        buf_slice(out, S("\\\\"));
        break;
    case '\n':
        buf_slice(out, S("\\n"));
        break;
    case '\r':
        buf_slice(out, S("\\r"));
        break;
    case '\t':
        buf_slice(out, S("\\t"));
        break;
    default:
        buf_printf(out, "\\u%04x", c);
        break;
    }
}

void aws_json_string(struct buf *out, struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t from = 0;
    buf_char(out, '"');
    for (size_t i = 0; i < s.n;) {
        size_t length = utf8_length(p + i, s.n - i);
        if (length && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') {
            i += length;
            continue;
        }
        buf_add(out, s.p + from, i - from);
        if (length)
            escape(out, p[i]);
        else
            buf_slice(out, S("\xef\xbf\xbd"));
        from = ++i;
    }
    buf_add(out, s.p + from, s.n - from);
    buf_char(out, '"');
}

static void encode_value(const struct aws_shape *shape, const void *value, struct buf *out);

bool aws_is_set(const struct aws_shape *shape, const void *value)
{
    switch (shape->type) {
    case AWS_STRING:
    case AWS_BLOB:
        return ((const struct slice *)value)->p != NULL;
    case AWS_INTEGER:
    case AWS_LONG:
        return ((const struct opt_i64 *)value)->set;
    case AWS_DOUBLE:
    case AWS_TIMESTAMP:
        return ((const struct opt_f64 *)value)->set;
    case AWS_BOOLEAN:
        return ((const struct opt_bool *)value)->set;
    case AWS_STRUCTURE:
        return *(void *const *)value != NULL;
    case AWS_LIST:
        return ((const struct aws_list *)value)->set;
    case AWS_MAP:
        return ((const struct aws_map *)value)->set;
    }
    return false;
}

static void encode_members(const struct aws_shape *shape, const void *value, struct buf *out,
                           bool whole)
{
    bool first = true;
    buf_char(out, '{');
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct aws_member *m = &shape->members[i];
        const void *field = (const char *)value + m->offset;
        if ((!whole && m->where != AWS_BODY) || !aws_is_set(m->shape, field))
            continue;
        if (!first)
            buf_char(out, ',');
        first = false;
        buf_char(out, '"');
        buf_slice(out, m->wire);
        buf_slice(out, S("\":"));
        encode_value(m->shape, field, out);
    }
    buf_char(out, '}');
}

static void encode_double(double number, struct buf *out)
{
    if (!isfinite(number)) {
        buf_slice(out, S("null"));
        return;
    }
    /* The shortest text that reads back as the same number; milliseconds of an epoch need 13
     * digits. */
    for (int digits = 15; digits <= 17; digits++) {
        char text[40];
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (digits == 17 || strtod(text, NULL) == number) {
            buf_slice(out, slice_str(text));
            return;
        }
    }
}

static void encode_value(const struct aws_shape *shape, const void *value, struct buf *out)
{
    const struct aws_list *list = value;
    const struct aws_map *map = value;
    size_t size = shape->element ? aws_value_size(shape->element) : 0;
    if (!aws_is_set(shape, value)) {
        buf_slice(out, S("null"));
        return;
    }
    switch (shape->type) {
    case AWS_STRING:
        aws_json_string(out, *(const struct slice *)value);
        break;
    case AWS_BLOB:
        buf_char(out, '"');
        base64_encode(out, *(const struct slice *)value);
        buf_char(out, '"');
        break;
    case AWS_INTEGER:
    case AWS_LONG:
        buf_printf(out, "%lld", (long long)((const struct opt_i64 *)value)->v);
        break;
    case AWS_DOUBLE:
    case AWS_TIMESTAMP:
        encode_double(((const struct opt_f64 *)value)->v, out);
        break;
    case AWS_BOOLEAN:
        buf_slice(out, ((const struct opt_bool *)value)->v ? S("true") : S("false"));
        break;
    case AWS_STRUCTURE:
        encode_members(shape, *(void *const *)value, out, true);
        break;
    case AWS_LIST:
        buf_char(out, '[');
        for (size_t i = 0; i < list->n; i++) {
            if (i)
                buf_char(out, ',');
            encode_value(shape->element, (const char *)list->items + i * size, out);
        }
        buf_char(out, ']');
        break;
    case AWS_MAP:
        buf_char(out, '{');
        for (size_t i = 0; i < map->n; i++) {
            if (i)
                buf_char(out, ',');
            aws_json_string(out, map->keys[i]);
            buf_char(out, ':');
            encode_value(shape->element, (const char *)map->values + i * size, out);
        }
        buf_char(out, '}');
        break;
    }
}

void aws_encode_output(const struct aws_shape *shape, const void *value, struct buf *out)
{
    encode_members(shape, value, out, false);
}

void aws_encode_struct(const struct aws_shape *shape, const void *value, struct buf *out)
{
    encode_members(shape, value, out, true);
}

const struct aws_error_row *aws_error_find(const struct aws_service *service, const char *code)
{
    static const struct aws_error_row unknown = {"", 400, "message", false};
    for (size_t i = 0; i < service->error_count; i++) {
        if (!strcmp(service->errors[i].code, code))
            return &service->errors[i];
    }
    return &unknown;
}

struct aws_list aws_list_of(struct arena *arena, void *structs, size_t count, size_t size)
{
    void **items = arena_array(arena, count, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (char *)structs + i * size;
    return (struct aws_list){true, count, items};
}
