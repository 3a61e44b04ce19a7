/* One connection of the server: reads, parses, calls the handler, writes. Private to src/http. */
#ifndef LK_HTTP_CONN_H
#define LK_HTTP_CONN_H

#include "base/list.h"
#include "http/parse.h"
#include "http/server.h"

enum { HTTP_SERVER_MAGIC = 0x68737276, CONN_MAGIC = 0x68636f6e };

struct http_server {
    uint32_t magic;
    uv_loop_t *loop;
    struct http_limits limits;
    struct http_handler handler;
    void *arg;
    uv_tcp_t listener;
    struct list link; /* in the reaper's list */
    struct list conns;
    struct list expired; /* those of conns that the reaper works on */
    struct list held;    /* those whose answer waits for the next one, oldest first */
    uv_timer_t holder;   /* runs as long as there are such */
    size_t conn_count;
    size_t pending; /* bytes of requests that are still coming in */
    size_t handles; /* libuv handles that are not closed yet */
    bool draining;  /* each answer is its connection's last */
    bool closing;
};

/* What a request needs while it is worked on; kept for reuse, so a busy connection allocates
 * nothing and an idle one holds nothing. */
struct exchange {
    struct http_request request;
    struct http_parse parse;
    struct conn *conn;
    struct exchange *next_free;
    size_t pending; /* its part of the server's */
    bool shown;     /* the handler knows the request: it is told if it comes to nothing */
    bool paused;    /* the handler wants no more of the body for now */
    bool streams;   /* the answer has begun and comes in pieces ... */
    bool chunked;   /* ... in the chunked coding */
    bool bare;      /* ... of which none is sent (HEAD) */
    bool full;      /* the handler waits for on_drained */
    bool answered;
};

struct conn {
    uint32_t magic;
    struct http_server *server;
    struct list link;
    struct list hold;   /* out waits for the answer to the next request */
    uint64_t held_till; /* loop time */
    uv_tcp_t tcp;
    struct exchange *exchange; /* the request that is being read or answered, else NULL */
    struct buf in;             /* pipelined bytes that came before the answer */
    struct buf out;            /* answers held back until the end of this read */
    uint64_t due;              /* loop time at which the peer has waited too long; 0 = never */
    uint64_t linger_until;     /* finishing: what comes is thrown away until then */
    int file;                  /* the rest of the answer's body, if file_left is not 0 */
    uint64_t file_left;
    size_t writing; /* bytes of writes that are not finished */
    size_t unsent;  /* of them, when the reaper looked last */
    bool waiting;   /* the request is with the handler */
    bool corked;
    bool paused;    /* reading is stopped */
    bool last;      /* close once everything is written */
    bool finishing; /* everything is written: FIN is sent, and we wait for the peer's */
    bool ended;     /* the peer sends no more */
    bool closed;
};

/* ---- conn.c: life and reading ---- */

void conn_accept(struct http_server *server);
void conn_close(struct conn *conn); /* aborts the request that is with the handler */
bool conn_is_idle(const struct conn *conn);
bool conn_is_due(struct conn *conn, uint64_t now);
void conn_expire(struct conn *conn); /* answers 408 or closes */
void conn_set_due(struct conn *conn, uint32_t ms);
void conn_body_due(struct conn *conn); /* until the next piece of the request's body */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);   /* reads on, unless something speaks against it */
void conn_written(struct conn *conn);  /* everything given to the socket so far is written */
void conn_answered(struct conn *conn); /* the answer to its request is complete */

/* ---- output.c: what goes out ---- */

enum { CONN_PARTS = 8 };

/* Writes the parts; what the socket does not take is copied and follows. */
void conn_write(struct conn *conn, const struct slice *parts, size_t count);
/* The same behind what `out` holds, or into it while the connection is corked. */
void conn_send(struct conn *conn, const struct slice *parts, size_t count);
void conn_uncork(struct conn *conn);
void conn_hold(struct conn *conn);
/* The next piece of the file: it is on its way, or the connection is closed. */
void conn_write_file(struct conn *conn);
void conn_answer(struct conn *conn, const struct http_response *response);

/* ---- stream.c: bodies in pieces ---- */

void stream_written(struct conn *conn);

void server_handle_closed(struct http_server *server);

#endif
