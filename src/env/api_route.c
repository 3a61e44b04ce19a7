#include "env/api_route.h"

#include "base/mem.h"

static const struct {
    struct slice path;
    struct slice method;
    enum api_route route;
} routes[] = {
    {S_INIT("/2018-06-01/ping"), S_INIT("GET"), ROUTE_PING},
    {S_INIT("/2018-06-01/runtime/invocation/next"), S_INIT("GET"), ROUTE_NEXT},
    {S_INIT("/2018-06-01/runtime/init/error"), S_INIT("POST"), ROUTE_INIT_ERROR},
    {S_INIT("/2020-01-01/extension/register"), S_INIT("POST"), ROUTE_EXTENSION_REGISTER},
    {S_INIT("/2020-01-01/extension/event/next"), S_INIT("GET"), ROUTE_EXTENSION_NEXT},
    {S_INIT("/2020-01-01/extension/init/error"), S_INIT("POST"), ROUTE_EXTENSION_INIT_ERROR},
    {S_INIT("/2020-01-01/extension/exit/error"), S_INIT("POST"), ROUTE_EXTENSION_EXIT_ERROR},
    {S_INIT("/2020-08-15/logs"), S_INIT("PUT"), ROUTE_LOGS},
    {S_INIT("/2022-07-01/telemetry"), S_INIT("PUT"), ROUTE_TELEMETRY},
};

/* /2018-06-01/runtime/invocation/{id}/response and .../error */
static enum api_route invocation_route(struct slice path, struct slice *out_id)
{
    struct slice prefix = S("/2018-06-01/runtime/invocation/");
    if (!slice_starts(path, prefix))
        return ROUTE_NONE;
    struct slice rest = slice_sub(path, prefix.n, path.n);
    size_t slash = slice_find(rest, '/');
    if (slash == SIZE_MAX || slash == 0)
        return ROUTE_NONE;
    *out_id = slice_sub(rest, 0, slash);
    struct slice tail = slice_sub(rest, slash + 1, rest.n);
    if (slice_eq(tail, S("response")))
        return ROUTE_RESPONSE;
    return slice_eq(tail, S("error")) ? ROUTE_ERROR : ROUTE_NONE;
}

enum api_route api_route(const struct http_request *req, struct slice *out_id, int *out_status)
{
    *out_status = 404;
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (!slice_eq(req->path, routes[i].path))
            continue;
        if (slice_eq(req->method, routes[i].method))
            return routes[i].route;
        *out_status = 405;
        return ROUTE_NONE;
    }
    enum api_route route = invocation_route(req->path, out_id);
    if (route != ROUTE_NONE && !slice_eq(req->method, S("POST"))) {
        *out_status = 405;
        return ROUTE_NONE;
    }
    return route;
}
