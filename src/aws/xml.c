/* Typed structs into the XML of the Query protocol. */
#include "aws/query.h"
#include "codec/base64.h"

#include <stdio.h>
#include <time.h>

/* XML 1.0 has tab, line feed, carriage return and what is from U+0020 on, less U+FFFE and U+FFFF.
 */
static bool is_xml(struct slice c)
{
    unsigned char first = (unsigned char)c.p[0];
    if (c.n == 1)
        return first >= 0x20 || first == '\t' || first == '\n' || first == '\r';
    return !(c.n == 3 && first == 0xef && (unsigned char)c.p[1] == 0xbf &&
             (unsigned char)c.p[2] >= 0xbe);
}

static struct slice escape_of(char c)
{
    switch (c) {
    case '&':
        return S("&amp;");
    case '<':
        return S("&lt;");
    case '>':
        return S("&gt;");
    case '"':
        return S("&quot;");
    case '\r': /* a parser would make a line feed of it */
        return S("&#xD;");
    default:
        return (struct slice){NULL, 0};
    }
}

void aws_xml_text(struct buf *out, struct slice text)
{
    while (text.n) {
        size_t length = slice_utf8(text);
        struct slice c = slice_sub(text, 0, length ? length : 1);
        struct slice escape = escape_of(text.p[0]);
        if (!length || !is_xml(c))
            buf_slice(out, S("\xef\xbf\xbd"));
        else
            buf_slice(out, escape.p ? escape : c);
        text = slice_sub(text, c.n, text.n);
    }
}

static void open_tag(struct buf *out, struct slice name)
{
    buf_char(out, '<');
    buf_slice(out, name);
    buf_char(out, '>');
}

static void close_tag(struct buf *out, struct slice name)
{
    buf_slice(out, S("</"));
    buf_slice(out, name);
    buf_char(out, '>');
}

/* 2015-04-09T15:03:43Z, with milliseconds where there are any. */
static void encode_time(struct buf *out, double seconds)
{
    struct tm tm;
    char text[40];
    if (!(seconds > -1e11 && seconds < 1e12))
        return;
    int64_t all = (int64_t)(seconds * 1000 + (seconds < 0 ? -0.5 : 0.5));
    int ms = (int)((all % 1000 + 1000) % 1000);
    time_t whole = (time_t)((all - ms) / 1000);
    if (!gmtime_r(&whole, &tm))
        return;
    buf_add(out, text, strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm));
    if (ms)
        buf_printf(out, ".%03d", ms);
    buf_char(out, 'Z');
}

static void encode_value(const struct aws_shape *shape, const void *value, struct buf *out);

static void encode_members(const struct aws_shape *shape, const void *value, struct buf *out)
{
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct aws_member *m = &shape->members[i];
        const void *field = (const char *)value + m->offset;
        if (!aws_is_set(m->shape, field))
            continue;
        open_tag(out, m->wire);
        encode_value(m->shape, field, out);
        close_tag(out, m->wire);
    }
}

static void encode_list(const struct aws_shape *shape, const struct aws_list *list, struct buf *out)
{
    size_t size = aws_value_size(shape->element);
    for (size_t i = 0; i < list->n; i++) {
        open_tag(out, S("member"));
        encode_value(shape->element, (const char *)list->items + i * size, out);
        close_tag(out, S("member"));
    }
}

static void encode_map(const struct aws_shape *shape, const struct aws_map *map, struct buf *out)
{
    size_t size = aws_value_size(shape->element);
    for (size_t i = 0; i < map->n; i++) {
        buf_slice(out, S("<entry><key>"));
        aws_xml_text(out, map->keys[i]);
        buf_slice(out, S("</key><value>"));
        encode_value(shape->element, (const char *)map->values + i * size, out);
        buf_slice(out, S("</value></entry>"));
    }
}

static void encode_value(const struct aws_shape *shape, const void *value, struct buf *out)
{
    if (!aws_is_set(shape, value))
        return;
    switch (shape->type) {
    case AWS_STRING:
        aws_xml_text(out, *(const struct slice *)value);
        break;
    case AWS_BLOB:
        base64_encode(out, *(const struct slice *)value);
        break;
    case AWS_INTEGER:
    case AWS_LONG:
        buf_printf(out, "%lld", (long long)((const struct opt_i64 *)value)->v);
        break;
    case AWS_DOUBLE:
        buf_printf(out, "%.17g", ((const struct opt_f64 *)value)->v);
        break;
    case AWS_TIMESTAMP:
        encode_time(out, ((const struct opt_f64 *)value)->v);
        break;
    case AWS_BOOLEAN:
        buf_slice(out, ((const struct opt_bool *)value)->v ? S("true") : S("false"));
        break;
    case AWS_STRUCTURE:
        encode_members(shape, *(void *const *)value, out);
        break;
    case AWS_LIST:
        encode_list(shape, value, out);
        break;
    case AWS_MAP:
        encode_map(shape, value, out);
        break;
    }
}

void aws_query_answer(const struct aws_operation *op, const void *output, struct slice request_id,
                      struct buf *out)
{
    buf_printf(out, "<%.*sResponse xmlns=\"%.*s\">", FMT(op->name), FMT(op->service->xmlns));
    if (op->output) {
        buf_printf(out, "<%.*sResult>", FMT(op->name));
        if (output)
            encode_members(op->output, output, out);
        buf_printf(out, "</%.*sResult>", FMT(op->name));
    }
    buf_printf(out, "<ResponseMetadata><RequestId>%.*s</RequestId></ResponseMetadata>",
               FMT(request_id));
    buf_printf(out, "</%.*sResponse>\n", FMT(op->name));
}

void aws_query_error(const struct aws_service *service, const char *code, int status,
                     struct slice message, struct slice request_id, struct buf *out)
{
    buf_slice(out, S("<ErrorResponse"));
    if (service)
        buf_printf(out, " xmlns=\"%.*s\"", FMT(service->xmlns));
    buf_printf(out, "><Error><Type>%s</Type><Code>%s</Code><Message>",
               status >= 500 ? "Receiver" : "Sender", code);
    aws_xml_text(out, message);
    buf_printf(out, "</Message></Error><RequestId>%.*s</RequestId></ErrorResponse>\n",
               FMT(request_id));
}
