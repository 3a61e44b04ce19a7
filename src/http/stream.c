/* Bodies in pieces: requests that the handler takes as they come, answers that it gives so. */
#include "http/conn.h"

#include "http/answer.h"

#include <stdio.h>

enum { STREAM_FULL = 256 << 10 }; /* unwritten bytes from which on the handler shall wait */

static struct exchange *exchange_of(struct http_request *req)
{
    return (struct exchange *)(void *)req; /* its first member */
}

/* ---- requests ---- */

void http_body_pause(struct http_request *req)
{
    struct exchange *x = exchange_of(req);
    if (x->parse.where != PARSE_IN_BODY)
        return; /* all of it has come */
    x->paused = true;
    conn_pause(x->conn);
    x->conn->due = 0; /* we are the ones who take their time */
}

void http_body_resume(struct http_request *req)
{
    struct exchange *x = exchange_of(req);
    if (!x->paused)
        return;
    x->paused = false;
    conn_body_due(x->conn);
    conn_resume(x->conn);
}

/* ---- answers ---- */

static void add_all(struct buf *out, const struct slice *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_slice(out, parts[i]);
}

static size_t unwritten(const struct conn *conn)
{
    return conn->writing + conn->out.n;
}

void http_stream_begin(struct http_request *req, const struct http_response *response)
{
    struct exchange *x = exchange_of(req);
    struct conn *conn = x->conn;
    must(!x->answered && !x->streams && conn->exchange == x && x->parse.where == PARSE_AT_END);
    x->streams = true;
    x->bare = answer_is_bare(response->status) || slice_eq(req->method, S("HEAD"));
    x->chunked = x->parse.llhttp.http_minor == 1; /* else the connection's end is the body's */
    if (response->close || conn->server->draining || !x->parse.keep_alive)
        conn->last = true;
    list_remove(&conn->hold);
    answer_head(
        &conn->out, response,
        &(struct answer_form){.chunked = x->chunked, .endless = !x->chunked, .close = conn->last});
    conn_send(conn, NULL, 0);
}

bool http_stream_write(struct http_request *req, const struct slice *parts, size_t count)
{
    struct exchange *x = exchange_of(req);
    struct conn *conn = x->conn;
    struct slice all[HTTP_STREAM_PARTS + 2];
    char size[24];
    size_t n = 0;
    uint64_t total = 0;
    must(x->streams && count <= HTTP_STREAM_PARTS);
    for (size_t i = 0; i < count; i++)
        total += parts[i].n;
    if (total && !x->bare) {
        if (x->chunked)
            all[n++] = (struct slice){
                size, (size_t)snprintf(size, sizeof size, "%llx\r\n", (unsigned long long)total)};
        for (size_t i = 0; i < count; i++)
            all[n++] = parts[i];
        if (x->chunked)
            all[n++] = S("\r\n");
        if (conn->writing) /* small pieces shall not become small writes, each with its overhead */
            add_all(&conn->out, all, n);
        else
            conn_send(conn, all, n);
    }
    x->full = unwritten(conn) >= STREAM_FULL;
    return !x->full;
}

void http_stream_end(struct http_request *req)
{
    struct exchange *x = exchange_of(req);
    struct conn *conn = x->conn;
    struct slice last = x->chunked && !x->bare ? S("0\r\n\r\n") : (struct slice){NULL, 0};
    must(x->streams);
    if (conn->server->draining)
        conn->last = true;
    conn_send(conn, &last, 1);
    conn_answered(conn);
}

void stream_written(struct conn *conn)
{
    struct exchange *x = conn->exchange;
    if (conn->out.n)
        conn_send(conn, NULL, 0);
    if (conn->writing)
        return;
    conn->due = 0; /* it waits for the handler, and that has its own time */
    if (x->full) {
        x->full = false;
        conn->server->handler.on_drained(&x->request, conn->server->arg);
    }
}
