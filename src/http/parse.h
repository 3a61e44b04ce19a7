/* One HTTP/1.1 request out of a stream of bytes. No input or output of its own: the server feeds
 * it, tests and the fuzzer too. llhttp reads the head after strict.h has looked at it; what both
 * let through and others read differently is refused here (see server.h). */
#ifndef LK_HTTP_PARSE_H
#define LK_HTTP_PARSE_H

#include "http/chunked.h"
#include "http/server.h"

#include <llhttp/llhttp.h>

enum http_parse_event {
    PARSE_MORE,      /* everything was taken, and more is needed */
    PARSE_HEAD,      /* the head is complete; the handler may look, then feed what is left, also
                        if that is nothing */
    PARSE_DONE,      /* the request is complete; what is left belongs to the next one */
    PARSE_TOO_LARGE, /* the body passed request->body_limit */
    PARSE_BAD,       /* malformed: answer `status`, then close */
};

enum http_parse_where { PARSE_IN_HEAD, PARSE_IN_BODY, PARSE_AT_END };

struct http_parse {
    llhttp_t llhttp;
    struct http_request *request;
    const struct http_limits *limits;
    struct buf head; /* bytes of a head that came in pieces */
    size_t scanned;  /* of head: no end of head before this */
    enum http_parse_where where;
    int status;     /* with PARSE_BAD */
    unsigned blank; /* bytes of an empty line before the request */
    bool keep_alive;
    bool expects_continue;
    bool is_chunked;
    uint64_t left;   /* bytes of the body to come, if it is not chunked */
    uint64_t handed; /* bytes of the body that are the handler's already */
    struct chunked chunked;
};

void http_parse_init(struct http_parse *parse);
void http_parse_free(struct http_parse *parse);
/* Makes it ready for a request, whose arena it uses. */
void http_parse_begin(struct http_parse *parse, struct http_request *request,
                      const struct http_limits *limits);
/* Takes up to n bytes, says how many in *used, and stops at the first event. */
enum http_parse_event http_parse_feed(struct http_parse *parse, const char *p, size_t n,
                                      size_t *used);
/* What request->body holds was taken piece by piece (request->want_pieces): leaves it empty. */
void http_parse_handed_on(struct http_parse *parse);
/* After PARSE_HEAD: the peer waits for a 100 before it sends a body that we would take. */
bool http_parse_wants_continue(const struct http_parse *parse);

#endif
