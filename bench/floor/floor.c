/* The floor that lambkin is measured against: a bare relay between HTTP clients and runtimes. It
 * takes POSTs on one port, speaks the Runtime API on another, and does nothing else: no checks, no
 * logs, no sandbox, no limits. One epoll loop; a request costs one read and one write on each side.
 *
 * usage: floor --port P --clients N -- PROGRAM [ARGUMENT]...   (the runtime, started N times) */
#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <llhttp/llhttp.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { BUFFER = 256 << 10, CLIENTS_MAX = 1024 };

struct conn {
    int fd;
    bool listens;
    bool runtime; /* speaks the Runtime API; else a client */
    bool complete;
    bool waiting;     /* runtime: in /next. client: has no answer yet */
    uint64_t id;      /* of the client's invocation */
    struct list link; /* in idle or queued */
    llhttp_t parser;
    struct slice url;  /* within the read buffer, or in url_copy */
    struct slice body; /* the same, or the content of in */
    char url_copy[256];
    struct buf in;  /* a body that came in pieces */
    struct buf out; /* what the socket did not take */
};

static char buffer[BUFFER];
static int epoll_fd;
static struct list idle, queued; /* runtimes without an event, clients without a runtime */
static uint64_t invocations;
static struct conn **by_id; /* client of an invocation: a ring */
static pid_t pids[CLIENTS_MAX];
static size_t pid_count;

enum { RING = 1 << 16 };

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
    struct conn *conn = parser->data;
    if (conn->url.n + n <= sizeof conn->url_copy) {
        memcpy(conn->url_copy + conn->url.n, at, n);
        conn->url = (struct slice){conn->url_copy, conn->url.n + n};
    }
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct conn *conn = parser->data;
    if (conn->body.n == 0 && parser->content_length == 0) {
        conn->body = (struct slice){at, n}; /* all of it: stays where it was read */
        return 0;
    }
    buf_add(&conn->in, at, n);
    conn->body = buf_all(&conn->in);
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct conn *conn = parser->data;
    conn->complete = true;
    return HPE_PAUSED;
}

static void watch(struct conn *conn, int op, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (epoll_ctl(epoll_fd, op, conn->fd, &event))
        fail("epoll_ctl");
}

static void put(struct conn *conn, struct slice head, struct slice body)
{
    ssize_t n = 0;
    if (!conn->out.n) {
        struct iovec parts[2] = {{(char *)(uintptr_t)head.p, head.n},
                                 {(char *)(uintptr_t)body.p, body.n}};
        n = writev(conn->fd, parts, body.n ? 2 : 1);
        if (n == (ssize_t)(head.n + body.n))
            return;
        if (n < 0)
            n = 0; /* an error shows when it is read from */
        watch(conn, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    size_t skip = (size_t)n < head.n ? (size_t)n : head.n;
    buf_slice(&conn->out, slice_sub(head, skip, head.n));
    buf_slice(&conn->out, slice_sub(body, (size_t)n - skip, body.n));
}

static void push(struct conn *conn)
{
    ssize_t n = write(conn->fd, conn->out.p, conn->out.n);
    if (n > 0)
        buf_drop(&conn->out, (size_t)n);
    if (!conn->out.n)
        watch(conn, EPOLL_CTL_MOD, EPOLLIN);
}

static void hand_over(struct conn *runtime, struct conn *client)
{
    char head[512];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Lambda-Runtime-Aws-Request-Id: 00000000-0000-4000-8000-%012llx\r\n"
                     "Lambda-Runtime-Deadline-Ms: %llu\r\n"
                     "Lambda-Runtime-Invoked-Function-Arn: "
                     "arn:aws:lambda:us-east-1:000000000000:function:echo\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     (unsigned long long)client->id, (unsigned long long)(clock_wall_ms() + 60000),
                     client->body.n);
    put(runtime, (struct slice){head, (size_t)n}, client->body);
    runtime->waiting = false;
    buf_free(&client->in);
    client->body = (struct slice){NULL, 0};
}

static void on_invocation(struct conn *client)
{
    client->id = ++invocations;
    client->waiting = true;
    by_id[client->id % RING] = client;
    if (!list_empty(&idle)) {
        struct conn *runtime = LIST_FIRST(&idle, conn, link);
        list_remove(&runtime->link);
        hand_over(runtime, client);
        return;
    }
    if (!client->in.n) { /* the event has to outlive this read */
        buf_slice(&client->in, client->body);
        client->body = buf_all(&client->in);
    }
    list_push_back(&queued, &client->link);
}

static void on_next(struct conn *runtime)
{
    runtime->waiting = true;
    if (list_empty(&queued)) {
        list_push_front(&idle, &runtime->link);
        return;
    }
    struct conn *client = LIST_FIRST(&queued, conn, link);
    list_remove(&client->link);
    hand_over(runtime, client);
}

static void on_answer(struct conn *runtime)
{
    static const char path[] = "/2018-06-01/runtime/invocation/00000000-0000-4000-8000-";
    size_t at = sizeof path - 1;
    uint64_t id = 0;
    for (; at < runtime->url.n && runtime->url.p[at] != '/'; at++) {
        char c = runtime->url.p[at];
        id = id * 16 + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    struct conn *client = by_id[id % RING];
    if (client && client->waiting && client->id == id) {
        char head[256];
        int n = snprintf(
            head, sizeof head,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            "X-Amz-Executed-Version: $LATEST\r\n%sContent-Length: %zu\r\n\r\n",
            slice_ends(runtime->url, S("/error")) ? "X-Amz-Function-Error: Unhandled\r\n" : "",
            runtime->body.n);
        client->waiting = false;
        put(client, (struct slice){head, (size_t)n}, runtime->body);
    }
    put(runtime,
        S("HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: "
          "16\r\n\r\n{\"status\":\"OK\"}\n"),
        (struct slice){NULL, 0});
}

static void on_complete(struct conn *conn)
{
    if (!conn->runtime)
        on_invocation(conn);
    else if (slice_ends(conn->url, S("/next")))
        on_next(conn);
    else if (slice_ends(conn->url, S("/init/error")))
        fail("a runtime could not start");
    else
        on_answer(conn);
    if (conn->runtime) {
        buf_free(&conn->in);
        conn->body = (struct slice){NULL, 0};
    }
    conn->url.n = 0;
    conn->complete = false;
}

static void conn_gone(struct conn *conn)
{
    list_remove(&conn->link);
    if (by_id[conn->id % RING] == conn)
        by_id[conn->id % RING] = NULL;
    close(conn->fd);
    buf_free(&conn->in);
    buf_free(&conn->out);
    free(conn);
}

static void on_readable(struct conn *conn)
{
    ssize_t n = read(conn->fd, buffer, sizeof buffer);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            conn_gone(conn);
        return;
    }
    const char *at = buffer, *end = buffer + n;
    while (at < end) {
        enum llhttp_errno error = llhttp_execute(&conn->parser, at, (size_t)(end - at));
        if (error == HPE_OK)
            return;
        if (error != HPE_PAUSED || !conn->complete) {
            conn_gone(conn);
            return;
        }
        at = llhttp_get_error_pos(&conn->parser);
        llhttp_resume(&conn->parser);
        on_complete(conn);
    }
}

static struct conn *conn_new(int fd, bool listens, bool runtime)
{
    static llhttp_settings_t settings = {
        .on_url = on_url, .on_body = on_body, .on_message_complete = on_message_complete};
    struct conn *conn = NEW(conn);
    conn->fd = fd;
    conn->listens = listens;
    conn->runtime = runtime;
    conn->in = conn->out = BUF_INIT(64 << 20);
    list_init(&conn->link);
    llhttp_init(&conn->parser, HTTP_REQUEST, &settings);
    conn->parser.data = conn;
    watch(conn, EPOLL_CTL_ADD, EPOLLIN);
    return conn;
}

static void on_connection(const struct conn *listener)
{
    int one = 1;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    conn_new(fd, false, listener->runtime);
}

/* Listens on loopback and says at which port. */
static uint16_t listen_on(uint16_t port, bool runtime)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, n) || listen(fd, 1024) ||
        getsockname(fd, (struct sockaddr *)&address, &n))
        fail("listen");
    conn_new(fd, true, runtime);
    return ntohs(address.sin_port);
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    signal(SIGCHLD, SIG_IGN); /* their end is no news now */
    for (size_t i = 0; i < pid_count; i++)
        kill(pids[i], SIGKILL);
    _exit(0);
}

static void start_client(char **argv, uint16_t port)
{
    char api[32];
    snprintf(api, sizeof api, "127.0.0.1:%u", (unsigned)port);
    setenv("AWS_LAMBDA_RUNTIME_API", api, 1);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_DFL);
        if (getppid() == parent)
            execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    pids[pid_count++] = pid;
}

static void on_child(int signal_number)
{
    (void)signal_number;
    static const char text[] = "floor: a runtime ended\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(2);
    on_signal(0);
}

int main(int argc, char **argv)
{
    uint64_t port = 0, clients = 1;
    int at = 1;
    for (; at + 1 < argc && !slice_eq(slice_str(argv[at]), S("--")); at += 2) {
        bool is_port = slice_eq(slice_str(argv[at]), S("--port"));
        if (!slice_u64(slice_str(argv[at + 1]), is_port ? &port : &clients))
            break;
    }
    if (at + 1 >= argc || port > UINT16_MAX || clients == 0 || clients > CLIENTS_MAX ||
        !slice_eq(slice_str(argv[at]), S("--"))) {
        fprintf(stderr, "usage: floor --port P --clients N -- PROGRAM [ARGUMENT]...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGCHLD, on_child);
    list_init(&idle);
    list_init(&queued);
    by_id = mem_new_array(RING, sizeof(struct conn *));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    uint16_t runtime_port = listen_on(0, true);
    for (uint64_t i = 0; i < clients; i++)
        start_client(argv + at + 1, runtime_port);
    listen_on((uint16_t)port, false);
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll_fd, events, COUNT_OF(events), -1);
        for (int i = 0; i < n; i++) {
            struct conn *conn = events[i].data.ptr;
            if (conn->listens) {
                on_connection(conn);
                continue;
            }
            if (events[i].events & EPOLLOUT)
                push(conn);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                on_readable(conn);
        }
    }
}
