#include "env/error_cause.h"

#include "base/mem.h"

#include <jansson.h>

static const char unreadable[] = "\"Invalid error body\"";

/* In this order, whatever the sender's was. */
static json_t *without_cause(const json_t *from)
{
    static const char *const members[] = {"errorMessage", "errorType", "stackTrace"};
    json_t *to = json_object();
    for (size_t i = 0; i < COUNT_OF(members); i++)
        json_object_set(to, members[i], json_object_get(from, members[i]));
    return to;
}

void error_cause_strip(struct buf *body)
{
    json_error_t error;
    json_t *from = json_loadb(body->p ? body->p : "", body->n, 0, &error);
    struct buf out = BUF_INIT(body->limit);
    if (json_is_object(from)) {
        json_t *to = without_cause(from);
        AUTO(free) char *text = json_dumps(to, JSON_COMPACT);
        buf_slice(&out, slice_str(text));
        json_decref(to);
    } else {
        buf_slice(&out, slice_str(unreadable));
    }
    json_decref(from);
    buf_free(body);
    *body = out;
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void error_body_decode(struct buf *out, struct slice encoded)
{
    while (slice_ends(encoded, S("=")))
        encoded.n--;
    uint32_t bits = 0;
    for (size_t i = 0; i < encoded.n; i++) {
        int value = digit(encoded.p[i]);
        if (value < 0) {
            buf_clear(out);
            return;
        }
        bits = bits << 6 | (uint32_t)value;
        if (i % 4)
            buf_char(out, (char)(bits >> (6 - 2 * (i % 4))));
    }
}
