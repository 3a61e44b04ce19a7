#include "env/runtime_api.h"

#include "base/list.h"
#include "base/mem.h"
#include "env/api_answer.h"
#include "env/api_route.h"
#include "env/error_cause.h"
#include "env/extensions.h"
#include "env/report.h"
#include "http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RUNTIME_API_MAGIC = 0x52544150, OTHER_BODY_MAX = 65536 };

/* The names are Lambda's own: they appear in messages to the runtime. */
enum { STARTED, INIT_ERROR, READY, RUNNING, RESPONDING, REPORTING, SENT };

/*  STARTED --next--> READY --event--> RUNNING --response--> RESPONDING --> SENT --next--> READY
 *     |                                  \-------error----> REPORTING ---/
 *     \--init/error--> INIT_ERROR
 *  READY: the runtime waits, or its connection broke and it will ask again.
 *  RUNNING, RESPONDING, REPORTING: an event is out.  Any state goes to STARTED with a new process.
 */
const struct sm_state runtime_api_states[] = {
    [STARTED] = {"Started", SM_TO(READY) | SM_TO(INIT_ERROR) | SM_TO(STARTED)},
    [INIT_ERROR] = {"InitError", SM_TO(STARTED)},
    [READY] = {"Ready", SM_TO(RUNNING) | SM_TO(STARTED)},
    [RUNNING] = {"Running", SM_TO(RESPONDING) | SM_TO(REPORTING) | SM_TO(STARTED)},
    [RESPONDING] = {"InvocationResponse", SM_TO(SENT) | SM_TO(STARTED)},
    [REPORTING] = {"InvocationErrorResponse", SM_TO(SENT) | SM_TO(STARTED)},
    [SENT] = {"RuntimeResponseSentState", SM_TO(READY) | SM_TO(STARTED)},
    {NULL, 0},
};

struct runtime_api {
    uint32_t magic;
    uv_loop_t *loop; /* configuration */
    struct extensions *extensions;
    const struct runtime_api_owner *owner;
    void *arg;
    struct sm sm; /* state */
    struct http_server *server;
    struct list waiting;        /* struct asked: blocked calls of next, oldest first */
    struct runtime_event event; /* the one that is out; request_id absent if none, and all that is
                                 * left once it is answered: the rest is the invocation's */
    char id[ID_UUID_LEN + 1];   /* its request_id */
    bool event_due;             /* nobody waited when it came: the next call of next gets it */
    struct http_request *post;  /* the response or error being received */
    bool muted;                 /* the process is being ended: the owner hears nothing of it */
};

/* What the head of a request says; lies in its arena. */
struct asked {
    struct http_request *req;
    enum api_route route;
    int status;       /* of ROUTE_NONE */
    struct slice id;  /* in the path of an answer */
    struct list link; /* a call of next that waits */
};

static void respond_forbidden(struct runtime_api *api, struct http_request *req, unsigned to)
{
    char text[256];
    snprintf(text, sizeof text,
             "State transition from %s to %s failed for runtime. Error: State transition is not "
             "allowed",
             sm_name(&api->sm), runtime_api_states[to].name);
    api_respond_error(req, 403, "InvalidStateTransition", text);
}

static void hand_over(struct runtime_api *api, struct http_request *req)
{
    struct http_header headers[8];
    char deadline[SLICE_U64_MAX];
    const struct runtime_event *event = &api->event;
    size_t n = 0;
    headers[n++] = (struct http_header){S("Content-Type"), S("application/json")};
    headers[n++] = (struct http_header){S("Lambda-Runtime-Aws-Request-Id"), event->request_id};
    headers[n++] = (struct http_header){S("Lambda-Runtime-Deadline-Ms"),
                                        slice_of_u64(deadline, event->deadline_ms)};
    headers[n++] = (struct http_header){S("Lambda-Runtime-Invoked-Function-Arn"), event->arn};
    if (event->trace_id.n)
        headers[n++] = (struct http_header){S("Lambda-Runtime-Trace-Id"), event->trace_id};
    if (event->client_context.n)
        headers[n++] =
            (struct http_header){S("Lambda-Runtime-Client-Context"), event->client_context};
    if (api->sm.state == READY)
        sm_move(&api->sm, RUNNING);
    http_respond(req,
                 &(struct http_response){
                     .status = 200, .headers = headers, .header_count = n, .body = event->body});
}

static void wait_for_event(struct runtime_api *api, struct http_request *req)
{
    struct asked *asked = req->user;
    list_push_back(&api->waiting, &asked->link);
}

static void on_next(struct runtime_api *api, struct http_request *req)
{
    switch (api->sm.state) {
    case RUNNING:
        hand_over(api, req); /* the same event again: it lost its connection */
        return;
    case READY:
        if (api->event_due) {
            api->event_due = false;
            hand_over(api, req);
        } else {
            wait_for_event(api, req);
        }
        return;
    case STARTED:
    case SENT:
        sm_move(&api->sm, READY);
        api->event = (struct runtime_event){0};
        wait_for_event(api, req);
        api->owner->on_next(api->arg);
        return;
    default:
        respond_forbidden(api, req, READY);
    }
}

/* Keeps the first match of (Runtime|Function)\.[A-Z][a-zA-Z]+ anywhere in it (1.5). */
static bool has_category(struct slice type)
{
    static const struct slice words[] = {S_INIT("Runtime."), S_INIT("Function.")};
    for (size_t at = 0; at < type.n; at++) {
        for (size_t i = 0; i < COUNT_OF(words); i++) {
            struct slice rest = slice_sub(type, at, type.n);
            if (!slice_starts(rest, words[i]) || rest.n < words[i].n + 2)
                continue;
            char first = rest.p[words[i].n];
            char second = rest.p[words[i].n + 1];
            if (first >= 'A' && first <= 'Z' &&
                ((second >= 'A' && second <= 'Z') || (second >= 'a' && second <= 'z')))
                return true;
        }
    }
    return false;
}

static struct slice normal_type(struct slice type)
{
    if (has_category(type))
        return slice_sub(type, 0, RUNTIME_API_TYPE_MAX);
    return slice_starts(type, S("Function.")) ? S("Function.Unknown") : S("Runtime.Unknown");
}

static struct slice trailer_get(const struct http_request *req, struct slice name)
{
    for (size_t i = 0; i < req->trailer_count; i++) {
        if (slice_eq_nocase(req->trailers[i].name, name))
            return req->trailers[i].value;
    }
    return (struct slice){NULL, 0};
}

static struct buf take_body(struct http_request *req)
{
    struct buf body = req->body;
    req->body = (struct buf)BUF_INIT(0);
    body.limit = RUNTIME_API_BODY_MAX;
    return body;
}

/* A runtime that said what went wrong but not how: the type alone makes the document. */
static void fill_empty_body(struct runtime_answer *answer)
{
    if (answer->body.n)
        return;
    buf_slice(&answer->body, S("{\"errorType\":"));
    report_quote(&answer->body, answer->error_type);
    buf_char(&answer->body, '}');
}

static void error_from_trailers(struct http_request *req, struct slice type,
                                struct runtime_answer *answer)
{
    struct slice encoded = trailer_get(req, S("Lambda-Runtime-Function-Error-Body"));
    buf_free(&answer->body);
    answer->kind = ANSWER_ERROR;
    answer->error_type = normal_type(type);
    answer->body = (struct buf)BUF_INIT(RUNTIME_API_BODY_MAX);
    error_body_decode(&answer->body, encoded);
    fill_empty_body(answer);
}

static void error_from_body(struct http_request *req, struct runtime_answer *answer)
{
    struct slice type = http_header_get(req, S("Lambda-Runtime-Function-Error-Type"));
    struct slice content = http_header_get(req, S("Content-Type"));
    answer->kind = ANSWER_ERROR;
    answer->error_type = normal_type(type);
    answer->body = take_body(req);
    if (slice_eq_nocase(content, S("application/vnd.aws.lambda.error.cause+json")))
        error_cause_strip(&answer->body);
    fill_empty_body(answer);
}

/* The invoker is answered first, then the runtime: the former waits, the latter has its work done.
 * The type may lie in the request, so that lives until the owner has seen the answer. */
static void answered(struct runtime_api *api, struct runtime_answer *answer)
{
    sm_move(&api->sm, SENT);
    api->post = NULL;
    api->owner->on_answer(api->arg, answer);
}

static void refuse_answer(struct runtime_api *api, enum runtime_answer_kind kind)
{
    struct runtime_answer answer = {.kind = kind, .body = BUF_INIT(RUNTIME_API_BODY_MAX)};
    answer.limit = api->post ? api->post->body_limit : 0;
    answered(api, &answer);
}

/* What has come of a streamed response and was not passed on yet. */
static void pass_on(struct runtime_api *api, struct http_request *req)
{
    if (req == api->post && req->want_pieces && req->body.n)
        api->owner->on_piece(api->arg, buf_all(&req->body));
}

static void on_body(struct http_request *req, void *arg)
{
    pass_on(CAST(runtime_api, arg, RUNTIME_API_MAGIC), req);
}

/* The body of the one post that may answer the event is there, or what came of it. */
static void on_post_done(struct runtime_api *api, struct http_request *req)
{
    struct slice mode = http_header_get(req, S("Lambda-Runtime-Function-Response-Mode"));
    struct slice trailer = trailer_get(req, S("Lambda-Runtime-Function-Error-Type"));
    struct runtime_answer answer = {.kind = ANSWER_RESPONSE,
                                    .body = BUF_INIT(RUNTIME_API_BODY_MAX)};
    pass_on(api, req);
    if (api->sm.state == RESPONDING && mode.p && !slice_eq(mode, S("streaming"))) {
        refuse_answer(api, ANSWER_BAD_MODE);
        api_respond_error(req, 400, "InvalidFunctionResponseMode",
                          "Invalid function response mode");
        return;
    }
    if (req->truncated) {
        refuse_answer(api, ANSWER_TRUNCATED);
        api_respond_error(req, 400, "TruncatedHTTPRequest", "HTTP request detected as truncated");
        return;
    }
    if (api->sm.state == REPORTING)
        error_from_body(req, &answer);
    else if (trailer.n)
        error_from_trailers(req, trailer, &answer);
    else if (!req->want_pieces)
        answer.body = take_body(req);
    answered(api, &answer);
    api_respond_ok(req);
}

static bool is_for_event(const struct runtime_api *api, struct slice id)
{
    return api->event.request_id.n && slice_eq(id, api->event.request_id);
}

/* A function that streams pauses as long as it likes: its own timeout is the limit. */
static void begin_stream(struct runtime_api *api, struct http_request *req)
{
    struct slice mode = http_header_get(req, S("Lambda-Runtime-Function-Response-Mode"));
    if (!slice_eq(mode, S("streaming")))
        return;
    req->unhurried = true;
    if (!api->event.streams)
        return;
    req->want_pieces = true;
    req->body_limit = api->event.stream_max;
    api->owner->on_stream(api->arg, http_header_get(req, S("Content-Type")));
}

/* Whose event, in which state (1.4, steps 1 and 2). The state changes before the body is read, so
 * that of two posts at once only one is heard. */
static void on_post_head(struct runtime_api *api, struct http_request *req, struct slice id,
                         unsigned to)
{
    req->body_limit = OTHER_BODY_MAX;
    if (!is_for_event(api, id) || api->sm.state != RUNNING || api->muted)
        return;
    req->body_limit = RUNTIME_API_BODY_MAX;
    sm_move(&api->sm, to);
    api->post = req;
    req->want_truncated = true;
    if (to == RESPONDING)
        begin_stream(api, req);
}

/* A refusal waits for the end of a body of usual size, as an earlier one would cost the connection.
 */
static void on_post(struct runtime_api *api, struct http_request *req, struct slice id, unsigned to)
{
    if (api->post == req)
        on_post_done(api, req);
    else if (!is_for_event(api, id))
        api_respond_error(req, 400, "InvalidRequestID", "Invalid request ID");
    else
        respond_forbidden(api, req, to);
}

static void on_init_error(struct runtime_api *api, struct http_request *req)
{
    if (api->sm.state != STARTED) {
        respond_forbidden(api, req, INIT_ERROR);
        return;
    }
    struct runtime_answer answer = {.kind = ANSWER_ERROR};
    error_from_body(req, &answer);
    sm_move(&api->sm, INIT_ERROR);
    api->owner->on_init_error(api->arg, &answer);
    api_respond_ok(req);
}

static void on_head(struct http_request *req, void *arg)
{
    struct runtime_api *api = CAST(runtime_api, arg, RUNTIME_API_MAGIC);
    struct asked *asked = ARENA_NEW(req->arena, asked);
    asked->req = req;
    asked->route = api_route(req, &asked->id, &asked->status);
    list_init(&asked->link);
    req->user = asked;
    switch (asked->route) {
    case ROUTE_RESPONSE:
        on_post_head(api, req, asked->id, RESPONDING);
        break;
    case ROUTE_ERROR:
        on_post_head(api, req, asked->id, REPORTING);
        break;
    case ROUTE_INIT_ERROR:
        req->body_limit = RUNTIME_API_BODY_MAX;
        break;
    case ROUTE_NONE:
    case ROUTE_PING:
    case ROUTE_NEXT:
    case ROUTE_EXTENSION_REGISTER:
    case ROUTE_EXTENSION_NEXT:
    case ROUTE_EXTENSION_INIT_ERROR:
    case ROUTE_EXTENSION_EXIT_ERROR:
    case ROUTE_LOGS:
    case ROUTE_TELEMETRY:
        req->body_limit = OTHER_BODY_MAX;
        break;
    }
}

static bool is_runtimes(enum api_route route)
{
    return route == ROUTE_NEXT || route == ROUTE_RESPONSE || route == ROUTE_ERROR ||
           route == ROUTE_INIT_ERROR;
}

static void on_request(struct http_request *req, void *arg)
{
    struct runtime_api *api = CAST(runtime_api, arg, RUNTIME_API_MAGIC);
    static const struct http_header text[] = {{S_INIT("Content-Type"), S_INIT("text/plain")}};
    const struct asked *asked = req->user;
    if (api->muted && is_runtimes(asked->route)) {
        api_respond_error(req, 403, "InvalidStateTransition", "The environment is being shut down");
        return;
    }
    switch (asked->route) {
    case ROUTE_PING:
        http_respond(req,
                     &(struct http_response){
                         .status = 200, .headers = text, .header_count = 1, .body = S("pong")});
        break;
    case ROUTE_NEXT:
        on_next(api, req);
        break;
    case ROUTE_RESPONSE:
        on_post(api, req, asked->id, RESPONDING);
        break;
    case ROUTE_ERROR:
        on_post(api, req, asked->id, REPORTING);
        break;
    case ROUTE_INIT_ERROR:
        on_init_error(api, req);
        break;
    case ROUTE_EXTENSION_REGISTER:
    case ROUTE_EXTENSION_NEXT:
    case ROUTE_EXTENSION_INIT_ERROR:
    case ROUTE_EXTENSION_EXIT_ERROR:
        extensions_request(api->extensions, req, asked->route);
        break;
    case ROUTE_LOGS:
    case ROUTE_TELEMETRY:
        api->owner->on_subscription(api->arg, req, asked->route);
        break;
    case ROUTE_NONE:
        api_respond(req, asked->status, S(""));
        break;
    }
}

static void on_too_large(struct http_request *req, void *arg)
{
    struct runtime_api *api = CAST(runtime_api, arg, RUNTIME_API_MAGIC);
    const struct asked *asked = req->user;
    char text[80];
    snprintf(text, sizeof text, "Exceeded maximum allowed payload size (%zu bytes).",
             req->body_limit);
    if (api->post == req) {
        pass_on(api, req);
        refuse_answer(api, ANSWER_TOO_LARGE);
    } else if (asked->route == ROUTE_RESPONSE || asked->route == ROUTE_ERROR) {
        on_request(req, arg); /* for nobody: not kept */
        return;
    }
    api_respond_error(req, 413, "RequestEntityTooLarge", text);
}

static void on_abort(struct http_request *req, void *arg)
{
    struct runtime_api *api = CAST(runtime_api, arg, RUNTIME_API_MAGIC);
    struct asked *asked = req->user;
    if (asked)
        list_remove(&asked->link);
    extensions_abort(api->extensions, req);
    if (api->post != req)
        return;
    api->post = NULL;
    if (api->server) /* not while we hang up ourselves */
        refuse_answer(api, ANSWER_TRUNCATED);
}

/* A body that came too slowly, or whose chunks are no chunks. */
static void on_malformed(struct http_request *req, int status, void *arg)
{
    struct runtime_api *api = CAST(runtime_api, arg, RUNTIME_API_MAGIC);
    if (api->post == req)
        refuse_answer(api, ANSWER_TRUNCATED);
    http_respond(req, &(struct http_response){.status = status, .close = true});
}

static const struct http_handler handler = {
    .on_head = on_head,
    .on_body = on_body,
    .on_request = on_request,
    .on_malformed = on_malformed,
    .on_too_large = on_too_large,
    .on_abort = on_abort,
};

struct runtime_api *runtime_api_new(uv_loop_t *loop, struct extensions *extensions,
                                    const struct runtime_api_owner *owner, void *arg)
{
    struct runtime_api *api = NEW(runtime_api);
    api->magic = RUNTIME_API_MAGIC;
    api->loop = loop;
    api->extensions = extensions;
    api->owner = owner;
    api->arg = arg;
    list_init(&api->waiting);
    sm_init(&api->sm, runtime_api_states, "runtime", (uint64_t)(uintptr_t)api);
    return api;
}

void runtime_api_free(struct runtime_api *api)
{
    if (!api)
        return;
    runtime_api_shut(api);
    free(api);
}

bool runtime_api_open(struct runtime_api *api, int listener, struct err *err)
{
    must(!api->server);
    int fd = fcntl(listener, F_DUPFD_CLOEXEC, 3); /* the server closes its own */
    if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK))
        return err_os(err, errno, "runtime api listener");
    /* Connections of processes that are dead by now would be taken for the new runtime's. This
     * drops those that wait for accept, and those whose handshake the kernel has not finished. The
     * port stays bound; http_listen_fd listens again. */
    shutdown(fd, SHUT_RD);
    struct http_server *server =
        http_listen_fd(api->loop, fd, &http_limits_runtime, &handler, api, err);
    if (!server)
        return err_add(err, "runtime api");
    api->server = server;
    sm_move(&api->sm, STARTED);
    api->muted = false;
    return true;
}

void runtime_api_shut(struct runtime_api *api)
{
    if (api->server)
        http_server_close(STEAL(api->server));
    must(list_empty(&api->waiting));
    api->post = NULL; /* half a body dies silently with its connection */
    api->event = (struct runtime_event){0};
    api->event_due = false;
}

void runtime_api_mute(struct runtime_api *api)
{
    struct http_request *post = STEAL(api->post);
    api->event = (struct runtime_event){0};
    api->event_due = false;
    api->muted = true;
    if (post)
        http_body_resume(post); /* the rest is for nobody */
}

void runtime_api_deliver(struct runtime_api *api, const struct runtime_event *event)
{
    must(api->sm.state == READY && !api->event_due);
    api->event = *event;
    must(event->request_id.n < sizeof api->id);
    memcpy(api->id, event->request_id.p, event->request_id.n);
    api->event.request_id.p = api->id;
    if (list_empty(&api->waiting)) {
        api->event_due = true;
        return;
    }
    struct asked *asked = LIST_FIRST(&api->waiting, asked, link);
    list_remove(&asked->link);
    hand_over(api, asked->req);
}

void runtime_api_pause(struct runtime_api *api)
{
    if (api->post)
        http_body_pause(api->post);
}

void runtime_api_resume(struct runtime_api *api)
{
    if (api->post)
        http_body_resume(api->post);
}

const char *runtime_api_state(const struct runtime_api *api)
{
    return sm_name(&api->sm);
}
