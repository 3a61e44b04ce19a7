/* Batches on their way to a subscriber, which is the other end of a socket pair. */
#include "test.h"

#include "base/mem.h"
#include "env/delivery.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static uv_loop_t loop;
static struct delivery *delivery;
static unsigned connects; /* wanted so far */
static uint16_t connect_port;
static int peer; /* the subscriber's end; -1: none */
static struct buf got;

static void on_connect(void *arg, struct delivery *d, uint16_t port)
{
    assert_ptr_equal(arg, &loop);
    connects++;
    connect_port = port;
}

static const struct subscription http = {.form = REPORT_JSON,
                                         .types = TYPE_PLATFORM | TYPE_FUNCTION,
                                         .http = true,
                                         .port = 8080,
                                         .path = "/x",
                                         .max_items = 1000,
                                         .max_bytes = 262144,
                                         .timeout_ms = 30000};

static int setup(void **state)
{
    assert_int_equal(uv_loop_init(&loop), 0);
    delivery = delivery_new(&loop, on_connect, &loop);
    connects = 0;
    peer = -1;
    got = (struct buf)BUF_INIT(4 << 20);
    return 0;
}

static void leave(void)
{
    if (peer >= 0)
        close(fd_take(&peer));
}

static int teardown(void **state)
{
    delivery_free(delivery);
    leave();
    buf_free(&got);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static void open_http(void)
{
    delivery_open(delivery, &http);
}

static void open_tcp(uint32_t timeout_ms)
{
    struct subscription tcp = http;
    tcp.http = false;
    tcp.path[0] = '\0';
    tcp.timeout_ms = timeout_ms;
    delivery_open(delivery, &tcp);
}

static void accept_it(void)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    leave();
    peer = ends[1];
    delivery_connected(delivery, ends[0]);
}

/* Everything that the subscriber has been sent, until it ends so. */
static void expect_end(const char *end)
{
    while (!slice_ends(buf_all(&got), slice_str(end))) {
        char bytes[4096];
        ssize_t n = recv(peer, bytes, sizeof bytes, 0);
        if (n > 0)
            buf_add(&got, bytes, (size_t)n);
        else
            assert_true(n < 0 && errno == EAGAIN);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static void expect_request(const char *body)
{
    AUTO(buf) struct buf want = BUF_INIT(4096);
    buf_printf(&want,
               "POST /x HTTP/1.1\r\nHost: sandbox.localdomain:8080\r\nContent-Type: "
               "application/json\r\nContent-Length: %zu\r\n\r\n%s",
               strlen(body), body);
    expect_end(body);
    assert_true(slice_eq(buf_all(&got), buf_all(&want)));
    buf_clear(&got);
}

static void answer(const char *text)
{
    assert_int_equal(send(peer, text, strlen(text), 0), strlen(text));
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void wait_for_connect(unsigned n)
{
    while (connects < n)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(connects, n);
}

#define OK_ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void a_batch_is_an_array_over_a_kept_connection(void **state)
{
    open_http();
    delivery_add(delivery, S("{\"a\":1}"));
    delivery_add(delivery, S("{\"b\":2}"));
    assert_int_equal(connects, 0);
    delivery_flush(delivery);
    wait_for_connect(1);
    assert_int_equal(connect_port, 8080);
    accept_it();
    expect_request("[{\"a\":1},{\"b\":2}]");
    assert_false(delivery_idle(delivery));
    answer(OK_);
    assert_true(delivery_idle(delivery));
    delivery_add(delivery, S("{\"c\":3}"));
    delivery_flush(delivery);
    expect_request("[{\"c\":3}]");
    answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
    assert_true(delivery_idle(delivery));
    assert_int_equal(connects, 1);
}

static void a_subscriber_may_close_each_connection(void **state)
{
    open_http();
    for (unsigned i = 1; i <= 2; i++) {
        delivery_add(delivery, S("1"));
        delivery_flush(delivery);
        wait_for_connect(i);
        accept_it();
        expect_request("[1]");
        answer("HTTP/1.0 200 OK\r\n\r\n");
        leave();
        while (!delivery_idle(delivery))
            uv_run(&loop, UV_RUN_ONCE);
    }
}

static void a_connection_that_was_closed_meanwhile_is_opened_again(void **state)
{
    open_http();
    delivery_add(delivery, S("1"));
    delivery_flush(delivery);
    accept_it();
    expect_request("[1]");
    answer(OK_);
    leave();
    uv_run(&loop, UV_RUN_NOWAIT);
    delivery_add(delivery, S("2"));
    delivery_flush(delivery);
    wait_for_connect(2);
    accept_it();
    expect_request("[2]");
}

static void limits_and_time_send_a_batch(void **state)
{
    AUTO(free) char *big = mem_new(262144);
    memset(big, '1', 262144);
    open_http();
    for (int i = 0; i < 999; i++)
        delivery_add(delivery, S("1"));
    assert_int_equal(connects, 0);
    delivery_add(delivery, S("1"));
    wait_for_connect(1);
    delivery_hang_up(delivery);
    delivery_free(delivery);
    delivery = delivery_new(&loop, on_connect, &loop);
    open_http();
    delivery_add(delivery, (struct slice){big, 262144});
    wait_for_connect(2);
    delivery_free(delivery);
    delivery = delivery_new(&loop, on_connect, &loop);
    open_tcp(25);
    delivery_add(delivery, S("1"));
    assert_int_equal(connects, 2);
    wait_for_connect(3);
}

static void lines_are_sent_by_tcp(void **state)
{
    open_tcp(30000);
    delivery_add(delivery, S("{\"a\":1}"));
    delivery_add(delivery, S("2"));
    delivery_flush(delivery);
    accept_it();
    expect_end("2\n");
    assert_true(slice_eq(buf_all(&got), S("{\"a\":1}\n2\n")));
    assert_true(delivery_idle(delivery));
    answer("what is read by nobody");
    delivery_add(delivery, S("3"));
    delivery_flush(delivery);
    expect_end("3\n");
    assert_int_equal(connects, 1);
}

static void what_is_not_taken_is_sent_again(void **state)
{
    open_http();
    delivery_add(delivery, S("1"));
    delivery_flush(delivery);
    delivery_connected(delivery, -1); /* nobody listens yet */
    wait_for_connect(2);
    accept_it();
    expect_request("[1]");
    answer("HTTP/1.1 503 Slow\r\nContent-Length: 0\r\n\r\n");
    delivery_add(delivery, S("2"));
    wait_for_connect(3);
    accept_it();
    expect_request("[1]");
    answer("no HTTP\r\n\r\n");
    wait_for_connect(4);
    accept_it();
    expect_request("[1]");
    answer(OK_);
    assert_false(delivery_idle(delivery)); /* the second waits for its own batch */
}

#define DROPPED(records, bytes)                                                                    \
    "\"type\":\"platform.logsDropped\",\"record\":{\"reason\":\"Some logs were dropped because "   \
    "the downstream consumer is slower than the logs production "                                  \
    "rate\",\"droppedRecords\":" records ",\"droppedBytes\":" bytes "}}]"

static void a_batch_is_given_up_and_counted(void **state)
{
    open_http();
    delivery_add(delivery, S("1"));
    delivery_flush(delivery);
    for (unsigned i = 1; i <= 5; i++) {
        wait_for_connect(i);
        delivery_connected(delivery, -1);
    }
    assert_true(delivery_idle(delivery));
    delivery_add(delivery, S("2"));
    delivery_flush(delivery);
    wait_for_connect(6);
    accept_it();
    expect_request("[2]");
    answer(OK_);
    delivery_flush(delivery);
    expect_end(DROPPED("1", "3"));
}

static void what_does_not_fit_is_dropped_and_counted(void **state)
{
    AUTO(free) char *big = mem_new(200000);
    memset(big, '7', 200000);
    struct slice event = {big, 200000};
    open_http();
    delivery_add(delivery, S("1"));
    delivery_flush(delivery);
    accept_it();
    expect_request("[1]"); /* and no answer */
    for (int i = 0; i < 5; i++)
        delivery_add(delivery, event);
    answer(OK_);
    expect_end(DROPPED("3", "600000"));
    assert_true(got.n > 400000 && got.n < 401000);
}

static void a_slow_reader_of_lines_loses_some_too(void **state)
{
    AUTO(free) char *big = mem_new(200000);
    memset(big, '7', 200000);
    open_tcp(30000);
    for (int i = 0; i < 8; i++) {
        delivery_add(delivery, (struct slice){big, 200000});
        delivery_flush(delivery);
        if (i == 0)
            accept_it();
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    delivery_flush(delivery);
    while (!delivery_idle(delivery)) {
        char bytes[4096];
        ssize_t n = recv(peer, bytes, sizeof bytes, 0);
        if (n > 0)
            buf_add(&got, bytes, (size_t)n);
        uv_run(&loop, UV_RUN_NOWAIT);
        delivery_flush(delivery);
    }
    expect_end("}}\n");
    size_t records = 0;
    for (size_t i = 0; i < got.n; i++)
        records += got.p[i] == '\n';
    AUTO(buf) struct buf rest = BUF_INIT(100);
    buf_printf(&rest, "\"droppedRecords\":%zu,\"droppedBytes\":%zu}}\n", 9 - records,
               (9 - records) * 200000);
    assert_true(records < 8);
    assert_true(slice_ends(buf_all(&got), buf_all(&rest)));
}

static void what_waits_outlives_the_process(void **state)
{
    open_http();
    delivery_add(delivery, S("1"));
    delivery_flush(delivery);
    accept_it();
    expect_request("[1]"); /* not answered */
    delivery_hang_up(delivery);
    delivery_add(delivery, S("2"));
    delivery_flush(delivery);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(connects, 1);
    open_http();
    wait_for_connect(2);
    accept_it();
    expect_request("[1]");
    answer(OK_);
    delivery_flush(delivery);
    expect_request("[2]");
}

static void another_form_begins_anew(void **state)
{
    open_http();
    delivery_add(delivery, S("1"));
    open_tcp(30000);
    assert_true(delivery_idle(delivery));
}

static void nothing_is_sent_while_it_is_paused(void **state)
{
    open_http();
    delivery_pause(delivery, true);
    delivery_add(delivery, S("1"));
    delivery_flush(delivery);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(connects, 0);
    delivery_pause(delivery, false);
    assert_int_equal(connects, 1);
}

static bool is_quiet(void)
{
    struct pollfd pollfd = {.fd = uv_backend_fd(&loop), .events = POLLIN};
    for (int turn = 0; turn < 5; turn++)
        uv_run(&loop, UV_RUN_NOWAIT);
    return poll(&pollfd, 1, 0) == 0;
}

static size_t drain(void)
{
    static char bytes[65536];
    size_t all = 0;
    for (ssize_t n; (n = recv(peer, bytes, sizeof bytes, 0)) > 0;)
        all += (size_t)n;
    return all;
}

/* One that has said all that it will and reads nothing keeps a batch half written. Frozen, it costs
 * nothing however much could be written. */
static void a_full_connection_costs_no_time(void **state)
{
    static char event[200000];
    memset(event, 'x', sizeof event);
    open_tcp(30000);
    for (int i = 0; i < 2; i++)
        delivery_add(delivery, (struct slice){event, sizeof event});
    wait_for_connect(1);
    accept_it();
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    assert_true(is_quiet());
    delivery_pause(delivery, true);
    size_t before = drain();
    assert_true(is_quiet());
    assert_in_range(before, 1, 2 * sizeof event);
    assert_int_equal(drain(), 0);
    delivery_pause(delivery, false);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(drain() > 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_batch_is_an_array_over_a_kept_connection),
        CASE(a_subscriber_may_close_each_connection),
        CASE(a_connection_that_was_closed_meanwhile_is_opened_again),
        CASE(limits_and_time_send_a_batch),
        CASE(lines_are_sent_by_tcp),
        CASE(what_is_not_taken_is_sent_again),
        CASE(a_batch_is_given_up_and_counted),
        CASE(what_does_not_fit_is_dropped_and_counted),
        CASE(a_slow_reader_of_lines_loses_some_too),
        CASE(what_waits_outlives_the_process),
        CASE(another_form_begins_anew),
        CASE(nothing_is_sent_while_it_is_paused),
        CASE(a_full_connection_costs_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
