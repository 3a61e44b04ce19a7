/* Bodies in pieces, both ways: what is held back, what is told, and what it costs. */
#include "test.h"

#include "abuse.h"
#include "peer.h"

#include "base/mem.h"
#include "http/server.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

enum { READ = 64 << 10, FULL = 256 << 10 };

static uv_loop_t loop;
static struct http_server *server;
static struct http_limits limits;
static struct peer peer;
static struct http_request *current; /* the request that is not over */
static struct buf body;              /* what came of it */
static size_t pieces, requests, aborts, too_large, drains;
static bool pauses; /* after each piece */
static size_t body_limit;
static bool unhurried;

static void on_head(struct http_request *req, void *arg)
{
    current = req;
    req->want_pieces = req->want_truncated = true;
    req->unhurried = unhurried;
    if (body_limit)
        req->body_limit = body_limit;
}

static void take(struct http_request *req)
{
    assert_true(req->body.n <= READ);
    assert_true(buf_slice(&body, buf_all(&req->body)));
}

static void on_body(struct http_request *req, void *arg)
{
    assert_true(req->body.n > 0);
    pieces++;
    take(req);
    if (pauses)
        http_body_pause(req);
}

static void on_request(struct http_request *req, void *arg)
{
    requests++;
    take(req);
    current = req;
    if (req->truncated) /* its connection ends with this */
        http_respond(req, &(struct http_response){.status = 400});
}

static void on_too_large(struct http_request *req, void *arg)
{
    too_large++;
    take(req);
    http_respond(req, &(struct http_response){.status = 413, .close = true});
}

static void on_abort(struct http_request *req, void *arg)
{
    aborts++;
    current = NULL;
}

static void on_drained(struct http_request *req, void *arg)
{
    drains++;
    assert_ptr_equal(req, current);
}

static int setup(void **state)
{
    static const struct http_handler handler = {.on_head = on_head,
                                                .on_body = on_body,
                                                .on_request = on_request,
                                                .on_too_large = on_too_large,
                                                .on_abort = on_abort,
                                                .on_drained = on_drained};
    struct err err;
    signal(SIGPIPE, SIG_IGN);
    pieces = requests = aborts = too_large = drains = body_limit = 0;
    pauses = unhurried = false;
    current = NULL;
    body = (struct buf)BUF_INIT(64 << 20);
    limits = http_limits_public;
    limits.body_timeout_ms = 300;
    assert_int_equal(uv_loop_init(&loop), 0);
    server = http_listen(&loop, "127.0.0.1", 0, &limits, &handler, NULL, &err);
    assert_non_null(server);
    peer_open(&peer, &loop, http_server_port(server));
    return 0;
}

static int teardown(void **state)
{
    if (peer.fd >= 0)
        peer_close(&peer);
    http_server_close(STEAL(server));
    uv_run(&loop, UV_RUN_DEFAULT);
    buf_free(&body);
    return uv_loop_close(&loop);
}

static void send_text(const char *text)
{
    peer_send(&peer, slice_str(text));
}

static void answer(void)
{
    struct http_request *req = STEAL(current);
    http_respond(req, &(struct http_response){.status = 202});
}

static void expect_text(const char *text)
{
    turn_until_got(&peer, strlen(text));
    assert_int_equal(peer.got.n, strlen(text));
    assert_memory_equal(peer.got.p, text, peer.got.n);
    buf_drop(&peer.got, peer.got.n);
}

static void assert_took(const char *text)
{
    assert_true(slice_eq(buf_all(&body), slice_str(text)));
}

/* ---- requests ---- */

static void a_body_comes_as_it_arrives(void **state)
{
    send_text(CHUNKED "3\r\nabc\r\n");
    turn_until(&loop, &pieces, 1);
    assert_took("abc");
    send_text("2\r\nde\r\n1\r\nf\r\n");
    turn_until(&loop, &pieces, 2);
    assert_took("abcdef");
    assert_int_equal(requests, 0);
    send_text("1\r\ng\r\n0\r\nX: y\r\n\r\n");
    turn_until(&loop, &requests, 1);
    assert_took("abcdefg");
    assert_int_equal(current->trailer_count, 1);
    answer();
    assert_int_equal(peer_answer(&peer, NULL, NULL), 202);
    buf_clear(&body);
    send_text(POST "Content-Length: 4\r\n\r\nab");
    turn_until(&loop, &pieces, 3);
    send_text("cd" GET "\r\n");
    turn_until(&loop, &requests, 2);
    assert_took("abcd");
    answer();
    assert_int_equal(peer_answer(&peer, NULL, NULL), 202);
    turn_until(&loop, &requests, 3);
    answer();
    assert_int_equal(peer_answer(&peer, NULL, NULL), 202);
}

/* What the socket takes without anybody reading. */
static size_t send_what_fits(size_t most)
{
    static const char zeros[4096];
    size_t sent = 0;
    for (int idle = 0; sent < most && idle < 20;) {
        size_t want = most - sent < sizeof zeros ? most - sent : sizeof zeros;
        ssize_t n = send(peer.fd, zeros, want, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        turn_while_busy(&loop);
    }
    return sent;
}

static void a_paused_body_waits_in_the_kernel(void **state)
{
    const size_t size = 32 << 20;
    char head[64];
    pauses = true;
    body_limit = size;
    snprintf(head, sizeof head, POST "Content-Length: %zu\r\n\r\n", size);
    send_text(head);
    size_t sent = send_what_fits(size);
    assert_true(sent < size);
    assert_int_equal(pieces, 1);
    assert_true(body.n <= READ);
    uv_sleep(2 * limits.body_timeout_ms); /* it is not the peer that is slow */
    turn_while_busy(&loop);
    assert_int_equal(aborts, 0);
    while (requests == 0) {
        http_body_resume(current);
        sent += send_what_fits(size - sent);
        turn_while_busy(&loop);
    }
    assert_int_equal(body.n, size);
    answer();
    assert_int_equal(peer_answer(&peer, NULL, NULL), 202);
}

static void pieces_are_bounded_together(void **state)
{
    body_limit = 5;
    send_text(CHUNKED "3\r\nabc\r\n");
    turn_until(&loop, &pieces, 1);
    send_text("3\r\ndef\r\n");
    turn_until(&loop, &too_large, 1);
    assert_took("abc");
    assert_int_equal(peer_answer(&peer, NULL, NULL), 413);
    turn_until_ended(&peer);
}

static void a_body_that_breaks_off(void **state)
{
    send_text(CHUNKED "3\r\nabc\r\n2\r\nd");
    turn_until(&loop, &pieces, 1);
    peer_end(&peer);
    turn_until(&loop, &requests, 1);
    assert_took("abcd");
    assert_int_equal(peer_answer(&peer, NULL, NULL), 400);
    turn_until_ended(&peer);
}

static void a_body_may_take_its_time_if_the_handler_says_so(void **state)
{
    unhurried = true;
    send_text(CHUNKED "1\r\na\r\n");
    turn_until(&loop, &pieces, 1);
    uv_sleep(3 * limits.body_timeout_ms);
    turn_while_busy(&loop);
    send_text("0\r\n\r\n");
    turn_until(&loop, &requests, 1);
    answer();
    assert_int_equal(peer_answer(&peer, NULL, NULL), 202);
}

/* ---- answers ---- */

static void begin(void)
{
    http_stream_begin(current, &(struct http_response){.status = 200, .no_date = true});
}

static bool write_text(const char *text)
{
    return http_stream_write(current, &(struct slice){text, strlen(text)}, 1);
}

static void end(void)
{
    http_stream_end(STEAL(current));
}

static void ask(const char *text)
{
    size_t before = requests;
    send_text(text);
    turn_until(&loop, &requests, before + 1);
}

static void an_answer_in_pieces(void **state)
{
    ask(GET "\r\n" GET "\r\n");
    begin();
    expect_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const struct slice parts[] = {S("ab"), S(""), S("c"), S("d")};
    assert_true(http_stream_write(current, parts, COUNT_OF(parts)));
    expect_text("4\r\nabcd\r\n");
    assert_true(write_text("")); /* would end it, were it sent */
    assert_true(write_text("0123456789abcdef"));
    expect_text("10\r\n0123456789abcdef\r\n");
    assert_int_equal(requests, 1); /* the next one waits */
    end();
    expect_text("0\r\n\r\n");
    turn_until(&loop, &requests, 2);
    begin();
    end();
    expect_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_int_equal(aborts + drains, 0);
}

static void a_peer_that_does_not_know_chunks(void **state)
{
    ask("GET / HTTP/1.0\r\n\r\n");
    begin();
    write_text("abc");
    end();
    turn_until_ended(&peer);
    expect_text("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
}

static void a_head_request_gets_no_pieces(void **state)
{
    ask("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    begin();
    write_text("abc");
    end();
    expect_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    ask(GET "\r\n");
    answer();
    assert_int_equal(peer_answer(&peer, NULL, NULL), 202);
}

/* Until the handler is told to wait; how much it wrote. */
static size_t write_until_full(size_t piece)
{
    AUTO(free) char *zeros = mem_new(piece);
    size_t n = piece;
    while (http_stream_write(current, &(struct slice){zeros, piece}, 1)) {
        n += piece;
        turn_while_busy(&loop);
    }
    return n;
}

static void a_slow_reader_makes_the_handler_wait(void **state)
{
    peer_stall(&peer);
    ask(GET "\r\n");
    begin();
    size_t before = mallinfo2().uordblks;
    size_t wrote = write_until_full(READ);
    assert_true(mallinfo2().uordblks - before < FULL + 3 * READ);
    turn_while_busy(&loop);
    assert_int_equal(drains, 0);
    peer_read_on(&peer);
    turn_until(&loop, &drains, 1);
    end();
    while (peer.got.n < wrote || memcmp(peer.got.p + peer.got.n - 5, "0\r\n\r\n", 5))
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(aborts, 0);
}

/* A function that writes byte by byte must not cost a hundred bytes for each. */
static void small_pieces_are_kept_together(void **state)
{
    peer_stall(&peer);
    ask(GET "\r\n");
    begin();
    write_until_full(READ);
    peer_read_on(&peer);
    turn_until(&loop, &drains, 1);
    peer_stall(&peer);
    AUTO(free) char *zeros = mem_new(1 << 20);
    for (int i = 0; i < 64; i++)
        http_stream_write(current, &(struct slice){zeros, 1 << 18}, 1); /* now the socket is full */
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 10000; i++)
        write_text("x"); /* 6 bytes in the coding */
    assert_true(mallinfo2().uordblks - before < 20 * 10000);
    end();
    peer_read_on(&peer);
    while (peer.got.n < 5 || memcmp(peer.got.p + peer.got.n - 5, "0\r\n\r\n", 5))
        uv_run(&loop, UV_RUN_ONCE);
}

static void a_reader_that_leaves(void **state)
{
    ask(GET "\r\n");
    begin();
    write_text("abc");
    turn_until_got(&peer, 40);
    peer_close(&peer);
    turn_until(&loop, &aborts, 1);
    assert_null(current);
}

static void a_reader_that_leaves_while_much_is_unwritten(void **state)
{
    peer_stall(&peer);
    ask(GET "\r\n");
    begin();
    write_until_full(READ);
    peer_close(&peer);
    turn_until(&loop, &aborts, 1);
}

static void a_reader_that_is_stuck_is_given_up(void **state)
{
    peer_stall(&peer);
    ask(GET "\r\n");
    begin();
    write_until_full(READ);
    turn_until(&loop, &aborts, 1);
}

static void a_stream_without_news_lasts(void **state)
{
    ask(GET "\r\n");
    begin();
    write_text("abc");
    turn_until_got(&peer, 40);
    uv_sleep(3 * limits.body_timeout_ms);
    turn_while_busy(&loop);
    assert_int_equal(aborts, 0);
    end();
    turn_until_got(&peer, peer.got.n + 5);
}

static void a_stream_ends_before_a_server_that_drains(void **state)
{
    ask(GET "\r\n");
    begin();
    assert_false(http_server_drain(server));
    write_text("abc");
    end();
    turn_until_ended(&peer);
    assert_memory_equal(peer.got.p + peer.got.n - 13, "3\r\nabc\r\n0\r\n\r\n", 13);
    assert_true(http_server_drain(server));
}

static void closing_the_server_aborts_streams(void **state)
{
    ask(GET "\r\n");
    begin();
    http_server_close(STEAL(server));
    assert_int_equal(aborts, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_body_comes_as_it_arrives),
        TEST(a_paused_body_waits_in_the_kernel),
        TEST(pieces_are_bounded_together),
        TEST(a_body_that_breaks_off),
        TEST(a_body_may_take_its_time_if_the_handler_says_so),
        TEST(an_answer_in_pieces),
        TEST(a_peer_that_does_not_know_chunks),
        TEST(a_head_request_gets_no_pieces),
        TEST(a_slow_reader_makes_the_handler_wait),
        TEST(small_pieces_are_kept_together),
        TEST(a_reader_that_leaves),
        TEST(a_reader_that_leaves_while_much_is_unwritten),
        TEST(a_reader_that_is_stuck_is_given_up),
        TEST(a_stream_without_news_lasts),
        TEST(a_stream_ends_before_a_server_that_drains),
        TEST(closing_the_server_aborts_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
