#include "test.h"

#include "peer.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct peer *peer = poll->data;
    static char buffer[256 << 10];
    ssize_t n = recv(peer->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n > 0) {
        buf_add(&peer->got, buffer, (size_t)n);
    } else if (n == 0 || errno != EAGAIN) {
        peer->ended = true;
        peer->reset = n < 0;
        uv_poll_stop(poll);
    }
}

void peer_open(struct peer *peer, uv_loop_t *loop, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *peer = (struct peer){.got = BUF_INIT(1u << 30)};
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->fd >= 0);
    assert_int_equal(connect(peer->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(uv_poll_init_socket(loop, &peer->poll, peer->fd), 0);
    peer->poll.data = peer;
    peer_read_on(peer);
}

void peer_stall(struct peer *peer)
{
    uv_poll_stop(&peer->poll);
}

void peer_read_on(struct peer *peer)
{
    uv_poll_start(&peer->poll, UV_READABLE, on_readable);
}

static void on_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;
    peer->fd = -1;
}

void peer_close(struct peer *peer)
{
    uv_loop_t *loop = peer->poll.loop;
    int fd = peer->fd;
    uv_close((uv_handle_t *)&peer->poll, on_closed);
    while (peer->fd >= 0)
        uv_run(loop, UV_RUN_NOWAIT);
    close(fd);
    buf_free(&peer->got);
}

void peer_end(struct peer *peer)
{
    shutdown(peer->fd, SHUT_WR);
}

static void on_alarm(uv_timer_t *timer)
{
    fail_msg("waited for 20 s in vain");
}

static void on_alarm_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

/* One turn of the loop that waits for an event, but not for ever. */
static void turn(uv_loop_t *loop)
{
    uv_timer_t alarm;
    bool closed = false;
    uv_timer_init(loop, &alarm);
    alarm.data = &closed;
    uv_timer_start(&alarm, on_alarm, 20000, 0);
    uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&alarm, on_alarm_closed);
    while (!closed)
        uv_run(loop, UV_RUN_NOWAIT);
}

void turn_until(uv_loop_t *loop, const size_t *what, size_t n)
{
    while (*what < n)
        turn(loop);
}

void turn_until_got(struct peer *peer, size_t n)
{
    while (peer->got.n < n && !peer->ended)
        turn(peer->poll.loop);
}

void turn_until_ended(struct peer *peer)
{
    while (!peer->ended)
        turn(peer->poll.loop);
}

void turn_while_busy(uv_loop_t *loop)
{
    /* On loopback whatever was sent has arrived; two empty turns end callbacks that make others. */
    for (int i = 0; i < 6; i++)
        uv_run(loop, UV_RUN_NOWAIT);
}

void peer_send(struct peer *peer, struct slice bytes)
{
    while (bytes.n && !peer->ended) {
        ssize_t n = send(peer->fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            bytes = slice_sub(bytes, (size_t)n, bytes.n);
        else if (errno != EAGAIN)
            return; /* the server has enough */
        uv_run(peer->poll.loop, UV_RUN_NOWAIT);
    }
}

int peer_answer(struct peer *peer, struct buf *head, struct buf *body)
{
    const char *end = NULL;
    while (!(end = peer->got.n ? memmem(peer->got.p, peer->got.n, "\r\n\r\n", 4) : NULL)) {
        if (peer->ended)
            return 0;
        turn_until_got(peer, peer->got.n + 1);
    }
    size_t head_n = (size_t)(end - peer->got.p) + 4;
    uint64_t length = 0, status = 0;
    struct slice lines = {peer->got.p, head_n}, line;
    assert_true(slice_starts(lines, S("HTTP/1.1 ")));
    assert_true(slice_u64(slice_sub(lines, 9, 3), &status));
    while (slice_cut(&lines, '\n', &line)) {
        if (slice_starts(line, S("Content-Length: ")))
            assert_true(slice_u64(slice_sub(line, 16, line.n - 17), &length));
    }
    turn_until_got(peer, head_n + length);
    assert_true(peer->got.n >= head_n + length);
    if (head) {
        buf_clear(head);
        buf_add(head, peer->got.p, head_n);
    }
    if (body) {
        buf_clear(body);
        buf_add(body, peer->got.p + head_n, length);
    }
    buf_drop(&peer->got, head_n + length);
    return (int)status;
}
