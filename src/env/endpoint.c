#include "env/endpoint.h"

#include "base/log.h"

#include <unistd.h>

struct http_server *endpoint_open(uv_loop_t *loop, const struct env_endpoint *endpoint, int fd)
{
    struct err err;
    if (fd < 0)
        return NULL;
    if (!endpoint->handler) {
        close(fd);
        return NULL;
    }
    struct http_server *server =
        http_listen_fd(loop, fd, &http_limits_endpoint, endpoint->handler, endpoint->arg, &err);
    if (!server)
        log_warn("env.endpoint", "err=%s", err.msg);
    return server;
}
