#include "front/route.h"

#include "lambda_api.h"
#include "logs_api.h"

/* A new neighbour adds its service here. */
static const struct aws_service *const services[] = {&lambda_service, &logs_service};

const struct aws_service *const *route_services(size_t *out_count)
{
    *out_count = sizeof services / sizeof services[0];
    return services;
}

/* Matches one path against one template, segment by segment; an empty label matches nothing. */
static bool match(struct slice template, struct slice path, struct route *out)
{
    struct slice want;
    struct slice have;
    out->labels = 0;
    while (slice_cut(&template, '/', &want)) {
        if (!slice_cut(&path, '/', &have))
            return false;
        if (want.n && want.p[0] == '{') {
            if (!have.n || out->labels == ROUTE_LABELS)
                return false;
            out->names[out->labels] = slice_sub(want, 1, want.n - 2);
            out->values[out->labels++] = have;
        } else if (!slice_eq(want, have)) {
            return false;
        }
    }
    return !path.p; /* nothing is left over */
}

static unsigned count_slashes(struct slice path)
{
    unsigned n = 0;
    for (size_t i = 0; i < path.n; i++)
        n += path.p[i] == '/';
    return n;
}

static bool has_query(struct slice query, struct slice literal)
{
    struct slice pair;
    while (slice_cut(&query, '&', &pair)) {
        if (slice_eq(pair, literal))
            return true;
    }
    return false;
}

/* Either among the operations that want a literal query, or among the others. */
static bool find_path(const struct aws_service *service, const struct http_request *req,
                      bool literal, struct route *out)
{
    struct slice path = req->path;
    if (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    unsigned segments = count_slashes(path);
    for (size_t i = 0; i < service->operation_count; i++) {
        const struct aws_operation *op = service->operations[i];
        if (op->segments == segments && literal == (op->query.n != 0) &&
            slice_eq(op->method, req->method) && (!literal || has_query(req->query, op->query)) &&
            match(op->uri, path, out)) {
            out->op = op;
            return true;
        }
    }
    return false;
}

static bool find_rest(const struct aws_service *service, const struct http_request *req,
                      struct route *out)
{
    return (req->query.n && find_path(service, req, true, out)) ||
           find_path(service, req, false, out);
}

/* X-Amz-Target: Logs_20140328.FilterLogEvents */
static bool find_target(const struct aws_service *service, struct slice target, struct route *out)
{
    struct slice prefix;
    if (!slice_cut(&target, '.', &prefix) || !slice_eq(prefix, service->target))
        return false;
    out->labels = 0;
    out->op = NULL; /* the service is ours, the operation may be unknown */
    for (size_t i = 0; i < service->operation_count; i++) {
        if (slice_eq(service->operations[i]->name, target))
            out->op = service->operations[i];
    }
    return true;
}

bool route_find(const struct http_request *req, struct route *out)
{
    struct slice target = {NULL, 0};
    if (slice_eq(req->path, S("/")) && slice_eq(req->method, S("POST")))
        target = http_header_get(req, S("X-Amz-Target"));
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        const struct aws_service *service = services[i];
        if (service->protocol == AWS_REST_JSON ? find_rest(service, req, out)
                                               : target.p && find_target(service, target, out)) {
            out->service = service;
            return true;
        }
    }
    return false;
}
