/* Framing against AWS's own test vectors, and whatever is not a message. */
#include "test.h"

#include "base/buf.h"
#include "base/mem.h"
#include "codec/crc32.h"
#include "codec/eventstream.h"

static void checksums(void **state)
{
    assert_int_equal(crc32_add(0, S("")), 0);
    assert_int_equal(crc32_add(0, S("123456789")), 0xcbf43926);
    AUTO(free) char *bytes = mem_new(1000);
    for (size_t i = 0; i < 1000; i++)
        bytes[i] = (char)(i * 7);
    uint32_t whole = crc32_add(0, (struct slice){bytes, 1000});
    for (size_t cut = 0; cut <= 1000; cut++) {
        uint32_t first = crc32_add(0, (struct slice){bytes, cut});
        assert_int_equal(crc32_add(first, (struct slice){bytes + cut, 1000 - cut}), whole);
    }
}

static struct slice frame(struct buf *out, const struct eventstream_header *headers, size_t n,
                          struct slice payload)
{
    struct eventstream_frame made;
    eventstream_frame(&made, headers, n, payload);
    buf_clear(out);
    buf_add(out, made.front, made.front_n);
    buf_slice(out, payload);
    buf_add(out, made.end, sizeof made.end);
    return buf_all(out);
}

/* "empty_message" and "payload_no_headers" of AWS's event stream test suite. */
static void known_messages(void **state)
{
    static const char empty[] = "\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8\xff";
    static const char payload[] = "\0\0\0\x1d\0\0\0\0\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36";
    AUTO(buf) struct buf out = BUF_INIT(4096);
    assert_true(slice_eq(frame(&out, NULL, 0, S("")), (struct slice){empty, sizeof empty - 1}));
    assert_true(slice_eq(frame(&out, NULL, 0, S("{'foo':'bar'}")),
                         (struct slice){payload, sizeof payload - 1}));
}

static const struct eventstream_header headers[] = {
    {S_INIT(":event-type"), S_INIT("PayloadChunk")},
    {S_INIT(":content-type"), S_INIT("application/octet-stream")},
    {S_INIT(":message-type"), S_INIT("event")},
};

static void there_and_back(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    struct eventstream_message message;
    struct slice bytes = frame(&out, headers, COUNT_OF(headers), S("some\0bytes"));
    for (size_t n = 0; n < bytes.n; n++)
        assert_int_equal(eventstream_read(slice_sub(bytes, 0, n), &message), EVENTSTREAM_MORE);
    buf_slice(&out, S("more"));
    assert_int_equal(eventstream_read(buf_all(&out), &message), EVENTSTREAM_MESSAGE);
    assert_int_equal(message.size, out.n - 4);
    assert_true(slice_eq(message.payload, S("some\0bytes")));
    assert_int_equal(message.header_count, 3);
    assert_true(slice_eq(eventstream_get(&message, S(":event-type")), S("PayloadChunk")));
    assert_null(eventstream_get(&message, S(":exception-type")).p);
}

static void every_byte_is_checked(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    struct eventstream_message message;
    size_t n = frame(&out, headers, COUNT_OF(headers), S("payload")).n;
    for (size_t i = 0; i < n; i++) {
        out.p[i] ^= 1;
        assert_int_equal(eventstream_read(buf_all(&out), &message), EVENTSTREAM_BAD);
        out.p[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums),
        cmocka_unit_test(known_messages),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(every_byte_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
