#include "http/conn.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <unistd.h>

const struct http_limits http_limits_public = {
    .head_max = 1 << 20, /* AWS: request line and headers 1 MB (dataplane.md 2.6) */
    .headers_max = 200,
    .body_max = 6 << 20,
    .conns_max = 12000,
    .head_timeout_ms = 20000,
    .body_timeout_ms = 30000,
    .idle_timeout_ms = 300000,
};

const struct http_limits http_limits_runtime = {
    .head_max = 64 << 10,
    .headers_max = 64,
    .body_max = 6 << 20,
    .conns_max = 32,
    .head_timeout_ms = 60000, /* the environment may be frozen in the middle */
    .body_timeout_ms = 60000,
    .idle_timeout_ms = 0,
};

/* One coarse timer for all servers of a loop: a thousand environments cost one wake-up a second. */
enum { REAP_MS = 500 };

static struct {
    uv_timer_t timer;
    struct list servers;
    uv_loop_t *loop; /* NULL: not running */
} reaper;

static void on_reap(uv_timer_t *timer)
{
    (void)timer;
    LIST_EACH(link, &reaper.servers)
    {
        struct http_server *server = LIST_ITEM(link, http_server, link);
        LIST_EACH(each, &server->conns)
        conn_check_time(LIST_ITEM(each, conn, link), uv_now(server->loop));
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void reaper_add(struct http_server *server)
{
    if (!reaper.loop) {
        reaper.loop = server->loop;
        list_init(&reaper.servers);
        uv_timer_init(server->loop, &reaper.timer);
        uv_timer_start(&reaper.timer, on_reap, REAP_MS, REAP_MS);
        uv_unref((uv_handle_t *)&reaper.timer);
    }
    must(reaper.loop == server->loop);
    list_push_back(&reaper.servers, &server->link);
}

static void reaper_remove(struct http_server *server)
{
    list_remove(&server->link);
    if (list_empty(&reaper.servers)) {
        uv_close((uv_handle_t *)&reaper.timer, on_timer_closed);
        reaper.loop = NULL;
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_server *server = CAST(http_server, listener->data, HTTP_SERVER_MAGIC);
    if (status < 0) {
        log_warn("http.accept", "err=%s", uv_strerror(status));
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
    uv_tcp_init(loop, &server->listener);
    server->listener.data = server;
    server->handles = 1;
    reaper_add(server);
    return server;
}

static void on_listener_closed(uv_handle_t *handle)
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
        err_os(err, -error, "listen on %s", what);
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

void http_server_close(struct http_server *server)
{
    if (!server || server->closing)
        return;
    reaper_remove(server);
    while (!list_empty(&server->conns))
        conn_close(LIST_FIRST(&server->conns, conn, link));
    server->closing = true;
    uv_close((uv_handle_t *)&server->listener, on_listener_closed);
}
