#include "http/conn.h"

#include "base/mem.h"
#include "http/answer.h"

#include <unistd.h>

enum {
    CORK_MAX = 8 << 10, /* larger answers are written at once */
    FILE_PIECE = 64 << 10,
    KEEP_OUT = 1 << 10, /* largest buffer for answers that an idle connection keeps */
};

/* Bytes that the socket did not take at once. */
struct pending_write {
    uv_write_t req;
    struct conn *conn;
    size_t n;
    char data[];
};

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
        conn_written(conn);
}

/* Nothing can be written any more. Closing it here would call the handler from within its own call:
 * the reading side sees the end, or the reaper. */
static void give_up(struct conn *conn)
{
    conn->last = true;
    conn->due = uv_now(conn->server->loop);
}

static void write_later(struct conn *conn, struct pending_write *w)
{
    uv_buf_t buf = {w->data, w->n};
    w->conn = conn;
    w->req.data = w;
    conn->writing += w->n;
    conn_set_due(conn, conn->server->limits.body_timeout_ms);
    if (uv_write(&w->req, (uv_stream_t *)&conn->tcp, &buf, 1, on_written)) {
        conn->writing -= w->n;
        give_up(conn);
        free(w);
    }
}

void conn_write_file(struct conn *conn)
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

void conn_write(struct conn *conn, const struct slice *parts, size_t count)
{
    uv_buf_t bufs[CONN_PARTS];
    unsigned used = 0;
    size_t total = 0;
    size_t done = 0;
    must(count <= CONN_PARTS);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].n)
            bufs[used++] = (uv_buf_t){(char *)(uintptr_t)parts[i].p, parts[i].n};
        total += parts[i].n;
    }
    if (!conn->writing && total) {
        int n = uv_try_write((uv_stream_t *)&conn->tcp, bufs, used);
        if (n < 0 && n != UV_EAGAIN) {
            give_up(conn);
            return;
        }
        done = n > 0 ? (size_t)n : 0;
    }
    if (done == total)
        return;
    struct pending_write *w = mem_new(sizeof *w + total - done);
    w->n = total - done;
    char *to = w->data;
    for (unsigned i = 0; i < used; i++) {
        size_t skip = done < bufs[i].len ? done : bufs[i].len;
        memcpy(to, bufs[i].base + skip, bufs[i].len - skip);
        to += bufs[i].len - skip;
        done -= skip;
    }
    write_later(conn, w);
}

static void out_done(struct conn *conn)
{
    if (conn->out.cap > KEEP_OUT)
        buf_free(&conn->out);
    else
        buf_clear(&conn->out);
}

void conn_send(struct conn *conn, const struct slice *parts, size_t count)
{
    struct slice all[CONN_PARTS] = {buf_all(&conn->out)};
    size_t total = 0;
    must(count < CONN_PARTS);
    for (size_t i = 0; i < count; i++) {
        all[i + 1] = parts[i];
        total += parts[i].n;
    }
    if (conn->corked && conn->out.n + total <= CORK_MAX) {
        for (size_t i = 0; i < count; i++)
            buf_slice(&conn->out, parts[i]);
        return;
    }
    conn_write(conn, all, count + 1);
    out_done(conn);
}

void conn_uncork(struct conn *conn)
{
    conn->corked = false;
    list_remove(&conn->hold);
    if (conn->out.n)
        conn_send(conn, NULL, 0);
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

void conn_hold(struct conn *conn)
{
    struct http_server *server = conn->server;
    conn->corked = false;
    if (!list_empty(&conn->hold))
        return; /* the peer sent more meanwhile: it waits no longer for that */
    conn->held_till = uv_now(server->loop) + server->limits.hold_ms;
    if (!uv_is_active((uv_handle_t *)&server->holder))
        uv_timer_start(&server->holder, on_held, server->limits.hold_ms, 0);
    list_push_back(&server->held, &conn->hold);
}

void conn_answer(struct conn *conn, const struct http_response *response)
{
    const struct exchange *x = conn->exchange;
    bool head_only = answer_is_bare(response->status) || slice_eq(x->request.method, S("HEAD"));
    if (response->close || conn->server->draining || !x->parse.keep_alive ||
        x->parse.where != PARSE_AT_END)
        conn->last = true;
    struct slice body = head_only ? (struct slice){NULL, 0} : response->body;
    list_remove(&conn->hold);
    answer_head(
        &conn->out, response,
        &(struct answer_form){.length = response->file ? response->file->size : response->body.n,
                              .close = conn->last});
    if (response->file) {
        conn->file = response->file->fd;
        conn->file_left = head_only ? 0 : response->file->size;
        if (!conn->file_left)
            close(conn->file);
    }
    conn_send(conn, &body, 1);
}
