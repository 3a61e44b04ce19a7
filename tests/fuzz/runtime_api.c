/* Sequences of requests, events and restarts against the Runtime API. The HTTP server is played: it
 * keeps the server's own promises (one request a connection at a time, on_abort before the answer
 * only), so what fails here is the state machine. Checked: each request is answered at most once,
 * each event at most once, and a body comes back byte for byte, whole or in pieces. Extensions ask
 * on the same port: one is external, others register as they like. */
#include "env/runtime_api.h"
#include "base/arena.h"
#include "base/mem.h"
#include "env/api_answer.h"
#include "env/extensions.h"
#include "http/server.h"
#include "lambda_api.h"

#include <fcntl.h>

enum { REQUESTS_MAX = 64, TEXT_MAX = 64 };

struct exchange {
    struct http_request req; /* first */
    bool used, answered;
};

static struct exchange exchanges[REQUESTS_MAX];
static size_t exchange_count;
static const struct http_handler *handler;
static void *handler_arg;
static int deliverable; /* on_next came, no event was delivered since */
static int outstanding; /* events out and not answered */
static struct slice sent_body;
static size_t streamed; /* bytes of it that came in pieces */
static bool streaming;  /* it comes so */
static uint32_t sum;    /* of every byte that comes out */

const struct http_limits http_limits_runtime;

struct http_server *http_listen_fd(uv_loop_t *loop, int fd, const struct http_limits *limits,
                                   const struct http_handler *with, void *arg, struct err *err)
{
    handler = with;
    handler_arg = arg;
    close(fd);
    return (struct http_server *)(uintptr_t)1;
}

static void abort_request(struct exchange *x)
{
    must(!x->answered);
    x->answered = true;
    handler->on_abort(&x->req, handler_arg);
}

void http_server_close(struct http_server *server)
{
    for (size_t i = 0; i < exchange_count; i++) {
        if (exchanges[i].used && !exchanges[i].answered)
            abort_request(&exchanges[i]);
    }
}

static void read_all(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        sum = sum * 31 + (unsigned char)s.p[i];
}

void http_respond(struct http_request *req, const struct http_response *response)
{
    struct exchange *x = (struct exchange *)(void *)req;
    must(x->used && !x->answered);
    must(response->status >= 200 && response->status < 600);
    x->answered = true;
    for (size_t i = 0; i < response->header_count; i++) {
        read_all(response->headers[i].name);
        read_all(response->headers[i].value);
    }
    read_all(response->body);
}

struct slice http_header_get(const struct http_request *req, struct slice name)
{
    for (size_t i = 0; i < req->header_count; i++) {
        if (slice_eq_nocase(req->headers[i].name, name))
            return req->headers[i].value;
    }
    return (struct slice){NULL, 0};
}

static void on_next(void *arg)
{
    must(!outstanding && !deliverable);
    deliverable = 1;
}

void http_body_pause(struct http_request *req)
{
    must(!((struct exchange *)(void *)req)->answered);
}

void http_body_resume(struct http_request *req)
{
    must(!((struct exchange *)(void *)req)->answered);
}

static void on_stream(void *arg, struct slice content_type)
{
    must(outstanding == 1 && !streaming);
    read_all(content_type);
    streaming = true;
    streamed = 0;
}

static void on_piece(void *arg, struct slice bytes)
{
    must(outstanding == 1 && streaming && bytes.n);
    must(slice_eq(bytes, slice_sub(sent_body, streamed, bytes.n)));
    streamed += bytes.n;
    if (bytes.n % 2)
        runtime_api_pause(*(struct runtime_api **)arg);
    else
        runtime_api_resume(*(struct runtime_api **)arg);
}

static void take(struct runtime_answer *answer)
{
    read_all(answer->error_type);
    read_all(buf_all(&answer->body));
    must(answer->error_type.n <= RUNTIME_API_TYPE_MAX);
    must(answer->body.n <= RUNTIME_API_BODY_MAX);
    if (answer->kind == ANSWER_RESPONSE && streaming)
        must(streamed == sent_body.n && !answer->body.n);
    else if (answer->kind == ANSWER_RESPONSE)
        must(slice_eq(buf_all(&answer->body), sent_body));
    streaming = false;
    buf_free(&answer->body);
}

static void on_answer(void *arg, struct runtime_answer *answer)
{
    must(outstanding == 1);
    outstanding = 0;
    take(answer);
}

static void on_init_error(void *arg, struct runtime_answer *answer)
{
    must(!outstanding && !deliverable);
    take(answer);
}

static void on_subscription(void *arg, struct http_request *req, enum api_route route)
{
    must(route == ROUTE_TELEMETRY || route == ROUTE_LOGS);
    api_respond(req, 200, req->body.n ? S("") : S("\"OK\""));
}

static const struct runtime_api_owner owner = {.on_next = on_next,
                                               .on_stream = on_stream,
                                               .on_piece = on_piece,
                                               .on_answer = on_answer,
                                               .on_init_error = on_init_error,
                                               .on_subscription = on_subscription};

/* ---- the input ---- */

static struct slice input;

static unsigned byte(void)
{
    if (!input.n)
        return 0;
    unsigned value = (unsigned char)input.p[0];
    input = slice_sub(input, 1, input.n);
    return value;
}

static struct slice text(void)
{
    size_t n = byte() % TEXT_MAX;
    struct slice s = slice_sub(input, 0, n);
    input = slice_sub(input, s.n, input.n);
    return s.p ? s : S("");
}

static struct slice path(unsigned which)
{
    static const struct slice paths[] = {
        S_INIT("/2018-06-01/runtime/invocation/next"),
        S_INIT("/2018-06-01/runtime/invocation/id/response"),
        S_INIT("/2018-06-01/runtime/invocation/id/error"),
        S_INIT("/2018-06-01/runtime/init/error"),
        S_INIT("/2018-06-01/runtime/invocation/other/response"),
        S_INIT("/2018-06-01/ping"),
        S_INIT("/2020-01-01/extension/register"),
    };
    return which < COUNT_OF(paths) ? paths[which] : text();
}

static struct http_header *headers(struct arena *arena, size_t *out_count)
{
    static const struct slice names[] = {
        S_INIT("lambda-runtime-function-error-type"), S_INIT("lambda-runtime-function-error-body"),
        S_INIT("lambda-runtime-function-response-mode"), S_INIT("content-type")};
    size_t n = byte() % 4;
    struct http_header *list = arena_array(arena, 4, sizeof *list);
    for (size_t i = 0; i < n; i++) {
        list[i].name = names[byte() % COUNT_OF(names)];
        unsigned kind = byte() % 4;
        list[i].value = kind == 0   ? S("streaming")
                        : kind == 1 ? S("application/vnd.aws.lambda.error.cause+json")
                                    : text();
    }
    *out_count = n;
    return list;
}

/* Some of a body that is taken so. */
static struct slice send_pieces(struct exchange *x, struct slice body)
{
    struct http_request *req = &x->req;
    while (req->want_pieces && body.n > 3) {
        struct slice piece = slice_sub(body, 0, 1 + (unsigned char)body.p[0] % 3);
        req->body = (struct buf)BUF_INIT(TEXT_MAX);
        buf_slice(&req->body, piece);
        handler->on_body(req, handler_arg);
        must(!x->answered);
        buf_free(&req->body);
        body = slice_sub(body, piece.n, body.n);
    }
    return body;
}

/* The end of a body: whole, cut off and told, cut off and not told, malformed, too large. */
static void end_request(struct exchange *x, unsigned end, struct slice body)
{
    struct http_request *req = &x->req;
    if (end == 1 && req->want_truncated) {
        req->truncated = true;
    } else if (end == 2) {
        abort_request(x);
        return;
    } else if (end == 3) {
        handler->on_malformed(req, 400, handler_arg);
        return;
    } else if (end == 4) {
        handler->on_too_large(req, handler_arg);
        return;
    }
    req->body = (struct buf)BUF_INIT(RUNTIME_API_BODY_MAX);
    buf_slice(&req->body, body);
    handler->on_request(req, handler_arg);
}

static struct exchange *exchange_new(void)
{
    if (exchange_count == REQUESTS_MAX)
        return NULL;
    struct exchange *x = &exchanges[exchange_count++];
    *x = (struct exchange){.used = true};
    x->req.arena = arena_new();
    return x;
}

static void request(unsigned which)
{
    struct exchange *x = exchange_new();
    if (!x)
        return;
    struct http_request *req = &x->req;
    req->method = byte() % 8 ? (which == 0 || which == 5 ? S("GET") : S("POST")) : text();
    req->path = req->target = path(which);
    req->headers = headers(req->arena, &req->header_count);
    struct slice body = text();
    unsigned end = byte() % 8;
    handler->on_head(req, handler_arg);
    if (x->answered)
        return;
    req->trailers = headers(req->arena, &req->trailer_count);
    sent_body = body;
    body = send_pieces(x, body);
    end_request(x, end, body);
}

/* ---- extensions ---- */

static const struct lambda_FunctionConfiguration config = {.Handler = S_INIT("h")};
static const struct function function = {
    .account = S_INIT("1"), .name = S_INIT("f"), .version = S_INIT("1"), .config = &config};
static struct extensions extensions;

static void on_moved(void *arg)
{
    must(extensions.n <= EXTENSIONS_MAX);
}

static void extensions_start(void)
{
    extensions_clear(&extensions);
    extensions_add(&extensions, S("external"))->external = true;
    extensions.open = true;
}

/* Of one that there is, with what its request needs; some of it is wrong now and then. */
static void extension_request(void)
{
    static const struct slice paths[] = {
        S_INIT("/2020-01-01/extension/register"), S_INIT("/2020-01-01/extension/event/next"),
        S_INIT("/2020-01-01/extension/init/error"), S_INIT("/2020-01-01/extension/exit/error")};
    struct exchange *x = exchange_new();
    if (!x)
        return;
    struct http_request *req = &x->req;
    unsigned which = byte() % COUNT_OF(paths);
    const struct extension *who = extensions.all[byte() % extensions.n];
    struct slice said = text();
    req->method = which == 1 ? S("GET") : S("POST");
    req->path = req->target = paths[which];
    req->headers = arena_array(req->arena, 3, sizeof *req->headers);
    req->headers[0] = (struct http_header){S("lambda-extension-identifier"), slice_str(who->id)};
    req->headers[1] =
        (struct http_header){S("lambda-extension-name"), said.n ? said : slice_str(who->name)};
    req->headers[2] = (struct http_header){S("lambda-extension-function-error-type"), said};
    req->header_count = byte() % 4;
    struct slice body = byte() % 2 ? S("{\"events\":[\"INVOKE\"]}") : text();
    unsigned end = byte() % 8;
    handler->on_head(req, handler_arg);
    if (!x->answered)
        end_request(x, end, body);
}

static void invoke_extensions(void)
{
    if (extensions_settled(&extensions) && !extensions.ending)
        extensions_invoke(&extensions, &(struct extensions_invoke){.request_id = S("id"),
                                                                   .deadline_ms = byte(),
                                                                   .arn = S("arn"),
                                                                   .trace_id = S("Root=1")});
}

static void shut_down(struct runtime_api *api)
{
    runtime_api_mute(api);
    deliverable = outstanding = 0;
    streaming = false;
    extensions_shutdown(&extensions, "spindown", byte());
    for (size_t i = 0; i < extensions.n; i++) {
        if (extensions.all[i]->external && byte() % 2)
            extension_ended(&extensions, extensions.all[i], (int)byte());
    }
}

static void deliver(struct runtime_api *api)
{
    invoke_extensions();
    if (!deliverable)
        return;
    deliverable = 0;
    outstanding = 1;
    runtime_api_deliver(api, &(struct runtime_event){.request_id = S("id"),
                                                     .deadline_ms = byte(),
                                                     .arn = S("arn"),
                                                     .trace_id = S("Root=1"),
                                                     .client_context = S(""),
                                                     .streams = byte() % 2,
                                                     .stream_max = byte(),
                                                     .body = S("{}")});
}

static void hang_up(void)
{
    unsigned which = byte();
    if (which < exchange_count && !exchanges[which].answered)
        abort_request(&exchanges[which]);
}

static void restart(struct runtime_api *api, int fd)
{
    struct err err;
    runtime_api_shut(api);
    extensions_start();
    deliverable = outstanding = 0;
    streaming = false;
    must(runtime_api_open(api, fd, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    struct err err;
    if (fd < 0)
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    input = (struct slice){(const char *)data, size};
    deliverable = outstanding = 0;
    exchange_count = 0;
    streaming = false;
    extensions_init(&extensions, &function, on_moved, NULL);
    extensions_start();
    struct runtime_api *api = runtime_api_new(NULL, &extensions, &owner, &api);
    must(runtime_api_open(api, fd, &err));
    while (input.n) {
        unsigned op = byte() % 16;
        if (op < 8)
            request(op);
        else if (op < 12)
            deliver(api);
        else if (op < 14)
            hang_up();
        else if (op == 14 && byte() % 4)
            restart(api, fd);
        else if (op == 14)
            shut_down(api);
        else
            extension_request();
    }
    runtime_api_free(api);
    extensions_clear(&extensions);
    for (size_t i = 0; i < exchange_count; i++) {
        must(exchanges[i].answered);
        buf_free(&exchanges[i].req.body);
        arena_free(exchanges[i].req.arena);
    }
    return 0;
}
