/* The bytes of an answer's head. */
#ifndef LK_HTTP_ANSWER_H
#define LK_HTTP_ANSWER_H

#include "base/buf.h"
#include "http/server.h"

/* Does this status go without a body and without Content-Length? */
bool answer_is_bare(int status);
void answer_head(struct buf *out, const struct http_response *response, bool close);

#endif
