#include "env/error_cause.h"

#include "base/mem.h"
#include "codec/base64.h"
#include "codec/json_check.h"

#include <jansson.h>

/* A function's error has a dozen members and a stack trace. */
enum { VALUES_MAX = 100000 };

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
    bool sane = json_weight(buf_all(body), VALUES_MAX) < VALUES_MAX;
    json_t *from = sane ? json_loadb(body->p ? body->p : "", body->n, 0, &error) : NULL;
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

void error_body_decode(struct buf *out, struct slice encoded)
{
    if (!base64_decode(out, encoded))
        buf_clear(out);
}
