#include "http/conn.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <unistd.h>

const struct http_limits http_limits_public = {
    .head_max = 1 << 20, /* AWS: request line and headers 1 MB (dataplane.md 2.6) */
    .headers_max = 200,
    .body_max = 6 << 20,
    .pending_max = 512 << 20,
    .trailers_max = 16 << 10,
    .conns_max = 12000,
    .conns_refused = 64,
    .head_timeout_ms = 20000,
    .body_timeout_ms = 30000,
    .idle_timeout_ms = 300000,
};

const struct http_limits http_limits_runtime = {
    .head_max =
        (1 << 20) + (64 << 10), /* an error's X-Ray cause may have 1 MB (dataplane.md 1.5) */
    .headers_max = 64,
    .body_max = 6 << 20,
    .pending_max = 16 << 20,
    .shared_max = 512 << 20,
    .trailers_max = 256 << 10, /* an error's document in base64 */
    .conns_max = 16,           /* functions choose how many: a thousand environments add up */
    .head_timeout_ms = 60000,  /* the environment may be frozen in the middle */
    .body_timeout_ms = 60000,
    .idle_timeout_ms = 0,
    .hold_ms = 10,
};

const struct http_limits http_limits_endpoint = {
    .head_max = 64 << 10,
    .headers_max = 64,
    .body_max = 6 << 20,
    .pending_max = 16 << 20,
    .shared_max = 512 << 20,
    .trailers_max = 4 << 10,
    .conns_max = 64, /* SDKs keep up to 50 */
    .head_timeout_ms = 60000,
    .body_timeout_ms = 60000,
    .idle_timeout_ms = 0, /* the environment may be frozen */
};

/* One coarse timer for all servers of a loop: a thousand environments cost one wake-up. */
enum { REAP_MS = 250 };

static struct {
    uv_timer_t *timer; /* NULL: not running */
    struct list servers;
    size_t count;
} reaper;

/* Whatever is called here may close connections and servers: no link of a list is kept over it. */
static void reap(struct http_server *server)
{
    uint64_t now = uv_now(server->loop);
    LIST_EACH(each, &server->conns)
    {
        struct conn *conn = LIST_ITEM(each, conn, link);
        if (conn_is_due(conn, now)) {
            list_remove(&conn->link);
            list_push_back(&server->expired, &conn->link);
        }
    }
    while (!list_empty(&server->expired)) {
        struct conn *conn = LIST_FIRST(&server->expired, conn, link);
        list_remove(&conn->link);
        list_push_back(&server->conns, &conn->link);
        conn_expire(conn);
    }
}

static void on_reap(uv_timer_t *timer)
{
    for (size_t left = reaper.count; left && reaper.timer == timer; left--) {
        struct http_server *server = LIST_FIRST(&reaper.servers, http_server, link);
        list_remove(&server->link);
        list_push_back(&reaper.servers, &server->link);
        reap(server);
        if (left > reaper.count)
            left = reaper.count + 1;
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void reaper_add(struct http_server *server)
{
    if (!reaper.timer) {
        reaper.timer = mem_new(sizeof *reaper.timer);
        reaper.count = 0;
        list_init(&reaper.servers);
        uv_timer_init(server->loop, reaper.timer);
        uv_timer_start(reaper.timer, on_reap, REAP_MS, REAP_MS);
        uv_unref((uv_handle_t *)reaper.timer);
    }
    must(reaper.timer->loop == server->loop);
    list_push_back(&reaper.servers, &server->link);
    reaper.count++;
}

static void reaper_remove(struct http_server *server)
{
    list_remove(&server->link);
    if (--reaper.count == 0)
        uv_close((uv_handle_t *)STEAL(reaper.timer), on_timer_closed);
}

/* Out of descriptors libuv accepts and closes with one that it keeps back; say so, but not for each
 * of them. */
static void on_accept_failed(int status)
{
    static uint64_t silent_until;
    uint64_t now = clock_mono_ns();
    if (now >= silent_until) {
        log_warn("http.accept", "err=%s", uv_strerror(status));
        silent_until = now + 60 * 1000000000ull;
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_server *server = CAST(http_server, listener->data, HTTP_SERVER_MAGIC);
    if (status < 0) {
        on_accept_failed(status);
        return;
    }
    conn_accept(server);
}

static struct http_server *server_new(uv_loop_t *loop, const struct http_limits *limits,
                                      const struct http_handler *handler, void *arg)
{
    struct http_server *server = NEW(http_server);
    server->magic = HTTP_SERVER_MAGIC;
    server->loop = loop;
    server->limits = *limits;
    server->handler = *handler;
    server->arg = arg;
    list_init(&server->conns);
    list_init(&server->expired);
    uv_tcp_init(loop, &server->listener);
    uv_timer_init(loop, &server->holder);
    list_init(&server->held);
    server->listener.data = server->holder.data = server;
    server->handles = 2;
    reaper_add(server);
    return server;
}

static void on_own_closed(uv_handle_t *handle)
{
    server_handle_closed(CAST(http_server, handle->data, HTTP_SERVER_MAGIC));
}

void server_handle_closed(struct http_server *server)
{
    if (--server->handles == 0 && server->closing) {
        server->magic = 0;
        free(server);
    }
}

static struct http_server *server_listen(struct http_server *server, int error, const char *what,
                                         struct err *err)
{
    if (error == 0)
        error = uv_listen((uv_stream_t *)&server->listener, 1024, on_connection);
    if (error) {
        err_os(err, -error, "listen on %s%s", what,
               error == UV_EACCES ? " (without privilege: a port above 1023)" : "");
        http_server_close(server);
        return NULL;
    }
    return server;
}

struct http_server *http_listen(uv_loop_t *loop, const char *host, uint16_t port,
                                const struct http_limits *limits,
                                const struct http_handler *handler, void *arg, struct err *err)
{
    struct sockaddr_storage addr = {0};
    struct http_server *server = server_new(loop, limits, handler, arg);
    int error = uv_ip4_addr(host, port, (struct sockaddr_in *)(void *)&addr);
    if (error)
        error = uv_ip6_addr(host, port, (struct sockaddr_in6 *)(void *)&addr);
    if (error == 0)
        error = uv_tcp_bind(&server->listener, (const struct sockaddr *)&addr, 0);
    return server_listen(server, error, host, err);
}

struct http_server *http_listen_fd(uv_loop_t *loop, int fd, const struct http_limits *limits,
                                   const struct http_handler *handler, void *arg, struct err *err)
{
    struct http_server *server = server_new(loop, limits, handler, arg);
    int error = uv_tcp_open(&server->listener, fd);
    if (error)
        close(fd);
    return server_listen(server, error, "descriptor", err);
}

uint16_t http_server_port(const struct http_server *server)
{
    struct sockaddr_storage addr = {0};
    int n = sizeof addr;
    uv_tcp_getsockname(&server->listener, (struct sockaddr *)&addr, &n);
    const struct sockaddr_in *v4 = (const void *)&addr; /* the port lies alike in both families */
    return ntohs(v4->sin_port);
}

static void close_listener(struct http_server *server)
{
    if (!uv_is_closing((uv_handle_t *)&server->listener))
        uv_close((uv_handle_t *)&server->listener, on_own_closed);
}

bool http_server_drain(struct http_server *server)
{
    bool owes = false;
    server->draining = true;
    close_listener(server);
    LIST_EACH(each, &server->conns)
    {
        struct conn *conn = LIST_ITEM(each, conn, link);
        if (conn_is_idle(conn))
            conn_close(conn);
        else
            owes |= !conn->finishing; /* those that finish only wait for the peer's end */
    }
    return !owes;
}

void http_server_close(struct http_server *server)
{
    if (!server || server->closing)
        return;
    server->closing = true;
    reaper_remove(server);
    while (!list_empty(&server->conns))
        conn_close(LIST_FIRST(&server->conns, conn, link));
    while (!list_empty(&server->expired))
        conn_close(LIST_FIRST(&server->expired, conn, link));
    close_listener(server);
    uv_close((uv_handle_t *)&server->holder, on_own_closed);
}
