/* The AWS endpoint inside a sandbox: lambkin's own door, on a listener of the sandbox's network
 * namespace. */
#ifndef LK_ENDPOINT_H
#define LK_ENDPOINT_H

#include "env/pool.h"
#include "http/server.h"

/* Takes over the descriptor (-1: there is none). NULL: it is not served, functions run without it.
 * Lasts over restarts of the runtime; http_server_close(). */
struct http_server *endpoint_open(uv_loop_t *loop, const struct env_endpoint *endpoint, int fd);

#endif
