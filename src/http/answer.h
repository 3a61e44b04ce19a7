/* The bytes of an answer's head. */
#ifndef LK_HTTP_ANSWER_H
#define LK_HTTP_ANSWER_H

#include "base/buf.h"
#include "http/server.h"

/* Does this status go without a body and without Content-Length? */
bool answer_is_bare(int status);

/* How the body's end is told, and what becomes of the connection. */
struct answer_form {
    uint64_t length;
    bool chunked; /* instead of the length */
    bool endless; /* by the connection's end (HTTP/1.0) */
    bool close;
};
void answer_head(struct buf *out, const struct http_response *response,
                 const struct answer_form *form);

#endif
