/* The Runtime API over real sockets and the real HTTP server: what the played server of the other
 * tests promises, this one keeps. */
#include "test.h"

#include "base/mem.h"
#include "env/extensions.h"
#include "env/runtime_api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uv_loop_t loop;
static struct runtime_api *api;
static struct extensions extensions;
static int listener;
static struct sockaddr_in address;
static int nexts;
static int answers;
static enum runtime_answer_kind kind;
static struct buf body;
static char type[RUNTIME_API_TYPE_MAX + 1];
static char got[65536]; /* what the client received */

static void on_next(void *arg)
{
    nexts++;
}

static void on_answer(void *arg, struct runtime_answer *answer)
{
    answers++;
    kind = answer->kind;
    buf_free(&body);
    body = answer->body;
    snprintf(type, sizeof type, "%.*s", FMT(answer->error_type));
}

static const struct runtime_api_owner owner = {
    .on_next = on_next, .on_answer = on_answer, .on_init_error = on_answer};

/* On a port of its number, as the launcher does: the kernel keeps only such a one over shutdown(2).
 */
static void listen_on(uint16_t port)
{
    socklen_t n = sizeof address;
    address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &n), 0);
}

static int setup(void **state)
{
    struct err err;
    assert_int_equal(uv_loop_init(&loop), 0);
    listen_on(0);
    close(listener);
    listen_on(address.sin_port);
    nexts = answers = 0;
    api = runtime_api_new(&loop, &extensions, &owner, NULL);
    assert_true(runtime_api_open(api, listener, &err));
    return 0;
}

static int teardown(void **state)
{
    runtime_api_free(api);
    buf_free(&body);
    close(listener);
    while (uv_run(&loop, UV_RUN_NOWAIT))
        continue;
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static int client(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void send_all(int fd, struct slice s)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            n = 0;
        assert_true(n >= 0);
        s = slice_sub(s, (size_t)n, s.n);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

/* Runs the loop until `text` has come; what came before it is thrown away, what follows is kept. */
static void expect(int fd, const char *text)
{
    size_t n = 0;
    got[0] = '\0';
    while (!strstr(got, text)) {
        uv_run(&loop, UV_RUN_NOWAIT);
        ssize_t more = recv(fd, got + n, sizeof got - 1 - n, MSG_DONTWAIT);
        if (more == 0)
            fail_msg("connection closed before: %s\ngot: %s", text, got);
        n += more > 0 ? (size_t)more : 0;
        got[n] = '\0';
    }
}

static void until_answered(int count)
{
    while (answers < count)
        uv_run(&loop, UV_RUN_ONCE);
}

static void deliver(void)
{
    while (strcmp(runtime_api_state(api), "Ready") != 0)
        uv_run(&loop, UV_RUN_ONCE);
    runtime_api_deliver(api, &(struct runtime_event){.request_id = S("id"),
                                                     .deadline_ms = 1,
                                                     .arn = S("arn"),
                                                     .trace_id = S("Root=1"),
                                                     .body = S("{\"event\":1}")});
}

#define NEXT "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nHost: x\r\n"

/* To where the event is out. */
static int running(void)
{
    int fd = client();
    send_all(fd, S(NEXT));
    deliver();
    expect(fd, "{\"event\":1}");
    assert_non_null(strstr(got, "Lambda-Runtime-Aws-Request-Id: id\r\n"));
    return fd;
}

static void response_and_next_in_one_write(void **state)
{
    int fd = running();
    send_all(fd, S(POST "Content-Length: 4\r\n\r\n\"ok\"" NEXT));
    until_answered(1);
    assert_true(slice_eq(buf_all(&body), S("\"ok\"")));
    expect(fd, "{\"status\":\"OK\"}\n");
    assert_int_equal(nexts, 2);
    deliver();
    expect(fd, "{\"event\":1}");
    close(fd);
}

static void chunks_and_trailers(void **state)
{
    int fd = running();
    send_all(fd,
             S(POST "Transfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type, "
                    "Lambda-Runtime-Function-Error-Body\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    until_answered(1);
    assert_int_equal(kind, ANSWER_RESPONSE);
    assert_true(slice_eq(buf_all(&body), S("abcde")));
    expect(fd, "202 Accepted");
    send_all(fd, S(NEXT));
    deliver();
    expect(fd, "{\"event\":1}");
    send_all(fd, S(POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
                        "Lambda-Runtime-Function-Error-Type: Function.Broke\r\n"
                        "Lambda-Runtime-Function-Error-Body: Zm9vYmFy\r\n\r\n"));
    until_answered(2);
    assert_int_equal(kind, ANSWER_ERROR);
    assert_string_equal(type, "Function.Broke");
    assert_true(slice_eq(buf_all(&body), S("foobar")));
    close(fd);
}

static void hanging_up_in_a_body(void **state)
{
    int fd = running();
    send_all(fd, S(POST "Content-Length: 10\r\n\r\nabc"));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    until_answered(1);
    assert_int_equal(kind, ANSWER_TRUNCATED);
    expect(fd, "TruncatedHTTPRequest");
    close(fd);
    fd = client();
    send_all(fd, S(NEXT)); /* the runtime lives on */
    deliver();
    send_all(fd, S(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nab"));
    close(fd);
    until_answered(2);
    assert_int_equal(kind, ANSWER_TRUNCATED);
}

static void garbage_in_a_chunked_body(void **state)
{
    int fd = running();
    send_all(fd, S(POST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"));
    until_answered(1);
    assert_int_equal(kind, ANSWER_TRUNCATED);
    expect(fd, "HTTP/1.1 400 ");
    close(fd);
}

static void a_body_that_is_too_large(void **state)
{
    AUTO(free) char *big = mem_new(RUNTIME_API_BODY_MAX + 1);
    int fd = running();
    char head[256];
    snprintf(head, sizeof head, POST "Content-Length: %d\r\n\r\n", RUNTIME_API_BODY_MAX);
    send_all(fd, slice_str(head));
    send_all(fd, (struct slice){big, RUNTIME_API_BODY_MAX});
    until_answered(1);
    assert_int_equal(kind, ANSWER_RESPONSE);
    assert_int_equal(body.n, RUNTIME_API_BODY_MAX);
    expect(fd, "202 Accepted");
    send_all(fd, S(NEXT));
    deliver();
    expect(fd, "{\"event\":1}");
    snprintf(head, sizeof head, POST "Content-Length: %d\r\n\r\n", RUNTIME_API_BODY_MAX + 1);
    send_all(fd, slice_str(head));
    send_all(fd, (struct slice){big, RUNTIME_API_BODY_MAX + 1});
    until_answered(2);
    assert_int_equal(kind, ANSWER_TOO_LARGE);
    expect(fd, "HTTP/1.1 413 ");
    close(fd);
}

static void a_refused_post_leaves_the_connection_usable(void **state)
{
    int fd = running();
    send_all(fd, S("POST /2018-06-01/runtime/invocation/other/response HTTP/1.1\r\nHost: x\r\n"
                   "Content-Length: 3\r\n\r\nabc"));
    expect(fd, "InvalidRequestID");
    send_all(fd, S(POST "Content-Length: 1\r\n\r\n1"));
    expect(fd, "202 Accepted");
    assert_int_equal(answers, 1);
    close(fd);
}

static void a_lost_poll_is_forgotten(void **state)
{
    int fd = client();
    send_all(fd, S(NEXT));
    while (nexts == 0)
        uv_run(&loop, UV_RUN_ONCE);
    close(fd);
    for (int i = 0; i < 5; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    fd = client();
    send_all(fd, S(NEXT));
    for (int i = 0; i < 5; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    deliver();
    expect(fd, "{\"event\":1}");
    close(fd);
}

/* A connection that waits for accept, another that is served: neither is the next runtime's, and
 * the port is the same. */
static void opened_again_for_the_next_runtime(void **state)
{
    struct err err;
    int served = running();
    runtime_api_shut(api);
    int waiting = client();
    assert_int_equal(send(waiting, NEXT, strlen(NEXT), MSG_NOSIGNAL), strlen(NEXT));
    assert_true(runtime_api_open(api, listener, &err));
    int before = nexts;
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(nexts, before);
    assert_true(recv(waiting, got, sizeof got, MSG_DONTWAIT) <= 0 && errno != EAGAIN);
    close(waiting);
    close(running());
    close(served);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(response_and_next_in_one_write), CASE(chunks_and_trailers),
        CASE(hanging_up_in_a_body),           CASE(garbage_in_a_chunked_body),
        CASE(a_body_that_is_too_large),       CASE(a_refused_post_leaves_the_connection_usable),
        CASE(a_lost_poll_is_forgotten),       CASE(opened_again_for_the_next_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
