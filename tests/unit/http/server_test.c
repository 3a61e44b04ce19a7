#include "test.h"

#include "abuse.h"
#include "peer.h"

#include "base/mem.h"
#include "http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { HELD_MAX = 1024 };

/* The server under test and what its handler saw. */
static uv_loop_t loop;
static struct http_server *server;
static struct http_limits limits;
static struct http_handler handler;
static struct peer peer;
static size_t heads, requests, aborts, too_large, malformed, closed;
static struct http_request *held[HELD_MAX]; /* not answered yet, in order */
static size_t held_count;
static struct slice answer_body;

static void on_request_echo(struct http_request *req, void *arg)
{
    requests++;
    struct slice text =
        arena_printf(req->arena, "%.*s %.*s %.*s%s", FMT(req->method), FMT(req->target),
                     FMT(buf_all(&req->body)), req->truncated ? " truncated" : "");
    for (size_t i = 0; i < req->trailer_count; i++)
        text = arena_printf(req->arena, "%.*s %.*s=%.*s", FMT(text), FMT(req->trailers[i].name),
                            FMT(req->trailers[i].value));
    http_respond(req, &(struct http_response){.status = 200, .body = text});
}

static void on_request_hold(struct http_request *req, void *arg)
{
    requests++;
    assert_true(held_count < HELD_MAX);
    held[held_count++] = req;
}

static void on_request_big(struct http_request *req, void *arg)
{
    requests++;
    http_respond(req, &(struct http_response){.status = 200, .body = answer_body});
}

static void on_abort(struct http_request *req, void *arg)
{
    aborts++;
    for (size_t i = 0; i < held_count; i++) {
        if (held[i] == req)
            held[i] = NULL;
    }
}

static void on_conn_closed(void *arg)
{
    closed++;
}

static void release(size_t i)
{
    struct http_request *req = STEAL(held[i]);
    http_respond(req, &(struct http_response){.status = 200, .body = req->target});
}

static void listen_again(void)
{
    struct err err;
    server = http_listen(&loop, "127.0.0.1", 0, &limits, &handler, NULL, &err);
    assert_non_null(server);
}

static int setup(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    heads = requests = aborts = too_large = malformed = closed = held_count = 0;
    handler = (struct http_handler){
        .on_request = on_request_echo, .on_abort = on_abort, .on_conn_closed = on_conn_closed};
    limits = http_limits_public;
    assert_int_equal(uv_loop_init(&loop), 0);
    peer = (struct peer){.fd = -1};
    return 0;
}

static void start(void)
{
    listen_again();
    peer_open(&peer, &loop, http_server_port(server));
}

static int teardown(void **state)
{
    if (peer.fd >= 0)
        peer_close(&peer);
    http_server_close(STEAL(server));
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop); /* fails if anything is left open */
}

static void send_text(const char *text)
{
    peer_send(&peer, slice_str(text));
}

static void expect_answer(int status, const char *body)
{
    AUTO(buf) struct buf got = BUF_INIT(1 << 20);
    assert_int_equal(peer_answer(&peer, NULL, &got), status);
    assert_int_equal(got.n, strlen(body));
    assert_memory_equal(buf_all(&got).p, body, got.n);
}

/* ---- what comes in ---- */

static void abuse_is_answered_and_the_connection_closed(void **state)
{
    listen_again();
    for (size_t i = 0; i < COUNT_OF(abuse); i++) {
        peer_open(&peer, &loop, http_server_port(server));
        peer_send(&peer, abuse[i].bytes);
        int status = peer_answer(&peer, NULL, NULL);
        if (status != abuse[i].status)
            fail_msg("%s: %d, expected %d", abuse[i].name, status, abuse[i].status);
        if (status != 200) {
            turn_until_ended(&peer);
            assert_false(peer.reset);
            assert_int_equal(peer.got.n, 0);
        }
        peer_close(&peer);
    }
    assert_int_equal(aborts, 0);
}

static void requests_byte_by_byte(void **state)
{
    static const char text[] = CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n" GET "\r\n" POST
                                       "Content-Length: 4\r\n\r\nwxyz";
    start();
    for (size_t i = 0; i < sizeof text - 1; i++) {
        peer_send(&peer, (struct slice){text + i, 1});
        turn_while_busy(&loop);
    }
    expect_answer(200, "POST / abcde X=y");
    expect_answer(200, "GET / ");
    expect_answer(200, "POST / wxyz");
    assert_int_equal(requests, 3);
}

static void answers_to_pipelined_requests_leave_together(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(1 << 20);
    for (int i = 0; i < 20; i++)
        buf_printf(&text, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i);
    start();
    turn_while_busy(&loop);
    peer_send(&peer, buf_all(&text));
    while (!peer.got.n)
        uv_run(&loop, UV_RUN_ONCE);
    size_t together = peer.got.n;
    for (int i = 0; i < 20; i++) {
        char want[32];
        snprintf(want, sizeof want, "GET /%d ", i);
        expect_answer(200, want);
    }
    assert_true(together > 19 * 80); /* one write, hence one read */
}

static void a_bad_request_behind_a_good_one(void **state)
{
    start();
    send_text(GET "\r\n" GET "Broken\r\n\r\n" GET "\r\n");
    expect_answer(200, "GET / ");
    expect_answer(400, "");
    turn_until_ended(&peer);
    assert_int_equal(requests, 1);
}

static void pipelined_requests_wait_for_their_turn(void **state)
{
    handler.on_request = on_request_hold;
    start();
    send_text("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    turn_while_busy(&loop);
    assert_int_equal(requests, 1);
    release(0);
    expect_answer(200, "/a");
    assert_int_equal(requests, 2);
    release(1);
    expect_answer(200, "/b");
}

static void on_request_hold_get(struct http_request *req, void *arg)
{
    (slice_eq(req->method, S("GET")) ? on_request_hold : on_request_echo)(req, arg);
}

/* As a runtime does it: a response, and the next poll behind it. */
static void an_answer_may_wait_for_the_next(void **state)
{
    static const char both[] = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nGET /b "
                               "HTTP/1.1\r\nHost: x\r\n\r\n";
    handler.on_request = on_request_hold_get;
    limits.hold_ms = 10000;
    start();
    send_text(both);
    turn_until(&loop, &held_count, 1);
    turn_while_busy(&loop);
    assert_int_equal(peer.got.n, 0);
    release(0);
    while (!peer.got.n)
        uv_run(&loop, UV_RUN_ONCE);
    size_t together = peer.got.n;
    expect_answer(200, "POST /a ");
    size_t rest = peer.got.n;
    assert_true(rest > 0 && rest < together); /* one write */
    expect_answer(200, "/b");
}

static void an_answer_does_not_wait_for_ever(void **state)
{
    handler.on_request = on_request_hold_get;
    limits.hold_ms = 5;
    start();
    for (size_t i = 0; i < 3; i++) {
        send_text("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" GET "\r\n");
        expect_answer(200, "POST /a ");
        assert_int_equal(held_count, i + 1);
        release(i);
        expect_answer(200, "/");
    }
}

/* As a function may do it that forked, or means ill: the list of those that wait once became a
 * ring, and the loop never left it. */
static void more_comes_while_an_answer_waits(void **state)
{
    handler.on_request = on_request_hold_get;
    limits.hold_ms = 200;
    start();
    send_text("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" GET "\r\n");
    turn_until(&loop, &held_count, 1);
    send_text("GET /c HTTP/1.1\r\n");
    turn_while_busy(&loop);
    send_text("Host: x\r\n\r\n");
    expect_answer(200, "POST /a ");
    release(0);
    expect_answer(200, "/");
    turn_until(&loop, &held_count, 2);
    release(1);
    expect_answer(200, "/c");
}

static void who_goes_away_while_an_answer_waits(void **state)
{
    handler.on_request = on_request_hold_get;
    limits.hold_ms = 5;
    start();
    send_text("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" GET "\r\n");
    turn_until(&loop, &held_count, 1);
    peer_close(&peer);
    turn_until(&loop, &aborts, 1);
    turn_until(&loop, &closed, 1);
}

/* More than the server buffers, with bodies across its edges; answered late, one by one. */
static void much_is_pipelined(void **state)
{
    enum { COUNT = 300 };
    AUTO(buf) struct buf text = BUF_INIT(4 << 20);
    for (int i = 0; i < COUNT; i++) {
        buf_printf(&text, "POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n", i);
        for (int k = 0; k < 2000; k++)
            buf_char(&text, 'a');
    }
    handler.on_request = on_request_hold;
    start();
    struct slice left = buf_all(&text);
    size_t answered = 0, got = 0;
    while (got < COUNT) {
        ssize_t n = left.n ? send(peer.fd, left.p, left.n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        if (n > 0)
            left = slice_sub(left, (size_t)n, left.n);
        turn_while_busy(&loop);
        if (held_count > answered)
            release(answered++);
        while (peer.got.n) {
            char want[16];
            snprintf(want, sizeof want, "/%zu", got++);
            expect_answer(200, want);
        }
    }
}

static void a_body_behind_an_expectation(void **state)
{
    start();
    send_text(POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(peer_answer(&peer, NULL, NULL), 100);
    assert_int_equal(requests, 0);
    send_text("hello");
    expect_answer(200, "POST / hello");
    /* the body came along: no need to be asked for */
    send_text(POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
    expect_answer(200, "POST / hello");
    /* nothing to wait for */
    send_text(POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n");
    expect_answer(200, "POST / ");
}

static void a_body_that_would_be_too_large_is_not_asked_for(void **state)
{
    start();
    send_text(POST "Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n");
    expect_answer(413, "");
    turn_until_ended(&peer);
}

static void bodies_of_6_mb_and_back(void **state)
{
    enum { SIZE = 6 << 20 };
    AUTO(free) char *data = mem_new(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)('a' + i % 23);
    start();
    send_text("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6291456\r\n\r\n");
    peer_send(&peer, (struct slice){data, SIZE});
    AUTO(buf) struct buf body = BUF_INIT(8 << 20);
    assert_int_equal(peer_answer(&peer, NULL, &body), 200);
    assert_int_equal(body.n, SIZE + 7);
    assert_memory_equal(body.p + 7, data, SIZE);
}

static void raise_limit(struct http_request *req, void *arg)
{
    req->body_limit = 100 << 20;
}

static size_t body_size;

static void on_request_take(struct http_request *req, void *arg)
{
    struct buf taken = req->body;
    req->body = BUF_INIT(0);
    body_size = taken.n;
    buf_free(&taken);
    http_respond(req, &(struct http_response){.status = 204});
}

static void a_body_of_70_mb_is_taken(void **state)
{
    enum { PIECE = 1 << 20, COUNT = 70 };
    AUTO(free) char *data = mem_new(PIECE);
    handler.on_head = raise_limit;
    handler.on_request = on_request_take;
    start();
    send_text("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < COUNT; i++) {
        send_text("100000\r\n");
        peer_send(&peer, (struct slice){data, PIECE});
        send_text("\r\n");
    }
    send_text("0\r\n\r\n");
    expect_answer(204, "");
    assert_int_equal(body_size, 70u << 20);
    send_text(GET "\r\n");
    expect_answer(204, "");
}

static void answer_too_large(struct http_request *req, void *arg)
{
    too_large++;
    http_respond(req, &(struct http_response){.status = 413, .body = S("too much")});
}

/* The client still sends while it is refused: it must see the answer, not a reset. */
static void a_body_that_is_too_large(void **state)
{
    AUTO(free) char *data = mem_new(7 << 20);
    handler.on_too_large = answer_too_large;
    listen_again();
    static const char *const heads_of[] = {POST "Content-Length: 7340032\r\n\r\n",
                                           CHUNKED "700000\r\n"};
    for (size_t i = 0; i < COUNT_OF(heads_of); i++) {
        peer_open(&peer, &loop, http_server_port(server));
        send_text(heads_of[i]);
        peer_send(&peer, (struct slice){data, 7 << 20});
        expect_answer(413, "too much");
        turn_until_ended(&peer);
        assert_false(peer.reset);
        peer_close(&peer);
    }
    assert_int_equal(too_large, 2);
    assert_int_equal(requests + aborts, 0);
}

static void ask_for_truncated(struct http_request *req, void *arg)
{
    req->want_truncated = true;
}

static void a_truncated_body_is_told_to_who_asks(void **state)
{
    handler.on_head = ask_for_truncated;
    start();
    send_text(POST "Content-Length: 10\r\n\r\nhell");
    turn_while_busy(&loop);
    peer_end(&peer);
    turn_until(&loop, &closed, 1);
    assert_int_equal(requests, 1);
    assert_int_equal(aborts, 0);
}

static void a_truncated_body_is_an_abort_to_others(void **state)
{
    start();
    send_text(POST "Content-Length: 10\r\n\r\nhell");
    turn_while_busy(&loop);
    peer_end(&peer);
    turn_until(&loop, &closed, 1);
    assert_int_equal(requests, 0);
    assert_int_equal(aborts, 0); /* the handler has never heard of it */
}

static void count_head(struct http_request *req, void *arg)
{
    heads++;
}

static void who_saw_the_head_sees_the_abort(void **state)
{
    handler.on_head = count_head;
    start();
    send_text(POST "Content-Length: 10\r\n\r\nhell");
    turn_until(&loop, &heads, 1);
    peer_end(&peer);
    turn_until(&loop, &aborts, 1);
    assert_int_equal(requests, 0);
}

static void who_waits_for_an_answer_goes_away(void **state)
{
    handler.on_request = on_request_hold;
    start();
    send_text(GET "\r\n");
    turn_until(&loop, &requests, 1);
    peer_close(&peer);
    turn_until(&loop, &aborts, 1);
    turn_until(&loop, &closed, 1);
    assert_null(held[0]);
}

static void a_reset_while_waiting(void **state)
{
    handler.on_request = on_request_hold;
    start();
    send_text(GET "\r\n");
    turn_until(&loop, &requests, 1);
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    peer_close(&peer);
    turn_until(&loop, &aborts, 1);
}

/* ---- what goes out ---- */

static void late_answers_keep_the_connection(void **state)
{
    handler.on_request = on_request_hold;
    start();
    for (size_t i = 0; i < 3; i++) {
        send_text(GET "\r\n");
        turn_until(&loop, &requests, i + 1);
        turn_while_busy(&loop);
        assert_int_equal(peer.got.n, 0);
        release(i);
        expect_answer(200, "/");
    }
    assert_int_equal(closed, 0);
}

static void connections_close_when_asked(void **state)
{
    static const char *const asks[] = {
        GET "Connection: close\r\n\r\n", GET "Connection: foo, Close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"};
    listen_again();
    for (size_t i = 0; i < COUNT_OF(asks); i++) {
        AUTO(buf) struct buf head = BUF_INIT(4096);
        peer_open(&peer, &loop, http_server_port(server));
        send_text(asks[i]);
        assert_int_equal(peer_answer(&peer, &head, NULL), 200);
        assert_non_null(memmem(head.p, head.n, "\r\nConnection: close\r\n", 21));
        turn_until_ended(&peer);
        peer_close(&peer);
    }
    turn_until(&loop, &closed, COUNT_OF(asks));
}

static void on_request_headers(struct http_request *req, void *arg)
{
    static const struct http_header headers[] = {
        {S_INIT("X-One"), S_INIT("1")},
        {S_INIT("X-Bad\r\nX-Evil: 1"), S_INIT("a\r\nX-Evil: 2\r\n\r\n<html>\0")}};
    http_respond(req, &(struct http_response){.status = 200,
                                              .headers = headers,
                                              .header_count = COUNT_OF(headers),
                                              .body = S("hello"),
                                              .no_date = slice_eq(req->path, S("/undated"))});
}

static void nothing_can_be_smuggled_into_a_head(void **state)
{
    AUTO(buf) struct buf head = BUF_INIT(4096);
    handler.on_request = on_request_headers;
    start();
    send_text("GET /undated HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(peer_answer(&peer, &head, NULL), 200);
    buf_char(&head, '\0');
    assert_string_equal(head.p, "HTTP/1.1 200 OK\r\nX-One: 1\r\n"
                                "X-Bad  X-Evil: 1: a  X-Evil: 2    <html> \r\n"
                                "Content-Length: 5\r\n\r\n");
}

static void heads_carry_the_date(void **state)
{
    AUTO(buf) struct buf head = BUF_INIT(4096);
    start();
    send_text(GET "\r\n");
    assert_int_equal(peer_answer(&peer, &head, NULL), 200);
    const char *date = memmem(head.p, head.n, "\r\nDate: ", 8);
    assert_non_null(date);
    assert_memory_equal(date + 33, " GMT\r\n", 6);
}

static void head_requests_get_no_body(void **state)
{
    AUTO(buf) struct buf head = BUF_INIT(4096);
    handler.on_request = on_request_headers;
    start();
    send_text("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    turn_while_busy(&loop);
    for (int i = 0; i < 2; i++) {
        const char *end = memmem(peer.got.p, peer.got.n, "\r\n\r\n", 4);
        assert_non_null(end);
        assert_non_null(memmem(peer.got.p, peer.got.n, "Content-Length: 5\r\n", 19));
        buf_drop(&peer.got, (size_t)(end + 4 - peer.got.p));
    }
    assert_int_equal(peer.got.n, 0);
}

static void answer_at_head(struct http_request *req, void *arg)
{
    heads++;
    http_respond(req, &(struct http_response){.status = 403, .body = S("no")});
}

static void an_answer_at_the_head_throws_the_body_away(void **state)
{
    AUTO(free) char *data = mem_new(1 << 20);
    handler.on_head = answer_at_head;
    start();
    send_text(GET "\r\n" GET "\r\n"); /* no body: the connection goes on */
    expect_answer(403, "no");
    expect_answer(403, "no");
    send_text(POST "Content-Length: 1048576\r\n\r\n");
    peer_send(&peer, (struct slice){data, 1 << 20});
    expect_answer(403, "no");
    turn_until_ended(&peer);
    assert_false(peer.reset);
    assert_int_equal(heads, 3);
    assert_int_equal(requests + aborts, 0);
}

/* A peer that does not read is not served further, however much it asks for. */
static void who_does_not_read_waits(void **state)
{
    AUTO(free) char *data = mem_new(20 << 20);
    answer_body = (struct slice){data, 20 << 20};
    handler.on_request = on_request_big;
    start();
    peer_stall(&peer);
    for (int i = 0; i < 3; i++)
        send_text(GET "\r\n");
    turn_while_busy(&loop);
    assert_int_equal(requests, 1);
    peer_read_on(&peer);
    for (int i = 0; i < 3; i++) {
        AUTO(buf) struct buf body = BUF_INIT(32 << 20);
        assert_int_equal(peer_answer(&peer, NULL, &body), 200);
        assert_int_equal(body.n, 20 << 20);
    }
    assert_int_equal(requests, 3);
}

enum { FILE_SIZE = 20 << 20 };

static char file_path[] = "/proc/self/fd/2147483647"; /* of a temporary file */
static int file = -1;

static void make_file(void)
{
    AUTO(free) char *data = mem_new(FILE_SIZE);
    for (size_t i = 0; i < FILE_SIZE; i++)
        data[i] = (char)(i >> 10);
    file = memfd_create("file", MFD_CLOEXEC);
    assert_int_equal(write(file, data, FILE_SIZE), FILE_SIZE);
    snprintf(file_path, sizeof file_path, "/proc/self/fd/%d", file);
}

static void on_request_file(struct http_request *req, void *arg)
{
    requests++;
    int fd = open(file_path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    http_respond(
        req, &(struct http_response){.status = 200, .file = &(struct http_file){fd, FILE_SIZE}});
}

static void a_file_is_read_as_the_peer_takes_it(void **state)
{
    make_file();
    handler.on_request = on_request_file;
    start();
    peer_stall(&peer);
    turn_while_busy(&loop);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (int i = 0; i < 2; i++)
        send_text(GET "\r\n");
    send_text("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" GET "\r\n");
    turn_while_busy(&loop);
    assert_int_equal(requests, 1);
    assert_true(mallinfo2().uordblks + mallinfo2().hblkhd < before + (1 << 20));
    peer_read_on(&peer);
    for (int i = 0; i < 2; i++) {
        AUTO(buf) struct buf body = BUF_INIT(32 << 20);
        assert_int_equal(peer_answer(&peer, NULL, &body), 200);
        assert_int_equal(body.n, FILE_SIZE);
        for (size_t k = 0; k < body.n; k += 1023)
            assert_int_equal(body.p[k], (char)(k >> 10));
    }
    turn_until(&loop, &requests, 4);
    close(file);
}

static void a_file_ends_early(void **state)
{
    make_file();
    handler.on_request = on_request_file;
    start();
    peer_stall(&peer);
    send_text(GET "\r\n");
    turn_while_busy(&loop);
    assert_int_equal(ftruncate(file, FILE_SIZE / 2), 0);
    peer_read_on(&peer);
    turn_until_ended(&peer);
    assert_true(peer.got.n > FILE_SIZE / 2 && peer.got.n < FILE_SIZE);
    close(file);
}

static void who_goes_away_in_the_middle_of_a_file(void **state)
{
    make_file();
    handler.on_request = on_request_file;
    start();
    peer_stall(&peer);
    int next = open("/dev/null", O_RDONLY);
    close(next);
    send_text(GET "\r\n");
    turn_while_busy(&loop);
    peer_close(&peer);
    turn_until(&loop, &closed, 1);
    int again = open("/dev/null", O_RDONLY);
    assert_true(again <= next); /* nothing is left open */
    close(again);
    close(file);
}

static void a_large_answer_survives_a_half_closed_peer(void **state)
{
    AUTO(free) char *data = mem_new(20 << 20);
    answer_body = (struct slice){data, 20 << 20};
    handler.on_request = on_request_big;
    start();
    peer_stall(&peer);
    send_text(GET "\r\n");
    turn_while_busy(&loop);
    peer_end(&peer);
    turn_while_busy(&loop);
    peer_read_on(&peer);
    AUTO(buf) struct buf body = BUF_INIT(32 << 20);
    assert_int_equal(peer_answer(&peer, NULL, &body), 200);
    assert_int_equal(body.n, 20 << 20);
    turn_until_ended(&peer);
}

static void a_peer_that_goes_away_in_the_middle_of_an_answer(void **state)
{
    AUTO(free) char *data = mem_new(20 << 20);
    answer_body = (struct slice){data, 20 << 20};
    handler.on_request = on_request_big;
    start();
    peer_stall(&peer);
    send_text(GET "\r\n");
    turn_while_busy(&loop);
    peer_close(&peer);
    turn_until(&loop, &closed, 1);
    assert_int_equal(aborts, 0);
}

/* ---- time ---- */

static void slow_heads_and_bodies_end_in_408(void **state)
{
    static const char *const pieces[] = {"G",
                                         "GET / HTTP/1.1\r\nHost: x\r\n",
                                         "\r\n",
                                         POST "Content-Length: 5\r\n\r\nhell",
                                         CHUNKED "5\r\nhell",
                                         CHUNKED "5\r\nhello\r\n0\r\nA"};
    limits.head_timeout_ms = limits.body_timeout_ms = limits.idle_timeout_ms = 20;
    listen_again();
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        peer_open(&peer, &loop, http_server_port(server));
        send_text(pieces[i]);
        expect_answer(408, "");
        turn_until_ended(&peer);
        peer_close(&peer);
    }
}

static void idle_connections_are_closed_without_a_word(void **state)
{
    limits.idle_timeout_ms = 20;
    start();
    send_text(GET "\r\n");
    expect_answer(200, "GET / ");
    turn_until_ended(&peer);
    assert_int_equal(peer.got.n, 0);
}

static void who_connects_and_says_nothing(void **state)
{
    limits.head_timeout_ms = 20;
    start();
    turn_until_ended(&peer);
    assert_int_equal(peer.got.n, 0);
}

static void handlers_may_take_their_time(void **state)
{
    limits.head_timeout_ms = limits.body_timeout_ms = limits.idle_timeout_ms = 1;
    handler.on_request = on_request_hold;
    listen_again();
    struct peer other;
    peer_open(&peer, &loop, http_server_port(server));
    send_text(GET "\r\n");
    turn_until(&loop, &requests, 1);
    peer_open(&other, &loop, http_server_port(server)); /* its end tells that time has passed */
    turn_until_ended(&other);
    assert_int_equal(aborts, 0);
    release(0);
    expect_answer(200, "/");
    peer_close(&other);
}

static void who_never_reads_is_closed(void **state)
{
    AUTO(free) char *data = mem_new(20 << 20);
    answer_body = (struct slice){data, 20 << 20};
    limits.body_timeout_ms = 20;
    handler.on_request = on_request_big;
    start();
    peer_stall(&peer);
    send_text(GET "\r\n");
    turn_until(&loop, &closed, 1);
}

/* ---- ends ---- */

static void closing_the_server_aborts_what_is_open(void **state)
{
    handler.on_request = on_request_hold;
    start();
    send_text(GET "\r\n");
    turn_until(&loop, &requests, 1);
    http_server_close(STEAL(server));
    assert_int_equal(aborts, 1);
    turn_until_ended(&peer);
    assert_int_equal(closed, 0); /* no callback after the close */
}

static void on_request_close(struct http_request *req, void *arg)
{
    requests++;
    http_server_close(STEAL(server));
}

static void a_server_drains(void **state)
{
    struct peer idle = {.fd = -1};
    handler.on_request = on_request_hold;
    start();
    peer_open(&idle, &loop, http_server_port(server));
    send_text(GET "\r\n" GET "\r\n");
    turn_until(&loop, &requests, 1);
    turn_while_busy(&loop);
    assert_false(http_server_drain(server));
    turn_until_ended(&idle);
    peer_close(&idle);
    assert_int_equal(peer.got.n, 0);
    release(0);
    AUTO(buf) struct buf head = BUF_INIT(4096);
    assert_int_equal(peer_answer(&peer, &head, NULL), 200);
    assert_non_null(memmem(head.p, head.n, "Connection: close", 17));
    turn_until_ended(&peer);
    assert_int_equal(requests, 1); /* what was pipelined behind it is asked again elsewhere */
    assert_true(http_server_drain(server));
}

static void a_handler_may_close_the_server(void **state)
{
    handler.on_request = on_request_close;
    start();
    send_text(GET "\r\n" GET "\r\n");
    turn_until_ended(&peer);
    assert_int_equal(requests, 1);
    assert_int_equal(aborts, 1);
}

static void on_malformed_close(struct http_request *req, int status, void *arg)
{
    malformed++;
    assert_int_equal(status, 408);
    http_server_close(STEAL(server));
}

/* From the timer that walks over all connections, of which several are due. */
static void a_handler_may_close_the_server_on_a_timeout(void **state)
{
    struct peer others[5];
    limits.head_timeout_ms = 20;
    handler.on_malformed = on_malformed_close;
    start();
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        peer_open(&others[i], &loop, http_server_port(server));
        peer_send(&others[i], S("GET / HT"));
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        turn_until_ended(&others[i]);
        peer_close(&others[i]);
    }
    assert_int_equal(malformed, 1);
}

static void servers_come_and_go_in_one_turn(void **state)
{
    for (int i = 0; i < 50; i++) {
        listen_again();
        http_server_close(STEAL(server));
    }
    start();
    send_text(GET "\r\n");
    expect_answer(200, "GET / ");
}

static void a_port_that_is_taken(void **state)
{
    struct err err = {0};
    start();
    assert_null(
        http_listen(&loop, "127.0.0.1", http_server_port(server), &limits, &handler, NULL, &err));
    assert_int_equal(err.os, EADDRINUSE);
    assert_null(http_listen(&loop, "not an address", 0, &limits, &handler, NULL, &err));
}

static void a_listener_that_is_handed_over(void **state)
{
    struct err err = {0};
    struct sockaddr_storage address;
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    start();
    memset(&address, 0, sizeof address);
    address.ss_family = AF_INET;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(fd, 16), 0);
    struct http_server *second = http_listen_fd(&loop, fd, &limits, &handler, NULL, &err);
    assert_non_null(second);
    struct peer other;
    peer_open(&other, &loop, http_server_port(second));
    peer_send(&other, S(GET "\r\n"));
    assert_int_equal(peer_answer(&other, NULL, NULL), 200);
    peer_close(&other);
    http_server_close(second);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_null(http_listen_fd(&loop, fd, &limits, &handler, NULL, &err));
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* ---- many ---- */

static void too_many_connections_get_503(void **state)
{
    struct peer others[4];
    limits.conns_max = 2;
    listen_again();
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        peer_open(&others[i], &loop, http_server_port(server));
        peer_send(&others[i], S(GET "\r\n"));
        assert_int_equal(peer_answer(&others[i], NULL, NULL), i < 2 ? 200 : 503);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (i >= 2)
            turn_until_ended(&others[i]);
        peer_close(&others[i]);
    }
    turn_until(&loop, &closed, 4);
    peer_open(&peer, &loop, http_server_port(server));
    send_text(GET "\r\n");
    expect_answer(200, "GET / ");
}

/* Many uploads that never end: the one too many is refused, and what others hold is given back. */
static void unfinished_requests_are_bounded_together(void **state)
{
    enum { PIECE = 1 << 20 };
    struct peer others[4];
    AUTO(free) char *data = mem_new(PIECE);
    limits.pending_max = 3 * PIECE + PIECE / 2;
    listen_again();
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        peer_open(&others[i], &loop, http_server_port(server));
        peer_send(&others[i], S(POST "Content-Length: 1048577\r\n\r\n"));
        peer_send(&others[i], (struct slice){data, PIECE});
        turn_while_busy(&loop);
    }
    assert_int_equal(peer_answer(&others[3], NULL, NULL), 503);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (i < 3) {
            peer_send(&others[i], S("x"));
            assert_int_equal(peer_answer(&others[i], NULL, NULL), 200);
        }
        peer_close(&others[i]);
    }
    peer_open(&peer, &loop, http_server_port(server));
    send_text(POST "Content-Length: 1048577\r\n\r\n");
    peer_send(&peer, (struct slice){data, PIECE});
    send_text("x");
    assert_int_equal(peer_answer(&peer, NULL, NULL), 200);
}

static void send_in_pieces(struct peer *to, struct slice bytes, size_t piece)
{
    for (; bytes.n; bytes = slice_sub(bytes, piece, bytes.n)) {
        peer_send(to, slice_sub(bytes, 0, piece));
        turn_while_busy(&loop);
    }
}

/* A long head stays as long as its request waits for the answer. */
static void heads_that_wait_are_bounded_together(void **state)
{
    enum { HEAD = 200000 };
    struct peer others[4];
    AUTO(buf) struct buf head = BUF_INIT(2 * HEAD);
    buf_slice(&head, S(GET "A: "));
    while (head.n < HEAD)
        buf_char(&head, 'a');
    buf_slice(&head, S("\r\n\r\n"));
    handler.on_request = on_request_hold;
    limits.pending_max = 3 * HEAD + HEAD / 4;
    listen_again();
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        peer_open(&others[i], &loop, http_server_port(server));
        send_in_pieces(&others[i], buf_all(&head), 60000);
    }
    assert_int_equal(peer_answer(&others[3], NULL, NULL), 503);
    assert_int_equal(held_count, 3);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (i < 3) {
            release(i);
            assert_int_equal(peer_answer(&others[i], NULL, NULL), 200);
        }
        peer_close(&others[i]);
    }
    held_count = 0;
    peer_open(&peer, &loop, http_server_port(server));
    send_in_pieces(&peer, buf_all(&head), 60000);
    assert_int_equal(held_count, 1);
    release(0);
    assert_int_equal(peer_answer(&peer, NULL, NULL), 200);
}

static void trailers_are_bounded_together(void **state)
{
    enum { TRAILER = 200000 };
    struct peer others[4];
    AUTO(buf) struct buf text = BUF_INIT(2 * TRAILER);
    buf_slice(&text, S(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nA: "));
    while (text.n < TRAILER)
        buf_char(&text, 'a');
    limits.trailers_max = 2 * TRAILER;
    limits.pending_max = 3 * TRAILER + TRAILER / 4;
    listen_again();
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        peer_open(&others[i], &loop, http_server_port(server));
        send_in_pieces(&others[i], buf_all(&text), 60000);
    }
    assert_int_equal(peer_answer(&others[3], NULL, NULL), 503);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        peer_close(&others[i]);
}

static void out_of_descriptors(void **state)
{
    struct rlimit before, tight;
    int fill[256];
    size_t filled = 0;
    start();
    turn_while_busy(&loop);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct peer other;
    peer_open(&other, &loop, http_server_port(server));
    tight = before;
    tight.rlim_cur = (rlim_t)other.fd + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    while (filled < COUNT_OF(fill) && (fill[filled] = dup(0)) >= 0)
        filled++;
    turn_until_ended(&other);
    while (filled)
        close(fill[--filled]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    peer_close(&other);
    send_text(GET "\r\n"); /* the others are not touched, and new ones come through again */
    expect_answer(200, "GET / ");
    peer_open(&other, &loop, http_server_port(server));
    peer_send(&other, S(GET "\r\n"));
    assert_int_equal(peer_answer(&other, NULL, NULL), 200);
    peer_close(&other);
}

static void idle_connections_are_small(void **state)
{
    enum { COUNT = 2500 };
    int fds[COUNT];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listen_again();
    address.sin_port = htons(http_server_port(server));
    size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < COUNT; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof address), 0);
        struct slice text = S(GET "\r\n");
        assert_int_equal(send(fds[i], text.p, text.n, MSG_NOSIGNAL), text.n);
        turn_until(&loop, &requests, i + 1);
    }
    size_t each = (mallinfo2().uordblks - before) / COUNT;
    print_message("an idle connection: %zu bytes\n", each);
    assert_true(each <= 1024);
    for (size_t i = 0; i < COUNT; i++)
        close(fds[i]);
    turn_until(&loop, &closed, COUNT);
    turn_while_busy(&loop);
    assert_true(mallinfo2().uordblks < before + COUNT * 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(abuse_is_answered_and_the_connection_closed),
        TEST(requests_byte_by_byte),
        TEST(answers_to_pipelined_requests_leave_together),
        TEST(a_bad_request_behind_a_good_one),
        TEST(pipelined_requests_wait_for_their_turn),
        TEST(much_is_pipelined),
        TEST(an_answer_may_wait_for_the_next),
        TEST(an_answer_does_not_wait_for_ever),
        TEST(more_comes_while_an_answer_waits),
        TEST(who_goes_away_while_an_answer_waits),
        TEST(a_body_behind_an_expectation),
        TEST(a_body_that_would_be_too_large_is_not_asked_for),
        TEST(bodies_of_6_mb_and_back),
        TEST(a_body_of_70_mb_is_taken),
        TEST(a_body_that_is_too_large),
        TEST(a_truncated_body_is_told_to_who_asks),
        TEST(a_truncated_body_is_an_abort_to_others),
        TEST(who_saw_the_head_sees_the_abort),
        TEST(who_waits_for_an_answer_goes_away),
        TEST(a_reset_while_waiting),
        TEST(late_answers_keep_the_connection),
        TEST(connections_close_when_asked),
        TEST(nothing_can_be_smuggled_into_a_head),
        TEST(heads_carry_the_date),
        TEST(head_requests_get_no_body),
        TEST(an_answer_at_the_head_throws_the_body_away),
        TEST(who_does_not_read_waits),
        TEST(a_file_is_read_as_the_peer_takes_it),
        TEST(a_file_ends_early),
        TEST(who_goes_away_in_the_middle_of_a_file),
        TEST(a_large_answer_survives_a_half_closed_peer),
        TEST(a_peer_that_goes_away_in_the_middle_of_an_answer),
        TEST(slow_heads_and_bodies_end_in_408),
        TEST(idle_connections_are_closed_without_a_word),
        TEST(who_connects_and_says_nothing),
        TEST(handlers_may_take_their_time),
        TEST(who_never_reads_is_closed),
        TEST(closing_the_server_aborts_what_is_open),
        TEST(a_server_drains),
        TEST(a_handler_may_close_the_server),
        TEST(a_handler_may_close_the_server_on_a_timeout),
        TEST(servers_come_and_go_in_one_turn),
        TEST(a_port_that_is_taken),
        TEST(a_listener_that_is_handed_over),
        TEST(too_many_connections_get_503),
        TEST(unfinished_requests_are_bounded_together),
        TEST(heads_that_wait_are_bounded_together),
        TEST(trailers_are_bounded_together),
        TEST(out_of_descriptors),
        TEST(idle_connections_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
