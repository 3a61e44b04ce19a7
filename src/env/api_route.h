/* What may be asked of the port that each sandbox has for itself (AWS_LAMBDA_RUNTIME_API): the
 * Runtime API, and those for extensions (dataplane.md 1.2, 3.8, 3.9). */
#ifndef LK_API_ROUTE_H
#define LK_API_ROUTE_H

#include "http/server.h"

enum api_route {
    ROUTE_NONE,
    ROUTE_PING,
    ROUTE_NEXT,
    ROUTE_RESPONSE,
    ROUTE_ERROR,
    ROUTE_INIT_ERROR,
    ROUTE_EXTENSION_REGISTER,
    ROUTE_EXTENSION_NEXT,
    ROUTE_EXTENSION_INIT_ERROR,
    ROUTE_EXTENSION_EXIT_ERROR,
    ROUTE_LOGS,
    ROUTE_TELEMETRY,
};

/* `*out_id` is the one in the path of RESPONSE and ERROR; ROUTE_NONE with *out_status 404 or 405.
 */
enum api_route api_route(const struct http_request *req, struct slice *out_id, int *out_status);

#endif
