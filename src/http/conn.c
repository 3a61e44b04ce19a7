#include "http/conn.h"

#include "base/mem.h"

#include <unistd.h>

enum {
    READ_BUFFER = 64 << 10,
    IN_STOP = 32 << 10, /* pipelined bytes that wait for an answer: from here reading stops */
    IN_MAX = IN_STOP + READ_BUFFER,
    LINGER_MS = 2000, /* silence after which a connection that is done with is closed */
    LINGER_MAX_MS = 30000,
    KEEP_FREE = 64,       /* exchanges kept for reuse */
    KEEP_HEAD = 16 << 10, /* and the largest buffers for head and trailers kept in one */
};

static char read_buffer[READ_BUFFER]; /* one loop, one read at a time */
static struct exchange *free_exchanges;
static size_t free_count;
static size_t shared_pending; /* of the servers that have shared_max */

static struct exchange *exchange_take(struct conn *conn)
{
    struct exchange *x = free_exchanges;
    if (x) {
        free_exchanges = x->next_free;
        free_count--;
    } else {
        x = NEW(exchange);
        x->request.arena = arena_new();
        http_parse_init(&x->parse);
    }
    struct arena *arena = x->request.arena;
    x->request = (struct http_request){.arena = arena,
                                       .body_limit = conn->server->limits.body_max,
                                       .body = BUF_INIT(SIZE_MAX / 2)};
    x->conn = conn;
    x->answered = x->shown = x->paused = x->streams = x->full = false;
    http_parse_begin(&x->parse, &x->request, &conn->server->limits);
    return x;
}

/* Slow uploads on many connections add up, and so do long heads of requests that wait for their
 * answer: counts what this one holds. */
static void count_pending(struct exchange *x, size_t now)
{
    struct http_server *server = x->conn->server;
    server->pending += now - x->pending;
    if (server->limits.shared_max)
        shared_pending += now - x->pending;
    x->pending = now;
}

static void exchange_give(struct exchange *x)
{
    count_pending(x, 0);
    buf_free(&x->request.body);
    if (free_count >= KEEP_FREE || x->parse.head.cap > KEEP_HEAD ||
        x->parse.chunked.trailers.cap > KEEP_HEAD) {
        http_parse_free(&x->parse);
        arena_free(x->request.arena);
        free(x);
        return;
    }
    arena_clear(x->request.arena);
    x->next_free = free_exchanges;
    free_exchanges = x;
    free_count++;
}

void conn_set_due(struct conn *conn, uint32_t ms)
{
    conn->due = ms ? uv_now(conn->server->loop) + ms : 0;
}

void conn_body_due(struct conn *conn)
{
    bool unhurried = conn->exchange->request.unhurried;
    conn_set_due(conn, unhurried ? 0 : conn->server->limits.body_timeout_ms);
}

static void drop_file(struct conn *conn)
{
    if (conn->file_left)
        close(conn->file);
    conn->file_left = 0;
}

static void on_conn_closed(uv_handle_t *handle)
{
    struct conn *conn = CAST(conn, handle->data, CONN_MAGIC);
    struct http_server *server = conn->server;
    buf_free(&conn->in);
    buf_free(&conn->out);
    drop_file(conn);
    conn->magic = 0;
    free(conn);
    if (server->handler.on_conn_closed && !server->closing)
        server->handler.on_conn_closed(server->arg);
    server_handle_closed(server);
}

void conn_close(struct conn *conn)
{
    if (conn->closed)
        return;
    struct http_server *server = conn->server;
    conn->closed = true;
    list_remove(&conn->link);
    list_remove(&conn->hold);
    server->conn_count--;
    struct exchange *x = STEAL(conn->exchange);
    if (x) {
        if (x->shown && !x->answered && server->handler.on_abort)
            server->handler.on_abort(&x->request, server->arg);
        exchange_give(x);
    }
    uv_close((uv_handle_t *)&conn->tcp, on_conn_closed);
}

/* ---- the end ---- */

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)status;
    free(req);
}

/* Sends everything, then a FIN; what the peer still sends is read and thrown away for a moment, as
 * closing with unread bytes would make the kernel send a reset that eats our answer. */
static void finish(struct conn *conn)
{
    if (conn->finishing)
        return;
    if (conn->ended) {
        conn_close(conn);
        return;
    }
    conn->finishing = true;
    conn->linger_until = uv_now(conn->server->loop) + LINGER_MAX_MS;
    conn_set_due(conn, LINGER_MS);
    uv_shutdown_t *req = mem_new(sizeof *req);
    if (uv_shutdown(req, (uv_stream_t *)&conn->tcp, on_shutdown)) {
        free(req);
        conn_close(conn);
    }
}

/* ---- reading ---- */

static void conn_feed(struct conn *conn, const char *p, size_t n);

/* The request has been answered and the answer is written as far as the socket takes it. */
static void after_answer(struct conn *conn)
{
    if (conn->writing || conn->waiting || conn->corked || conn->closed)
        return;
    if (conn->file_left) {
        conn_write_file(conn);
        return;
    }
    if (conn->last) {
        finish(conn);
        conn_resume(conn);
        return;
    }
    if (!conn->exchange)
        conn_set_due(conn, conn->server->limits.idle_timeout_ms);
    if (conn->in.n) {
        struct buf in = conn->in;
        conn->in = BUF_INIT(IN_MAX);
        conn->corked = true;
        conn_feed(conn, in.p, in.n);
        buf_free(&in);
        if (!conn->closed) {
            conn_uncork(conn);
            after_answer(conn);
        }
    }
    conn_resume(conn);
}

void conn_written(struct conn *conn)
{
    if (conn->exchange && conn->exchange->streams)
        stream_written(conn);
    else
        after_answer(conn);
}

void conn_answered(struct conn *conn)
{
    struct exchange *x = conn->exchange;
    x->answered = true;
    if (x->parse.where == PARSE_AT_END || conn->last) {
        conn->exchange = NULL;
        conn->waiting = false;
        exchange_give(x);
    }
    after_answer(conn);
}

void http_respond(struct http_request *req, const struct http_response *response)
{
    struct exchange *x = (struct exchange *)(void *)req; /* its first member */
    must(!x->answered && !x->streams && x->conn->exchange == x);
    conn_answer(x->conn, response);
    conn_answered(x->conn);
}

static void respond_bare(struct conn *conn, struct exchange *x, int status)
{
    struct http_server *server = conn->server;
    conn->waiting = true;
    if (server->handler.on_malformed) {
        conn->last = x->shown = true;
        server->handler.on_malformed(&x->request, status, server->arg);
        return;
    }
    http_respond(&x->request, &(struct http_response){.status = status, .close = true});
}

/* `more`: bytes of the body came together with the head. */
static void on_event(struct conn *conn, enum http_parse_event event, bool more)
{
    struct http_server *server = conn->server;
    struct exchange *x = conn->exchange;
    switch (event) {
    case PARSE_MORE:
        if (x->request.want_pieces && x->request.body.n) {
            server->handler.on_body(&x->request, server->arg);
            if (conn->closed || conn->exchange != x)
                return;
            http_parse_handed_on(&x->parse);
        }
        count_pending(x, x->parse.head.n + x->request.body.n + x->parse.chunked.trailers.n);
        if (server->pending > server->limits.pending_max ||
            (server->limits.shared_max && shared_pending > server->limits.shared_max))
            respond_bare(conn, x, 503);
        break;
    case PARSE_HEAD:
        if (server->handler.on_head) {
            conn->waiting = x->shown = true;
            server->handler.on_head(&x->request, server->arg);
            if (conn->closed || conn->exchange != x)
                return;
            conn->waiting = false;
        }
        conn_body_due(conn);
        if (!more && http_parse_wants_continue(&x->parse))
            buf_slice(&conn->out, S("HTTP/1.1 100 Continue\r\n\r\n"));
        break;
    case PARSE_TOO_LARGE:
        conn->last = conn->waiting = x->shown = true;
        if (server->handler.on_too_large)
            server->handler.on_too_large(&x->request, server->arg);
        else
            http_respond(&x->request, &(struct http_response){.status = 413, .close = true});
        break;
    case PARSE_BAD:
        respond_bare(conn, x, x->parse.status);
        break;
    case PARSE_DONE:
        count_pending(x, x->parse.head.n); /* the body is the handler's from here on */
        conn->due = 0;
        conn->waiting = x->shown = true;
        server->handler.on_request(&x->request, server->arg);
        break;
    }
}

/* Everything that came, request after request, until one has to wait for its answer. */
static void conn_feed(struct conn *conn, const char *p, size_t n)
{
    bool poke = false; /* a head without a body is complete without further bytes */
    while ((n || poke) && !conn->closed && !conn->last) {
        if (conn->waiting || conn->writing || conn->file_left) {
            must(buf_add(&conn->in, p, n)); /* reading stops before it is full */
            if (conn->in.n >= IN_STOP)
                conn_pause(conn);
            return;
        }
        if (!conn->exchange) {
            if (!n)
                return;
            conn->exchange = exchange_take(conn);
            conn_set_due(conn, conn->server->limits.head_timeout_ms);
        }
        size_t used = 0;
        enum http_parse_event event = http_parse_feed(&conn->exchange->parse, p, n, &used);
        p += used;
        n -= used;
        poke = event == PARSE_HEAD;
        if (event == PARSE_MORE && conn->exchange->parse.where == PARSE_IN_BODY)
            conn_body_due(conn);
        on_event(conn, event, n > 0);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = (uv_buf_t){read_buffer, sizeof read_buffer};
}

static void on_end(struct conn *conn, ssize_t status)
{
    struct exchange *x = conn->exchange;
    if (x && !conn->waiting && x->parse.where == PARSE_IN_BODY && x->request.want_truncated) {
        x->request.truncated = true;
        conn->last = conn->waiting = x->shown = true;
        conn->server->handler.on_request(&x->request, conn->server->arg);
        if (conn->closed)
            return;
    }
    bool streams = conn->exchange && conn->exchange->streams;
    if (conn->writing && !streams &&
        status == UV_EOF) { /* it only stopped sending: let it have the answer */
        conn->last = conn->ended = true;
        uv_read_stop((uv_stream_t *)&conn->tcp);
        return;
    }
    conn_close(conn);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *conn = CAST(conn, stream->data, CONN_MAGIC);
    if (n == 0)
        return;
    if (n < 0) {
        on_end(conn, n);
        return;
    }
    if (conn->last) { /* thrown away */
        if (conn->finishing && uv_now(conn->server->loop) < conn->linger_until)
            conn_set_due(conn, LINGER_MS);
        return;
    }
    conn->corked = true;
    conn_feed(conn, buf->base, (size_t)n);
    if (conn->closed)
        return;
    bool streams = conn->exchange && conn->exchange->streams;
    if (conn->waiting && !streams && conn->out.n && conn->server->limits.hold_ms) {
        conn_hold(conn);
        return;
    }
    conn_uncork(conn);
    after_answer(conn);
}

void conn_pause(struct conn *conn)
{
    if (!conn->paused)
        uv_read_stop((uv_stream_t *)&conn->tcp);
    conn->paused = true;
}

void conn_resume(struct conn *conn)
{
    if (conn->closed || !conn->paused || conn->ended || conn->waiting || conn->in.n >= IN_STOP ||
        (conn->exchange && conn->exchange->paused))
        return;
    conn->paused = false;
    uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
}

bool conn_is_idle(const struct conn *conn)
{
    return !conn->exchange && !conn->writing && !conn->file_left && !conn->finishing;
}

bool conn_is_due(struct conn *conn, uint64_t now)
{
    if (conn->writing) { /* a slow reader is fine as long as it reads */
        size_t unsent = uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp);
        if (unsent != conn->unsent)
            conn_set_due(conn, conn->server->limits.body_timeout_ms);
        conn->unsent = unsent;
    }
    return conn->due && now >= conn->due;
}

void conn_expire(struct conn *conn)
{
    struct exchange *x = conn->exchange;
    if (x && !conn->waiting && !conn->last && !conn->writing)
        respond_bare(conn, x, 408);
    else
        conn_close(conn);
}

void conn_accept(struct http_server *server)
{
    struct conn *conn = NEW(conn);
    conn->magic = CONN_MAGIC;
    conn->server = server;
    conn->in = BUF_INIT(IN_MAX);
    conn->out = BUF_INIT(SIZE_MAX / 2);
    uv_tcp_init(server->loop, &conn->tcp);
    conn->tcp.data = conn;
    list_push_back(&server->conns, &conn->link);
    list_init(&conn->hold);
    server->conn_count++;
    server->handles++;
    if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&conn->tcp)) {
        conn_close(conn);
        return;
    }
    uv_tcp_nodelay(&conn->tcp, 1);
    if (server->conn_count > server->limits.conns_max + server->limits.conns_refused) {
        conn_close(conn);
        return;
    }
    uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
    if (server->conn_count > server->limits.conns_max) {
        conn->last = true;
        conn_write(conn,
                   &S("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                      "Connection: close\r\n\r\n"),
                   1);
        after_answer(conn);
        return;
    }
    /* A runtime may connect long before it asks. */
    conn_set_due(conn, server->limits.idle_timeout_ms ? server->limits.head_timeout_ms : 0);
}
