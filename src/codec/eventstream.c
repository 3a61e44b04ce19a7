#include "codec/eventstream.h"

#include "base/must.h"
#include "codec/crc32.h"

#include <string.h>

enum {
    PRELUDE = 12, /* two lengths and their checksum */
    END = 4,
    STRING = 7, /* type of a header's value */
    HEADERS_BYTES_MAX = 128 << 10,
};

static void put_u32(char *to, size_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static size_t put_header(char *to, const struct eventstream_header *header)
{
    size_t n = 0;
    to[n++] = (char)header->name.n;
    memcpy(to + n, header->name.p, header->name.n);
    n += header->name.n;
    to[n++] = STRING;
    to[n++] = (char)(header->value.n >> 8);
    to[n++] = (char)header->value.n;
    memcpy(to + n, header->value.p, header->value.n);
    return n + header->value.n;
}

void eventstream_frame(struct eventstream_frame *out, const struct eventstream_header *headers,
                       size_t count, struct slice payload)
{
    size_t n = PRELUDE;
    must(payload.n <= EVENTSTREAM_PAYLOAD_MAX);
    for (size_t i = 0; i < count; i++) {
        must(headers[i].name.n <= UINT8_MAX && headers[i].value.n <= UINT16_MAX);
        must(n + headers[i].name.n + headers[i].value.n + 4 <= sizeof out->front);
        n += put_header(out->front + n, &headers[i]);
    }
    put_u32(out->front, n + payload.n + END);
    put_u32(out->front + 4, n - PRELUDE);
    put_u32(out->front + 8, crc32_add(0, (struct slice){out->front, 8}));
    out->front_n = n;
    put_u32(out->end, crc32_add(crc32_add(0, (struct slice){out->front, n}), payload));
}

static bool get_header(struct slice *rest, struct eventstream_header *out)
{
    size_t name = rest->n ? (unsigned char)rest->p[0] : 0;
    if (!name || rest->n < 1 + name + 3 || rest->p[1 + name] != STRING)
        return false;
    const unsigned char *length = (const unsigned char *)rest->p + name + 2;
    size_t value = (size_t)length[0] << 8 | length[1];
    if (rest->n < 1 + name + 3 + value)
        return false;
    out->name = slice_sub(*rest, 1, name);
    out->value = slice_sub(*rest, 1 + name + 3, value);
    *rest = slice_sub(*rest, 1 + name + 3 + value, rest->n);
    return true;
}

enum eventstream_read eventstream_read(struct slice in, struct eventstream_message *out)
{
    if (in.n < PRELUDE)
        return EVENTSTREAM_MORE;
    size_t total = get_u32(in.p);
    size_t headers = get_u32(in.p + 4);
    if (get_u32(in.p + 8) != crc32_add(0, slice_sub(in, 0, 8)) || headers > HEADERS_BYTES_MAX ||
        total < PRELUDE + headers + END ||
        total - headers - PRELUDE - END > EVENTSTREAM_PAYLOAD_MAX)
        return EVENTSTREAM_BAD;
    if (in.n < total)
        return EVENTSTREAM_MORE;
    if (get_u32(in.p + total - END) != crc32_add(0, slice_sub(in, 0, total - END)))
        return EVENTSTREAM_BAD;
    struct slice rest = slice_sub(in, PRELUDE, headers);
    for (out->header_count = 0; rest.n; out->header_count++) {
        if (out->header_count == EVENTSTREAM_HEADERS_MAX ||
            !get_header(&rest, &out->headers[out->header_count]))
            return EVENTSTREAM_BAD;
    }
    out->payload = slice_sub(in, PRELUDE + headers, total - headers - PRELUDE - END);
    out->size = total;
    return EVENTSTREAM_MESSAGE;
}

struct slice eventstream_get(const struct eventstream_message *message, struct slice name)
{
    for (size_t i = 0; i < message->header_count; i++) {
        if (slice_eq(message->headers[i].name, name))
            return message->headers[i].value;
    }
    return (struct slice){NULL, 0};
}
