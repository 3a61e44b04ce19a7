#include "front/route.h"

#include "aws/query.h"
#include "aws_services.h"
#include "codec/form.h"

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

bool route_is_form(const struct http_request *req)
{
    static const char type[] = "application/x-www-form-urlencoded";
    struct slice value = http_header_get(req, S("Content-Type"));
    return slice_eq_nocase(slice_sub(value, 0, sizeof type - 1), slice_str(type));
}

/* An operation of the Query protocol, whose service only the form itself names. */
static bool is_action(const struct http_request *req)
{
    if (!slice_eq(req->path, S("/")))
        return false;
    if (slice_eq(req->method, S("POST")))
        return route_is_form(req);
    return slice_eq(req->method, S("GET")) &&
           (slice_starts(req->query, S("Action=")) ||
            (req->query.n && memmem(req->query.p, req->query.n, "&Action=", strlen("&Action="))));
}

/* As one service would take it. */
static bool find_in(const struct aws_service *service, const struct http_request *req,
                    struct slice target, struct route *out)
{
    switch (service->protocol) {
    case AWS_REST_JSON:
        return find_rest(service, req, out);
    case AWS_JSON:
        return target.p && find_target(service, target, out);
    case AWS_QUERY_XML:
        out->form = true;
        return true;
    }
    return false;
}

static bool find_any(const struct http_request *req, struct slice target, struct route *out)
{
    for (size_t i = 0; i < AWS_SERVICES && target.p; i++) {
        if (aws_services[i]->protocol == AWS_JSON && find_target(aws_services[i], target, out)) {
            out->service = aws_services[i];
            return true;
        }
    }
    if (is_action(req)) {
        out->form = true;
        return true;
    }
    for (size_t i = 0; i < AWS_SERVICES; i++) {
        if (aws_services[i]->protocol == AWS_REST_JSON && find_rest(aws_services[i], req, out)) {
            out->service = aws_services[i];
            return true;
        }
    }
    return false;
}

bool route_find(const struct http_request *req, struct slice scope, struct route *out)
{
    struct slice target = {NULL, 0};
    const struct aws_service *signed_for = NULL;
    *out = (struct route){0};
    for (size_t i = 0; i < AWS_SERVICES && !signed_for; i++) {
        if (slice_eq(scope, slice_str(aws_services[i]->name)))
            signed_for = aws_services[i];
    }
    if (scope.n && !signed_for)
        return false; /* what looks like one of ours is another service's: a bucket, a queue */
    if (slice_eq(req->path, S("/")) && slice_eq(req->method, S("POST")))
        target = http_header_get(req, S("X-Amz-Target"));
    if (signed_for && find_in(signed_for, req, target, out)) {
        out->service = signed_for;
        return true;
    }
    if (find_any(req, target, out))
        return true;
    out->service = signed_for;
    return signed_for != NULL;
}

static const struct aws_operation *find_action(const struct aws_service *service,
                                               struct slice action)
{
    for (size_t i = 0; i < service->operation_count; i++) {
        if (slice_eq(service->operations[i]->name, action))
            return service->operations[i];
    }
    return NULL;
}

bool route_form(struct slice text, struct arena *arena, struct route *route,
                struct aws_fault *fault)
{
    struct form form;
    if (!form_parse(text, QUERY_PAIRS_MAX, arena, &form)) {
        *fault = (struct aws_fault){"MalformedQueryString",
                                    S("The query string contains a syntax error.")};
        return false;
    }
    struct slice action = form_get(&form, S("Action"));
    struct slice version = form_get(&form, S("Version"));
    if (!action.n) {
        *fault = (struct aws_fault){"MissingAction", S("Missing Action")};
        return false;
    }
    for (size_t i = 0; i < AWS_SERVICES && !route->service; i++) {
        if (aws_services[i]->protocol == AWS_QUERY_XML &&
            slice_eq(aws_services[i]->version, version))
            route->service = aws_services[i];
    }
    if (route->service && slice_eq(route->service->version, version))
        route->op = find_action(route->service, action);
    if (route->op)
        return true;
    fault->code = "InvalidAction";
    fault->message =
        arena_printf(arena, "Could not find operation %.*s for version %.*s", FMT(action),
                     FMT(version.n ? version : S("NO_VERSION_SPECIFIED")));
    return false;
}
