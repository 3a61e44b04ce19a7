#include "front/front.h"

#include "aws/codec.h"
#include "aws_services.h"
#include "base/log.h"
#include "base/mem.h"
#include "front/caller.h"
#include "front/calls.h"
#include "front/marker.h"
#include "front/origin.h"
#include "front/route.h"
#include "lambda_api.h"
#include "model/credentials.h"

enum {
    FRONT_MAGIC = 0x66726f6e,
    PLAN_MAGIC = 0x706c616e,
    PATHS_MAX = 8,
    BODY_MAX = 6291456,       /* AWS: 6 MB for most requests */
    BODY_MAX_CODE = 70167211, /* AWS: requests that carry a zip (controlplane.md fact 32) */
};

struct handler {
    call_handler *handle; /* NULL: not implemented yet */
    call_check *check;    /* in its place; or NULL */
    void *context;
};

struct path_handler {
    struct slice method;
    struct slice path;
    call_handler *handle;
    void *context;
};

struct front {
    uint32_t magic;
    struct http_server *server;
    struct slice region;
    struct slice account;
    const struct iam *iam;
    struct handler *handlers[AWS_SERVICES]; /* by the numbers of their operations */
    struct path_handler paths[PATHS_MAX];
    size_t path_count;
    struct path_handler urls; /* handle NULL: nobody's */
    struct calls *calls;
};

/* What on_head found out, for on_request; lies in the request's arena. */
struct plan {
    uint32_t magic;
    struct caller caller;
    struct route route;
    const struct path_handler *path;
};

static struct handler *handler_of(struct front *front, const struct aws_operation *op)
{
    size_t at = 0;
    while (aws_services[at] != op->service)
        at++;
    return &front->handlers[at][op->number];
}

void front_handle(struct front *front, const struct aws_operation *op, call_handler *handler,
                  void *context)
{
    *handler_of(front, op) = (struct handler){.handle = handler, .context = context};
}

void front_check(struct front *front, const struct aws_operation *op, call_check *check,
                 void *context)
{
    *handler_of(front, op) = (struct handler){.check = check, .context = context};
}

void front_print_handled(const struct front *front, struct buf *out)
{
    for (size_t i = 0; i < AWS_SERVICES; i++) {
        const struct aws_service *service = aws_services[i];
        const char *separator = "";
        buf_printf(out, "%s\"%s\":[", i ? "," : "{", service->name);
        for (size_t n = 0; n < service->operation_count; n++) {
            if (!front->handlers[i][n].handle)
                continue;
            buf_printf(out, "%s\"%.*s\"", separator, FMT(service->operations[n]->name));
            separator = ",";
        }
        buf_char(out, ']');
    }
    buf_char(out, '}');
}

void front_handle_path(struct front *front, const char *method, const char *path,
                       call_handler *handler, void *context)
{
    must(front->path_count < PATHS_MAX);
    front->paths[front->path_count++] =
        (struct path_handler){slice_str(method), slice_str(path), handler, context};
}

static const struct path_handler *find_path(const struct front *front,
                                            const struct http_request *req)
{
    for (size_t i = 0; i < front->path_count; i++) {
        const struct path_handler *p = &front->paths[i];
        bool below = slice_ends(p->path, S("/"));
        if ((below ? slice_starts(req->path, p->path) : slice_eq(req->path, p->path)) &&
            slice_eq(req->method, p->method))
            return p;
    }
    return NULL;
}

void front_handle_urls(struct front *front, call_handler *handler, void *context)
{
    front->urls = (struct path_handler){.handle = handler, .context = context};
}

static bool is_url(const struct http_request *req)
{
    static const char domain[] = ".lambda-url.";
    struct slice host = http_header_get(req, S("Host"));
    return host.n && memmem(host.p, host.n, domain, sizeof domain - 1);
}

static size_t body_limit(const struct plan *plan)
{
    const struct aws_operation *op = plan->route.op;
    if (op == &lambda_op_CreateFunction || op == &lambda_op_UpdateFunctionCode ||
        op == &lambda_op_PublishLayerVersion)
        return BODY_MAX_CODE;
    return BODY_MAX;
}

static void on_head(struct http_request *req, void *arg)
{
    struct front *front = CAST(front, arg, FRONT_MAGIC);
    struct plan *plan = ARENA_NEW(req->arena, plan);
    plan->magic = PLAN_MAGIC;
    plan->path = front->urls.handle && is_url(req) ? &front->urls : find_path(front, req);
    plan->caller = caller_of(req);
    if (!plan->path && !route_find(req, plan->caller.service, &plan->route))
        plan->route = (struct route){0};
    req->user = plan;
    req->body_limit = body_limit(plan);
}

/* ---- making a call ---- */

struct source {
    struct http_request *req;
    const struct route *route;
    bool broken; /* a percent escape that is none */
};

static struct slice get_part(void *arg, enum aws_where where, struct slice name, size_t nth)
{
    struct source *s = arg;
    struct slice out = {NULL, 0};
    if (where == AWS_HEADER)
        return http_header_get(s->req, name);
    if (where == AWS_QUERY)
        return http_query_nth(s->req, name, nth);
    for (size_t i = 0; i < s->route->labels; i++) {
        if (slice_eq(s->route->names[i], name) &&
            !http_unescape(s->req->arena, s->route->values[i], &out))
            s->broken = true;
    }
    return out;
}

/* What cannot be decoded is not as good as absent: without its qualifier, a deletion means more. */
static bool query_decodes(const struct http_request *req)
{
    struct slice rest = req->query;
    struct slice part;
    struct slice decoded;
    if (!rest.n || slice_find(rest, '%') == SIZE_MAX)
        return true;
    while (slice_cut(&rest, '&', &part)) {
        if (!http_unescape(req->arena, part, &decoded))
            return false;
    }
    return true;
}

/* Only keys that lambkin gave out say more than the account that they may name. */
static const struct principal *find_caller(const struct front *front, const struct call *call,
                                           const struct caller *caller)
{
    struct principal found;
    struct slice token = {NULL, 0};
    if (!front->iam || caller->key.n < 4 || caller->key.p[0] != 'A')
        return NULL;
    if (slice_starts(caller->key, S("ASIA"))) {
        token = http_header_get(call->http, S("X-Amz-Security-Token"));
        if (!token.p)
            token = http_query_get(call->http, S("X-Amz-Security-Token"));
    }
    if (!credentials_find(front->iam, call->arena, caller->key, token, &found))
        return NULL;
    struct principal *principal = ARENA_NEW(call->arena, principal);
    *principal = found;
    return principal;
}

static struct call *make_call(struct front *front, struct http_request *req,
                              const struct plan *plan)
{
    const struct caller caller = plan->caller;
    struct call *call = calls_take(front->calls, req);
    call->op = plan->route.op;
    call->service = plan->route.service;
    call->caller = find_caller(front, call, &caller);
    /* Copies of ours, too: at the end a call may outlive the front. */
    call->account =
        call->caller ? call->caller->account
                     : arena_dup(call->arena, caller.account.p ? caller.account : front->account);
    call->region = arena_dup(call->arena, caller.region.p ? caller.region : front->region);
    return call;
}

/* What the Query protocol decodes: the body, or what stands behind the path. */
static struct slice form_of(const struct call *call)
{
    return slice_eq(call->http->method, S("GET")) ? call->http->query : buf_all(&call->body);
}

static bool refuse_page(struct call *call, bool is_url)
{
    bool query = call->service && call->service->protocol == AWS_QUERY_XML;
    const char *code = query ? "AccessDenied" : "AccessDeniedException";
    if (!origin_may_call(call->http))
        call_fail(call, code, "A web page that is not of this machine may not call lambkin.");
    else if (!is_url && !origin_is_addressed(call->http))
        call_fail(call, code,
                  "lambkin may not be called by the name %.*s, which can be a web page's: call it "
                  "localhost.",
                  FMT(http_header_get(call->http, S("Host"))));
    else
        return false;
    return true;
}

static void dispatch(struct front *front, struct call *call, const struct route *route)
{
    struct source source = {call->http, route, false};
    const struct aws_source from = {route->form ? form_of(call) : buf_all(&call->body), get_part,
                                    &source};
    struct aws_fault fault;
    void *input = NULL;
    const struct handler *handler = handler_of(front, call->op);
    if (refuse_page(call, false))
        return;
    bool good = aws_decode_input(call->op, &from, call->arena, &input, &fault);
    if (source.broken || !query_decodes(call->http)) { /* first: to the decoder it is absent */
        call_fail(call, "ValidationException",
                  "The request address has a percent escape that cannot be decoded.");
        return;
    }
    if (!good) {
        call_fail(call, fault.code, "%.*s", FMT(fault.message));
        return;
    }
    if (!marker_unwrap(call->op, input, call->arena)) {
        call_fail(call, "InvalidParameterValueException", "The provided Marker is not valid.");
        return;
    }
    call->input = input;
    call->context = handler->context;
    if (handler->handle)
        handler->handle(call);
    else if (!handler->check || handler->check(call))
        call_fail(call, "NotImplementedException", "%.*s is not implemented by lambkin yet.",
                  FMT(call->op->name));
}

static void dispatch_form(struct front *front, struct call *call, struct route *route)
{
    struct aws_fault fault;
    bool found = route_form(form_of(call), call->arena, route, &fault);
    call->op = route->op;
    call->service = route->service;
    if (found)
        dispatch(front, call, route);
    else
        call_fail(call, fault.code, "%.*s", FMT(fault.message));
}

static void fail_unknown(struct call *call, struct slice scope)
{
    if (!call->service && scope.n)
        call_fail(call, "NotImplementedException", "lambkin does not have the service %.*s yet.",
                  FMT(scope));
    else
        call_fail(call, "UnknownOperationException",
                  "Unable to determine service/operation name to be authorized");
}

static void on_request(struct http_request *req, void *arg)
{
    struct front *front = CAST(front, arg, FRONT_MAGIC);
    struct plan *plan = req->user;
    struct call *call = make_call(front, req, plan);
    if (plan->path) {
        call->op = NULL;
        call->context = plan->path->context;
        if (!refuse_page(call, plan->path == &front->urls))
            plan->path->handle(call);
    } else if (plan->route.form) {
        dispatch_form(front, call, &plan->route);
    } else if (!call->op) {
        fail_unknown(call, plan->caller.service);
    } else {
        dispatch(front, call, &plan->route);
    }
}

static void on_too_large(struct http_request *req, void *arg)
{
    struct front *front = CAST(front, arg, FRONT_MAGIC);
    const struct plan *plan = req->user;
    struct call *call = make_call(front, req, plan);
    /* AWS calls the operation behind Invoke by another name here. */
    struct slice name = call->op == &lambda_op_Invoke ? S("InvokeFunction")
                        : call->op                    ? call->op->name
                                                      : S("Unknown");
    call_fail(call, plan->route.form ? "RequestEntityTooLarge" : "RequestEntityTooLargeException",
              "Request must be smaller than %zu bytes for the %.*s operation", req->body_limit,
              FMT(name));
}

static void on_abort(struct http_request *req, void *arg)
{
    (void)arg;
    const uint32_t *magic = req->user;
    if (*magic != PLAN_MAGIC) /* else it left within the body: no call has begun */
        calls_client_gone(req);
}

static void on_drained(struct http_request *req, void *arg)
{
    (void)arg;
    calls_drained(req);
}

const struct http_handler front_http_handler = {.on_head = on_head,
                                                .on_request = on_request,
                                                .on_too_large = on_too_large,
                                                .on_abort = on_abort,
                                                .on_drained = on_drained};

struct front *front_new(uv_loop_t *loop, const struct front_config *config, struct err *err)
{
    struct front *front = NEW(front);
    front->magic = FRONT_MAGIC;
    front->region = slice_str(mem_str(config->region));
    front->account = slice_str(mem_str(config->account));
    front->iam = config->iam;
    front->calls = calls_new();
    for (size_t i = 0; i < AWS_SERVICES; i++)
        front->handlers[i] =
            mem_new_array(aws_services[i]->operation_count, sizeof *front->handlers[i]);
    front->server = http_listen(loop, config->host, config->port,
                                config->limits ? config->limits : &http_limits_public,
                                &front_http_handler, front, err);
    if (!front->server) {
        front_free(front);
        return NULL;
    }
    return front;
}

void front_free(struct front *front)
{
    if (!front)
        return;
    http_server_close(front->server);
    calls_free(front->calls);
    for (size_t i = 0; i < AWS_SERVICES; i++)
        free(front->handlers[i]);
    free((char *)(uintptr_t)front->region.p);
    free((char *)(uintptr_t)front->account.p);
    front->magic = 0;
    free(front);
}

bool front_drain(struct front *front)
{
    return http_server_drain(front->server);
}

uint16_t front_port(const struct front *front)
{
    return http_server_port(front->server);
}
