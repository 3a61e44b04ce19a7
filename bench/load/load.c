/* Load generator: C keep-alive connections, each of which sends the next request as soon as it has
 * the answer to the last. Stops after N requests or T seconds, prints one JSON object, and fails if
 * an answer was not 2xx or carried a function error.
 *
 * usage: load --port P [--host A] [--path /x] [--method POST] [--body TEXT | --bodies FILE]
 *             [--header 'N: v']... [--connections C] [--requests N | --seconds T]
 *
 * A file of bodies has one a line: each request takes the next, and all of them are sent once
 * unless a number of requests is given. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <llhttp/llhttp.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { BUFFER = 256 << 10, CONNS_MAX = 20000, REQUESTS_MAX = 50 * 1000 * 1000 };

struct conn {
    int fd;
    struct slice request;
    size_t sent; /* of it */
    uint64_t begun;
    llhttp_t parser;
    bool done;           /* the answer is complete */
    bool function_error; /* the answer says so */
};

static struct sockaddr_in address;
static struct slice *requests; /* sent in turn */
static size_t request_count;
static int epoll_fd;
static uint64_t started, finished, wanted = 1000, stop_at = UINT64_MAX;
static uint32_t *samples;
static char buffer[BUFFER];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static int on_header_field(llhttp_t *parser, const char *at, size_t n)
{
    struct conn *conn = parser->data;
    if (slice_eq_nocase((struct slice){at, n}, S("X-Amz-Function-Error")))
        conn->function_error = true;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct conn *conn = parser->data;
    conn->done = true;
    return HPE_PAUSED;
}

static void watch(struct conn *conn, int op, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (epoll_ctl(epoll_fd, op, conn->fd, &event))
        fail("epoll_ctl");
}

static void push(struct conn *conn)
{
    ssize_t n = send(conn->fd, conn->request.p + conn->sent, conn->request.n - conn->sent,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN)
        fail("send");
    if (n > 0)
        conn->sent += (size_t)n;
    if (conn->sent < conn->request.n)
        watch(conn, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    else if (n <
             (ssize_t)conn->request.n) /* it took more than one piece: it was watched for writing */
        watch(conn, EPOLL_CTL_MOD, EPOLLIN);
}

static void next_request(struct conn *conn)
{
    if (started >= wanted)
        return;
    conn->begun = clock_mono_ns();
    if (conn->begun >= stop_at)
        return;
    conn->request = requests[started++ % request_count];
    conn->done = conn->function_error = false;
    conn->sent = 0;
    push(conn);
}

static void open_conn(struct conn *conn)
{
    static llhttp_settings_t settings;
    settings.on_header_field = on_header_field;
    settings.on_message_complete = on_message_complete;
    llhttp_init(&conn->parser, HTTP_RESPONSE, &settings);
    conn->parser.data = conn;
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&address, sizeof address))
        fail("connect");
    int one = 1;
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(conn, EPOLL_CTL_ADD, EPOLLIN);
}

static void answered(struct conn *conn, uint64_t now)
{
    int status = llhttp_get_status_code(&conn->parser);
    errno = 0;
    if (status < 200 || status > 299 || conn->function_error) {
        fprintf(stderr, "load: status %d%s\n%.*s\n", status,
                conn->function_error ? " with a function error" : "", 500, buffer);
        exit(1);
    }
    uint64_t ns = now - conn->begun;
    samples[finished++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
    if (llhttp_should_keep_alive(&conn->parser)) {
        llhttp_resume(&conn->parser);
        llhttp_reset(&conn->parser);
    } else {
        close(conn->fd);
        open_conn(conn);
    }
    next_request(conn);
}

static void on_readable(struct conn *conn)
{
    ssize_t n = recv(conn->fd, buffer, sizeof buffer - 1, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0)
        fail("recv");
    if (n == 0) {
        errno = 0;
        if (llhttp_finish(&conn->parser) != HPE_OK || !conn->done)
            fail("connection closed before the answer");
    } else {
        buffer[n] = '\0';
        enum llhttp_errno error = llhttp_execute(&conn->parser, buffer, (size_t)n);
        errno = 0;
        if (error != HPE_OK && error != HPE_PAUSED)
            fail(llhttp_errno_name(error));
        if (conn->done && llhttp_get_status_code(&conn->parser) == 100)
            fail("100 Continue without being asked");
    }
    if (conn->done)
        answered(conn, clock_mono_ns());
}

static int by_size(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double percentile_us(double share)
{
    size_t at = (size_t)(share * (double)(finished - 1) + 0.5);
    return samples[at] / 1000.0;
}

static void report(uint64_t ns)
{
    double sum = 0;
    if (!finished)
        fail("no request was finished");
    qsort(samples, finished, sizeof *samples, by_size);
    for (uint64_t i = 0; i < finished; i++)
        sum += samples[i];
    printf("{\"requests\": %llu, \"seconds\": %.4f, \"rps\": %.1f, \"mean_us\": %.1f, "
           "\"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
           (unsigned long long)finished, (double)ns / 1e9, (double)finished * 1e9 / (double)ns,
           sum / (double)finished / 1000, percentile_us(0.5), percentile_us(0.9),
           percentile_us(0.99), percentile_us(1));
}

static uint64_t number(const char *text, uint64_t max)
{
    uint64_t value = 0;
    errno = 0;
    if (!slice_u64(slice_str(text), &value) || value == 0 || value > max)
        fail("a number is missing or out of range");
    return value;
}

static void run(void)
{
    while (finished < started) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll_fd, events, COUNT_OF(events), 60000);
        if (n == 0)
            fail("no answer for 60 s");
        for (int i = 0; i < n; i++) {
            struct conn *conn = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                push(conn);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                on_readable(conn);
        }
    }
}

struct options {
    const char *host, *path, *method, *body, *bodies;
    uint64_t port, connections;
    struct buf headers;
    bool timed, counted;
};

static void read_option(struct options *o, struct slice option, const char *value)
{
    if (slice_eq(option, S("--host")))
        o->host = value;
    else if (slice_eq(option, S("--port")))
        o->port = number(value, UINT16_MAX);
    else if (slice_eq(option, S("--path")))
        o->path = value;
    else if (slice_eq(option, S("--method")))
        o->method = value;
    else if (slice_eq(option, S("--body")))
        o->body = value;
    else if (slice_eq(option, S("--bodies")))
        o->bodies = value;
    else if (slice_eq(option, S("--header")))
        buf_printf(&o->headers, "%s\r\n", value);
    else if (slice_eq(option, S("--connections")))
        o->connections = number(value, CONNS_MAX);
    else if (slice_eq(option, S("--requests"))) {
        wanted = number(value, REQUESTS_MAX);
        o->counted = true;
    } else if (slice_eq(option, S("--seconds"))) {
        stop_at = number(value, 3600) * 1000000000u;
        wanted = REQUESTS_MAX;
        o->timed = true;
    } else
        fail("unknown option");
}

static void add_request(const struct options *o, struct slice body)
{
    struct buf text = BUF_INIT(64 << 20);
    buf_printf(&text, "%s %s HTTP/1.1\r\nHost: %s:%u\r\n", o->method, o->path, o->host,
               (unsigned)o->port);
    if (body.n || slice_eq(slice_str(o->method), S("POST")))
        buf_printf(&text, "Content-Length: %zu\r\n", body.n);
    buf_slice(&text, buf_all(&o->headers));
    buf_printf(&text, "\r\n%.*s", FMT(body));
    requests = mem_grow(requests, (request_count + 1) * sizeof *requests);
    requests[request_count++] = buf_all(&text); /* kept to the end */
}

static void read_bodies(struct options *o)
{
    AUTO(free) char *line = NULL;
    size_t size = 0;
    ssize_t n;
    FILE *file = fopen(o->bodies, "re");
    if (!file)
        fail(o->bodies);
    while ((n = getline(&line, &size, file)) > 0)
        add_request(o, (struct slice){line, (size_t)n - (line[n - 1] == '\n')});
    fclose(file);
    if (!request_count)
        fail("a file without bodies");
    if (!o->counted && !o->timed)
        wanted = request_count;
}

int main(int argc, char **argv)
{
    struct options options = {.host = "127.0.0.1",
                              .path = "/",
                              .method = "POST",
                              .body = "",
                              .connections = 1,
                              .headers = BUF_INIT(1 << 20)};
    for (int i = 1; i < argc; i += 2)
        read_option(&options, slice_str(argv[i]), argv[i + 1] ? argv[i + 1] : "");
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)options.port);
    errno = 0;
    if (!options.port || inet_pton(AF_INET, options.host, &address.sin_addr) != 1)
        fail("--port, and an IPv4 --host");
    if (options.bodies)
        read_bodies(&options);
    else
        add_request(&options, slice_str(options.body));
    buf_free(&options.headers);

    /* Only pages that are used exist. */
    samples = mem_new_array(wanted, sizeof *samples);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct conn *conns = mem_new_array(options.connections, sizeof *conns);
    for (uint64_t i = 0; i < options.connections; i++)
        open_conn(&conns[i]);
    uint64_t begun = clock_mono_ns();
    if (options.timed)
        stop_at += begun;
    for (uint64_t i = 0; i < options.connections; i++)
        next_request(&conns[i]);
    run();
    report(clock_mono_ns() - begun);
    return 0;
}
