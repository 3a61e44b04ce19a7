/* An HTTP/1.1 server on a libuv loop: the public port and each environment's Runtime API.
 *
 * The parser is llhttp; what packaged parsers let through and proxies disagree on (two lengths,
 * length with chunked, blanks before the colon, bare LF, missing or double Host, NUL, folded
 * headers, "+5" or "0x5" as length, ...) gets a 400 and the connection is closed. Everything that a
 * peer sends is bounded by struct http_limits. Pipelined requests are handled one after another;
 * a peer that does not read its answers is not read from either.
 *
 * A peer that ends its side before the answer counts as gone. The process ignores SIGPIPE.
 * An idle connection costs about 1 KB; buffers come with the first byte of a request. */
#ifndef LK_HTTP_SERVER_H
#define LK_HTTP_SERVER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <uv.h>

struct http_server;

struct http_limits {
    size_t head_max;      /* request line and headers together; AWS: 1 MB (dataplane.md 2.6) */
    size_t headers_max;   /* number of headers */
    size_t body_max;      /* default for requests whose on_head sets no other limit */
    size_t pending_max;   /* memory of all requests that are still coming in, and of the long heads
                             of those that are not answered yet; above: 503 */
    size_t trailers_max;  /* bytes of all trailers together */
    size_t conns_max;     /* more are answered 503 and closed */
    size_t conns_refused; /* as many of them at once; those above are closed without a word */
    size_t shared_max;    /* like pending_max, for all servers that have it together; 0 = none */
    uint32_t head_timeout_ms; /* from the first byte of a request to the end of its head */
    uint32_t body_timeout_ms; /* longest pause between two pieces of a body, read or written */
    uint32_t idle_timeout_ms; /* keep-alive without a request; 0 = for ever (Runtime API) */
    /* An answer whose peer has already sent its next request may wait this long, so that both
     * answers go out in one write; 0 = never. */
    uint32_t hold_ms;
};

extern const struct http_limits http_limits_public;
extern const struct http_limits http_limits_runtime;
extern const struct http_limits http_limits_endpoint; /* of what a function may ask for */

struct http_header {
    struct slice name;  /* as sent */
    struct slice value; /* blanks trimmed */
};

/* One request. Lives until it has been answered (http_respond) or aborted. All slices live as long.
 */
struct http_request {
    struct slice method; /* "GET" */
    struct slice target; /* as sent: "/a%2Fb?x=1" */
    struct slice path;   /* before '?', still percent-encoded */
    struct slice query;  /* after '?', absent if there is none */
    struct http_header *headers;
    size_t header_count;
    struct http_header *trailers;
    size_t trailer_count;
    struct buf body;     /* complete when on_request is called; STEAL-able: take it and leave
                            BUF_INIT(0).     With want_pieces: what came since the last piece */
    bool truncated;      /* on_request despite a body that ended early (only if want_truncated) */
    bool want_truncated; /* handler's on_head may set it: be told of a truncated body (Runtime
                            API 1.4 step 5) */
    bool want_pieces;    /* on_head may set it: the body comes to on_body as it arrives */
    bool unhurried;    /* on_head may set it: no body_timeout_ms, the handler has a limit itself */
    size_t body_limit; /* on_head may change it; larger bodies come to on_too_large */
    struct arena *arena; /* for the handler, dies with the request */
    void *user;          /* the handler's */
};

/* NULL where not needed, except on_request. `arg` is http_listen()'s. */
struct http_handler {
    void (*on_head)(struct http_request *req,
                    void *arg); /* may respond at once: the body is then thrown away */
    /* With want_pieces: req->body is a piece, at most what one read gives (64 KB), and is empty
     * again afterwards. The last piece and the trailers come with on_request. */
    void (*on_body)(struct http_request *req, void *arg);
    void (*on_request)(struct http_request *req,
                       void *arg); /* the whole request is there; respond now or later */
    void (*on_too_large)(struct http_request *req,
                         void *arg); /* body over body_limit: respond now; default 413 */
    void (*on_abort)(struct http_request *req,
                     void *arg); /* peer gone before the answer, for each request that any of the
                                    others was called with; req dies on return */
    void (*on_drained)(struct http_request *req,
                       void *arg); /* http_stream_write() returned false, and all is written now */
    /* What a malformed request is answered with; the default is a bare status with an empty body.
     */
    void (*on_malformed)(struct http_request *req, int status, void *arg);
    void (*on_conn_closed)(void *arg); /* one of the peer's connections is gone; never from within
                                          another call into the server */
};

/* A body that is read as the peer takes it: nothing of it waits in memory. */
struct http_file {
    int fd; /* handed over */
    uint64_t size;
};

struct http_response {
    int status;
    const struct http_header
        *headers; /* Content-Length and Date are added, the latter unless no_date */
    size_t header_count;
    struct slice body;            /* copied only as far as the socket does not take it at once */
    const struct http_file *file; /* instead of body; NULL: none */
    bool close;                   /* and close the connection afterwards */
    bool no_date;
};

/* Listens on an address ("127.0.0.1", "::1"; port 0 = any) or serves a listening descriptor that is
 * handed over (closed in any case). NULL and err on failure (the port is taken: err.os EADDRINUSE).
 */
struct http_server *http_listen(uv_loop_t *loop, const char *host, uint16_t port,
                                const struct http_limits *limits,
                                const struct http_handler *handler, void *arg, struct err *err);
struct http_server *http_listen_fd(uv_loop_t *loop, int fd, const struct http_limits *limits,
                                   const struct http_handler *handler, void *arg, struct err *err);
uint16_t http_server_port(const struct http_server *server);

/* The first step of an orderly end: no connection is accepted any more, those that are owed an
 * answer are closed behind it, the others now. True if none is left; may be asked again. */
bool http_server_drain(struct http_server *server);

/* Closes the listener and every connection; no callback of the handler comes after this returned,
 * requests not yet answered are aborted (on_abort comes before it returns). The memory is freed
 * from the loop later. */
void http_server_close(struct http_server *server);

void http_respond(struct http_request *req, const struct http_response *response);

/* ---- bodies in pieces ----
 *
 * Requests: with want_pieces the server holds one read's worth of a body, and none while the
 * handler pauses it: the peer's bytes wait in the kernel, and at some point the peer itself does.
 * A peer that leaves while it is paused is noticed when it is read from again.
 *
 * Answers: instead of http_respond(), once on_request was called. Pieces are copied only as far as
 * the socket does not take them; 256 KB of that are the mark from which on http_stream_write()
 * returns false. The handler then stops until on_drained, which never comes from within
 * http_stream_write(). What it writes all the same is kept: the handler bounds it.
 * The request lives until http_stream_end() or on_abort (the peer is gone, or has read nothing for
 * body_timeout_ms while something was to be written). */

/* Within on_body or later; nothing if the body is complete. */
void http_body_pause(struct http_request *req);
void http_body_resume(struct http_request *req);

enum { HTTP_STREAM_PARTS = 4 };
/* Sends the head; body and file of the response are not looked at. */
void http_stream_begin(struct http_request *req, const struct http_response *response);
bool http_stream_write(struct http_request *req, const struct slice *parts, size_t count);
void http_stream_end(struct http_request *req);

/* Headers are compared without case. */
struct slice http_header_get(const struct http_request *req,
                             struct slice name); /* absent if none; first one */
struct slice http_query_get(struct http_request *req,
                            struct slice key); /* decoded into req->arena; absent if none */
/* Of a key that is there several times; nth from 0. */
struct slice http_query_nth(struct http_request *req, struct slice key, size_t nth);

/* Decodes %XX; '+' stays. False for a broken escape or an encoded NUL. */
bool http_unescape(struct arena *arena, struct slice s, struct slice *out) MUST_USE;
const char *http_reason(int status); /* "Not Found" */

#endif
