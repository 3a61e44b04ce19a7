#include "http/conn.h"

#include "base/mem.h"
#include "http/answer.h"

#include <unistd.h>

enum {
    READ_BUFFER = 64 << 10,
    IN_STOP = 32 << 10, /* pipelined bytes that wait for an answer: from here reading stops */
    IN_MAX = IN_STOP + READ_BUFFER,
    CORK_MAX = 8 << 10, /* larger answers are written at once */
    FILE_PIECE = 64 << 10,
    KEEP_OUT = 1 << 10, /* largest buffer for answers that an idle connection keeps */
    LINGER_MS = 2000,   /* silence after which a connection that is done with is closed */
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
    x->answered = x->shown = false;
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

static void set_due(struct conn *conn, uint32_t ms)
{
    conn->due = ms ? uv_now(conn->server->loop) + ms : 0;
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

/* ---- writing ---- */

struct pending_write {
    uv_write_t req;
    struct conn *conn;
    size_t n;
    char data[];
};

static void after_answer(struct conn *conn);

static void on_written(uv_write_t *req, int status)
{
    struct pending_write *w = req->data;
    struct conn *conn = w->conn;
    conn->writing -= w->n;
    free(w);
    if (conn->closed)
        return;
    if (status < 0) {
        conn_close(conn);
        return;
    }
    if (!conn->writing)
        after_answer(conn);
}

static void write_later(struct conn *conn, struct pending_write *w)
{
    uv_buf_t buf = {w->data, w->n};
    w->conn = conn;
    w->req.data = w;
    conn->writing += w->n;
    if (uv_write(&w->req, (uv_stream_t *)&conn->tcp, &buf, 1, on_written)) {
        conn->writing -= w->n;
        conn->last = true;
        free(w);
    }
    set_due(conn, conn->server->limits.body_timeout_ms);
}

/* The next piece of the file: it is on its way, or the connection is closed. */
static void write_piece(struct conn *conn)
{
    size_t want = conn->file_left < FILE_PIECE ? (size_t)conn->file_left : FILE_PIECE;
    struct pending_write *w = mem_new(sizeof *w + want);
    ssize_t n = read(conn->file, w->data, want);
    if (n <= 0) { /* too late to say it: the peer sees that bytes are missing */
        free(w);
        conn_close(conn);
        return;
    }
    w->n = (size_t)n;
    conn->file_left -= (size_t)n;
    if (!conn->file_left)
        close(conn->file);
    write_later(conn, w);
}

/* Writes both parts; what the socket does not take is copied and follows. */
static void conn_write(struct conn *conn, struct slice head, struct slice body)
{
    uv_stream_t *stream = (uv_stream_t *)&conn->tcp;
    struct slice parts[2] = {head, body};
    if (!conn->writing) {
        uv_buf_t bufs[2] = {{(char *)(uintptr_t)head.p, head.n},
                            {(char *)(uintptr_t)body.p, body.n}};
        int done = uv_try_write(stream, bufs, body.n ? 2 : 1);
        if (done < 0 && done != UV_EAGAIN) {
            conn->last = true; /* the reading side will see the end */
            return;
        }
        for (size_t i = 0, left = done > 0 ? (size_t)done : 0; i < 2 && left; i++) {
            size_t n = left < parts[i].n ? left : parts[i].n;
            parts[i] = slice_sub(parts[i], n, parts[i].n);
            left -= n;
        }
    }
    size_t rest = parts[0].n + parts[1].n;
    if (!rest)
        return;
    struct pending_write *w = mem_new(sizeof *w + rest);
    w->n = rest;
    if (parts[0].n)
        memcpy(w->data, parts[0].p, parts[0].n);
    if (parts[1].n)
        memcpy(w->data + parts[0].n, parts[1].p, parts[1].n);
    write_later(conn, w);
}

static void out_done(struct conn *conn)
{
    if (conn->out.cap > KEEP_OUT)
        buf_free(&conn->out);
    else
        buf_clear(&conn->out);
}

static void conn_uncork(struct conn *conn)
{
    conn->corked = false;
    list_remove(&conn->hold);
    if (conn->out.n) {
        conn_write(conn, buf_all(&conn->out), (struct slice){NULL, 0});
        out_done(conn);
    }
}

/* Writes what was held long enough. */
static void on_held(uv_timer_t *timer)
{
    struct http_server *server = CAST(http_server, timer->data, HTTP_SERVER_MAGIC);
    uint64_t now = uv_now(server->loop);
    while (!list_empty(&server->held)) {
        struct conn *conn = LIST_FIRST(&server->held, conn, hold);
        if (conn->held_till > now) {
            uv_timer_start(&server->holder, on_held, conn->held_till - now, 0);
            return;
        }
        conn_uncork(conn);
    }
}

static void conn_hold(struct conn *conn)
{
    struct http_server *server = conn->server;
    conn->corked = false;
    conn->held_till = uv_now(server->loop) + server->limits.hold_ms;
    if (!uv_is_active((uv_handle_t *)&server->holder))
        uv_timer_start(&server->holder, on_held, server->limits.hold_ms, 0);
    list_push_back(&server->held, &conn->hold);
}

static void answer(struct conn *conn, struct exchange *x, const struct http_response *response)
{
    bool head_only = answer_is_bare(response->status) || slice_eq(x->request.method, S("HEAD"));
    if (response->close || conn->server->draining || !x->parse.keep_alive ||
        x->parse.where != PARSE_AT_END)
        conn->last = true;
    struct slice body = head_only ? (struct slice){NULL, 0} : response->body;
    list_remove(&conn->hold);
    answer_head(&conn->out, response, conn->last);
    if (response->file) {
        conn->file = response->file->fd;
        conn->file_left = head_only ? 0 : response->file->size;
        if (!conn->file_left)
            close(conn->file);
    }
    if (conn->corked && conn->out.n + body.n <= CORK_MAX) {
        buf_slice(&conn->out, body);
        return;
    }
    conn_write(conn, buf_all(&conn->out), body);
    out_done(conn);
}

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
    set_due(conn, LINGER_MS);
    uv_shutdown_t *req = mem_new(sizeof *req);
    if (uv_shutdown(req, (uv_stream_t *)&conn->tcp, on_shutdown)) {
        free(req);
        conn_close(conn);
    }
}

/* ---- reading ---- */

static void conn_feed(struct conn *conn, const char *p, size_t n);
static void conn_resume(struct conn *conn);

/* The request has been answered and the answer is written as far as the socket takes it. */
static void after_answer(struct conn *conn)
{
    if (conn->writing || conn->waiting || conn->corked || conn->closed)
        return;
    if (conn->file_left) {
        write_piece(conn);
        return;
    }
    if (conn->last) {
        finish(conn);
        conn_resume(conn);
        return;
    }
    if (!conn->exchange)
        set_due(conn, conn->server->limits.idle_timeout_ms);
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

void http_respond(struct http_request *req, const struct http_response *response)
{
    struct exchange *x = (struct exchange *)(void *)req; /* its first member */
    struct conn *conn = x->conn;
    must(!x->answered && conn->exchange == x);
    x->answered = true;
    answer(conn, x, response);
    if (x->parse.where == PARSE_AT_END || conn->last) {
        conn->exchange = NULL;
        conn->waiting = false;
        exchange_give(x);
    }
    after_answer(conn);
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
        count_pending(x, x->parse.head.n + x->request.body.n + x->parse.chunked.trailers.n);
        if (server->pending > server->limits.pending_max ||
            (server->limits.shared_max && shared_pending > server->limits.shared_max))
            respond_bare(conn, x, 503);
        break;
    case PARSE_HEAD:
        set_due(conn, server->limits.body_timeout_ms);
        if (server->handler.on_head) {
            conn->waiting = x->shown = true;
            server->handler.on_head(&x->request, server->arg);
            if (conn->closed || conn->exchange != x)
                return;
            conn->waiting = false;
        }
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
            if (conn->in.n >= IN_STOP && !conn->paused) {
                uv_read_stop((uv_stream_t *)&conn->tcp);
                conn->paused = true;
            }
            return;
        }
        if (!conn->exchange) {
            if (!n)
                return;
            conn->exchange = exchange_take(conn);
            set_due(conn, conn->server->limits.head_timeout_ms);
        }
        size_t used = 0;
        enum http_parse_event event = http_parse_feed(&conn->exchange->parse, p, n, &used);
        p += used;
        n -= used;
        poke = event == PARSE_HEAD;
        if (event == PARSE_MORE && conn->exchange->parse.where == PARSE_IN_BODY)
            set_due(conn, conn->server->limits.body_timeout_ms);
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
    if (conn->writing && status == UV_EOF) { /* it only stopped sending: let it have the answer */
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
            set_due(conn, LINGER_MS);
        return;
    }
    conn->corked = true;
    conn_feed(conn, buf->base, (size_t)n);
    if (conn->closed)
        return;
    if (conn->waiting && conn->out.n && conn->server->limits.hold_ms) {
        conn_hold(conn);
        return;
    }
    conn_uncork(conn);
    after_answer(conn);
}

static void conn_resume(struct conn *conn)
{
    if (conn->closed || !conn->paused || conn->ended || conn->waiting || conn->in.n >= IN_STOP)
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
            set_due(conn, conn->server->limits.body_timeout_ms);
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
        conn_write(
            conn,
            S("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            (struct slice){NULL, 0});
        after_answer(conn);
        return;
    }
    /* A runtime may connect long before it asks. */
    set_due(conn, server->limits.idle_timeout_ms ? server->limits.head_timeout_ms : 0);
}
