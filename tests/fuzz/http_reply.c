/* Answers of subscribers: where the bytes are cut makes no difference, and an answer that is one
 * has a final status. The first byte says where to cut. */
#include "base/mem.h"
#include "http/reply.h"

static enum http_reply_event feed(struct http_reply *reply, struct slice bytes)
{
    return bytes.n ? http_reply_feed(reply, bytes) : REPLY_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = {(const char *)data, size};
    struct http_reply whole;
    struct http_reply parts;
    if (size == 0)
        return 0;
    size_t cut = data[0];
    in = slice_sub(in, 1, in.n);
    http_reply_begin(&whole);
    http_reply_begin(&parts);
    enum http_reply_event at_once = feed(&whole, in);
    enum http_reply_event cut_up = feed(&parts, slice_sub(in, 0, cut));
    if (cut_up == REPLY_MORE)
        cut_up = feed(&parts, slice_sub(in, cut, in.n));
    must(at_once == cut_up);
    if (at_once == REPLY_MORE) {
        at_once = http_reply_feed(&whole, (struct slice){NULL, 0});
        cut_up = http_reply_feed(&parts, (struct slice){NULL, 0});
        must(at_once == cut_up && at_once != REPLY_MORE);
    }
    must(whole.done == (at_once == REPLY_DONE));
    if (whole.done)
        must(whole.status >= 200 && whole.status == parts.status &&
             whole.keep_alive == parts.keep_alive);
    return 0;
}
