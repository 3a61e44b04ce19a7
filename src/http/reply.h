/* The answer to a request of ours, out of a stream of bytes: its status, where it ends, and whether
 * the connection may be used again. The body is skipped. No input or output of its own. */
#ifndef LK_HTTP_REPLY_H
#define LK_HTTP_REPLY_H

#include "base/slice.h"

#include <llhttp/llhttp.h>

enum http_reply_event { REPLY_MORE, REPLY_DONE, REPLY_BAD };

struct http_reply {
    llhttp_t llhttp;
    bool done;       /* what follows counts once it is done */
    bool keep_alive; /* and the peer keeps the connection, too */
    unsigned status; /* 200 or more: "100 Continue" is skipped */
};

void http_reply_begin(struct http_reply *reply);
/* Nothing means that the peer has ended its side, which may be the end of the body. What comes
 * behind the end of the answer is thrown away. */
enum http_reply_event http_reply_feed(struct http_reply *reply, struct slice bytes);

#endif
