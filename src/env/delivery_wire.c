#include "env/delivery_wire.h"

#include "base/mem.h"
#include "http/reply.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* REPLY_MAX: what a subscriber answers is of no interest, and is not read for ever. */
enum { WIRE_MAGIC = 0x44575245, HEAD_MAX = 2048, READ_MAX = 16384, REPLY_MAX = 65536 };

enum { QUIET, WRITING, READING };

struct delivery_wire {
    uint32_t magic;
    int fd; /* configuration */
    delivery_wire_done *done;
    void *arg;
    unsigned doing; /* state */
    bool paused;
    bool http;
    struct buf head;
    struct slice body;
    size_t sent; /* of head and body together */
    struct http_reply reply;
    size_t reply_n;
    uv_poll_t poll;
};

static char chunk[READ_MAX]; /* nobody keeps it */

static void on_ready(uv_poll_t *poll, int status, int events);

/* Of one that has said all that it will the kernel tells again and again; while we write, nobody
 * could make it stop by reading. That it is gone is told anyway. */
static void watch(struct delivery_wire *wire)
{
    int events = wire->doing == WRITING ? UV_WRITABLE : UV_READABLE | UV_DISCONNECT;
    if (!wire->paused)
        must(uv_poll_start(&wire->poll, events, on_ready) == 0);
}

static void ended(struct delivery_wire *wire, enum delivery_wire_end end)
{
    wire->doing = QUIET;
    if (end == WIRE_TAKEN)
        watch(wire);
    else
        uv_poll_stop(&wire->poll);
    wire->done(wire->arg, end);
}

/* ---- the answer ---- */

static void begin_reply(struct delivery_wire *wire)
{
    http_reply_begin(&wire->reply);
    wire->reply_n = 0;
    wire->doing = READING;
    watch(wire);
}

static void judge(struct delivery_wire *wire)
{
    if (wire->reply.status >= 300)
        ended(wire, WIRE_FAILED);
    else
        ended(wire, wire->reply.keep_alive ? WIRE_TAKEN : WIRE_TAKEN_LAST);
}

static void read_reply(struct delivery_wire *wire)
{
    ssize_t n = recv(wire->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    wire->reply_n += n > 0 ? (size_t)n : 0;
    struct slice bytes = {chunk, n > 0 ? (size_t)n : 0};
    enum http_reply_event got = http_reply_feed(&wire->reply, bytes);
    if (got == REPLY_DONE)
        judge(wire);
    else if (got == REPLY_BAD || wire->reply_n > REPLY_MAX)
        ended(wire, WIRE_FAILED);
}

/* ---- the batch ---- */

static void write_some(struct delivery_wire *wire)
{
    struct slice head = slice_sub(buf_all(&wire->head), wire->sent, wire->head.n);
    size_t of_body = wire->sent > wire->head.n ? wire->sent - wire->head.n : 0;
    struct slice body = slice_sub(wire->body, of_body, wire->body.n);
    struct iovec parts[] = {{(void *)(uintptr_t)head.p, head.n},
                            {(void *)(uintptr_t)body.p, body.n}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = COUNT_OF(parts)};
    ssize_t n = sendmsg(wire->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        ended(wire, WIRE_FAILED);
        return;
    }
    wire->sent += n > 0 ? (size_t)n : 0;
    if (wire->sent < wire->head.n + wire->body.n)
        return;
    if (wire->http)
        begin_reply(wire);
    else
        ended(wire, WIRE_TAKEN);
}

/* Lines may be answered by whatever the subscriber likes: nobody reads it. */
static void read_nothing(struct delivery_wire *wire)
{
    ssize_t n = recv(wire->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (wire->http || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        ended(wire, WIRE_FAILED);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct delivery_wire *wire = CAST(delivery_wire, poll->data, WIRE_MAGIC);
    if (wire->doing == WRITING)
        write_some(wire);
    else if (wire->doing == READING)
        read_reply(wire);
    else
        read_nothing(wire);
}

struct delivery_wire *delivery_wire_new(uv_loop_t *loop, int fd, delivery_wire_done *done,
                                        void *arg)
{
    struct delivery_wire *wire = NEW(delivery_wire);
    wire->magic = WIRE_MAGIC;
    wire->fd = fd;
    wire->done = done;
    wire->arg = arg;
    wire->head = (struct buf)BUF_INIT(HEAD_MAX);
    must(uv_poll_init(loop, &wire->poll, fd) == 0);
    wire->poll.data = wire;
    return wire;
}

static void on_closed(uv_handle_t *handle)
{
    free(CAST(delivery_wire, handle->data, WIRE_MAGIC));
}

void delivery_wire_close(struct delivery_wire *wire)
{
    if (!wire)
        return;
    uv_close((uv_handle_t *)&wire->poll, on_closed);
    close(wire->fd);
    buf_free(&wire->head);
}

void delivery_wire_send(struct delivery_wire *wire, const struct subscription *how,
                        struct slice body)
{
    buf_clear(&wire->head);
    if (how->http)
        buf_printf(&wire->head,
                   "%s %s HTTP/1.1\r\nHost: sandbox.localdomain:%u\r\n"
                   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                   how->put ? "PUT" : "POST", how->path, how->port, body.n);
    wire->http = how->http;
    wire->body = body;
    wire->sent = 0;
    wire->doing = WRITING;
    watch(wire);
}

void delivery_wire_pause(struct delivery_wire *wire, bool on)
{
    wire->paused = on;
    if (on)
        uv_poll_stop(&wire->poll);
    else
        watch(wire);
}
