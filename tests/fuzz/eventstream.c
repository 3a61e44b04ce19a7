/* Bytes as event stream messages: what is read, framed again, is the same bytes. Then the input as
 * the payload of a message of our own, which must be read back, whole and cut. */
#include "codec/eventstream.h"
#include "base/buf.h"
#include "base/mem.h"

static struct buf frame(const struct eventstream_header *headers, size_t n, struct slice payload)
{
    struct buf out = BUF_INIT(SIZE_MAX / 2);
    struct eventstream_frame made;
    eventstream_frame(&made, headers, n, payload);
    buf_add(&out, made.front, made.front_n);
    buf_slice(&out, payload);
    buf_add(&out, made.end, sizeof made.end);
    return out;
}

static bool fits(const struct eventstream_message *message)
{
    size_t n = 12;
    for (size_t i = 0; i < message->header_count; i++)
        n += message->headers[i].name.n + message->headers[i].value.n + 4;
    return n <= EVENTSTREAM_FRONT_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = {(const char *)data, size};
    struct eventstream_message message;
    while (eventstream_read(in, &message) == EVENTSTREAM_MESSAGE) {
        must(message.size >= 16 && message.size <= in.n);
        if (fits(&message)) {
            AUTO(buf)
            struct buf again = frame(message.headers, message.header_count, message.payload);
            must(slice_eq(buf_all(&again), slice_sub(in, 0, message.size)));
        }
        in = slice_sub(in, message.size, in.n);
    }
    const struct eventstream_header header = {S(":event-type"), slice_sub(in, 0, 32)};
    AUTO(buf) struct buf ours = frame(&header, 1, in);
    must(eventstream_read(buf_all(&ours), &message) == EVENTSTREAM_MESSAGE);
    must(message.size == ours.n && slice_eq(message.payload, in));
    must(slice_eq(eventstream_get(&message, header.name), header.value));
    must(eventstream_read(slice_sub(buf_all(&ours), 0, ours.n - 1), &message) == EVENTSTREAM_MORE);
    return 0;
}
