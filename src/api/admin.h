/* Calls that no AWS service has, for people's tests. Off unless lambkin listens on loopback with
 * auth off:
 *
 *   POST /_lambkin/reset          every function, layer, role, user and log group is gone
 *   POST /_lambkin/cold/NAME      the next invocation of each version of the function starts cold
 *
 * Both answer 200 with {} when it is done. */
#ifndef LK_API_ADMIN_H
#define LK_API_ADMIN_H

#include "api/api.h"

struct log_store;

struct admin_context {
    struct api_context *api;
    struct log_store *logs;
    const char *logs_dir; /* DATA/logs */
};

void admin_register(struct front *front, struct admin_context *context);

#endif
