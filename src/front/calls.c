#include "front/calls.h"

#include "aws/query.h"
#include "base/log.h"
#include "base/mem.h"
#include "front/marker.h"
#include "front/route.h"
#include "iam_api.h"
#include "lambda_api.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
    CALL_MAGIC = 0x63616c6c,
    KEEP_FREE = 64,
    HEADERS_MAX = 16,
    ANSWER_MAX = 64 << 20,
    MESSAGE_MAX = 64 << 10,
};

/* Answered calls are kept for the next ones: a warm call allocates nothing here. */
struct kept {
    struct call call;
    struct calls *calls;
    struct kept *next;
};

struct calls {
    struct kept *free;
    size_t free_count;
    size_t live;
    bool closing;
};

struct calls *calls_new(void)
{
    return NEW(calls);
}

static void kept_free(struct kept *kept)
{
    arena_free(kept->call.arena);
    free(kept);
}

void calls_free(struct calls *calls)
{
    if (!calls)
        return;
    while (calls->free) {
        struct kept *kept = calls->free;
        calls->free = kept->next;
        kept_free(kept);
    }
    calls->closing = true;
    if (calls->live == 0)
        free(calls);
}

struct call *calls_take(struct calls *calls, struct http_request *req)
{
    struct kept *kept = calls->free;
    if (kept) {
        calls->free = kept->next;
        calls->free_count--;
    } else {
        kept = NEW(kept);
        kept->calls = calls;
        kept->call.arena = arena_new();
    }
    struct call *call = &kept->call;
    struct arena *arena = call->arena;
    *call = (struct call){.magic = CALL_MAGIC, .arena = arena, .http = req, .body = req->body};
    req->body = BUF_INIT(0);
    id_uuid(call->request_id);
    req->user = call;
    calls->live++;
    return call;
}

static void calls_give(struct call *call)
{
    struct kept *kept = (struct kept *)(void *)call; /* its first member */
    struct calls *calls = kept->calls;
    buf_free(&call->body);
    call->magic = 0;
    calls->live--;
    if (calls->closing || calls->free_count >= KEEP_FREE) {
        kept_free(kept);
        if (calls->closing && calls->live == 0)
            free(calls);
        return;
    }
    arena_clear(call->arena);
    kept->next = calls->free;
    calls->free = kept;
    calls->free_count++;
}

void calls_client_gone(struct http_request *req)
{
    struct call *call = CAST(call, req->user, CALL_MAGIC);
    call->http = NULL;
    if (call->on_client_gone)
        call->on_client_gone(call);
}

void calls_drained(struct http_request *req)
{
    struct call *call = CAST(call, req->user, CALL_MAGIC);
    call->on_drained(call);
}

/* Puts the standard headers around the response's own. */
static void add_headers(const struct call *call, struct http_header all[HEADERS_MAX],
                        struct http_response *response)
{
    size_t n = 0;
    must(call->magic == CALL_MAGIC && response->header_count + 3 <= HEADERS_MAX);
    all[n++] = (struct http_header){S("x-amzn-RequestId"), {call->request_id, ID_UUID_LEN}};
    for (size_t i = 0; i < response->header_count; i++)
        all[n++] = response->headers[i];
    if (call->warning.n)
        all[n++] = (struct http_header){S("x-lambkin-warning"), call->warning};
    all[n++] = (struct http_header){S("Connection"), S("keep-alive")};
    response->headers = all;
    response->header_count = n;
}

static void respond(struct call *call, struct http_response response)
{
    struct http_header all[HEADERS_MAX];
    if (call->http) {
        add_headers(call, all, &response);
        http_respond(STEAL(call->http), &response);
    } else if (response.file) {
        close(response.file->fd);
    }
    calls_give(call);
}

void call_raw(struct call *call, int status, const struct http_header *headers, size_t header_count,
              struct slice body)
{
    respond(call,
            (struct http_response){
                .status = status, .headers = headers, .header_count = header_count, .body = body});
}

void call_file(struct call *call, const struct http_header *headers, size_t header_count,
               const struct http_file *file)
{
    respond(call,
            (struct http_response){
                .status = 200, .headers = headers, .header_count = header_count, .file = file});
}

void call_stream_begin(struct call *call, int status, const struct http_header *headers,
                       size_t header_count)
{
    struct http_header all[HEADERS_MAX];
    struct http_response response = {
        .status = status, .headers = headers, .header_count = header_count};
    must(call->on_drained);
    if (!call->http)
        return;
    add_headers(call, all, &response);
    http_stream_begin(call->http, &response);
}

bool call_stream_write(struct call *call, const struct slice *parts, size_t count)
{
    return !call->http || http_stream_write(call->http, parts, count);
}

void call_stream_end(struct call *call)
{
    if (call->http)
        http_stream_end(STEAL(call->http));
    calls_give(call);
}

static struct slice content_type(const struct call *call)
{
    return call->service ? slice_str(call->service->content_type) : S("application/json");
}

void call_ok(struct call *call, int status, const void *output)
{
    const struct aws_operation *op = call->op;
    AUTO(buf) struct buf body = BUF_INIT(ANSWER_MAX);
    struct http_header headers[] = {{S("Content-Type"), content_type(call)}};
    if (!status)
        status = op->status;
    if (op->service->protocol == AWS_QUERY_XML)
        aws_query_answer(op, output, slice_str(call->request_id), &body);
    else if (op->output && output)
        aws_encode_output(op->output, marker_wrap(op, output, call->arena), &body);
    else if (op->service->protocol == AWS_JSON)
        buf_slice(&body, S("{}"));
    call_raw(call, status, headers, status == 204 ? 0 : 1, buf_all(&body));
}

static void rest_error(struct buf *body, const struct aws_error_row *row, struct slice message)
{
    buf_char(body, '{');
    if (row->has_type)
        buf_slice(body, row->status >= 500 ? S("\"Type\":\"Service\",") : S("\"Type\":\"User\","));
    buf_printf(body, "\"%s\":", row->message_member);
    aws_json_string(body, message);
    buf_char(body, '}');
}

/* Which form errors have; what no service is known for, as the request looks. */
static enum aws_protocol protocol_of(const struct call *call)
{
    if (call->service)
        return call->service->protocol;
    return call->http && route_is_form(call->http) ? AWS_QUERY_XML : AWS_REST_JSON;
}

static void json_error(struct buf *body, const char *code, struct slice message)
{
    buf_slice(body, S("{\"__type\":"));
    aws_json_string(body, slice_str(code));
    buf_slice(body, S(",\"message\":"));
    aws_json_string(body, message);
    buf_char(body, '}');
}

void call_fail(struct call *call, const char *code, const char *fmt, ...)
{
    enum aws_protocol protocol = protocol_of(call);
    /* Where no service is known, the codes of one that speaks so stand for all. */
    const struct aws_service *service = call->service               ? call->service
                                        : protocol == AWS_QUERY_XML ? &iam_service
                                                                    : &lambda_service;
    const struct aws_error_row *row = aws_error_find(service, code);
    bool json = protocol == AWS_JSON;
    AUTO(buf) struct buf message = BUF_INIT(MESSAGE_MAX);
    AUTO(buf) struct buf body = BUF_INIT(6 * MESSAGE_MAX + 256);
    char text[512];
    va_list args;
    va_list again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof text) {
        buf_add(&message, text, (size_t)n);
    } else if (n > 0) { /* long ones quote the caller's own input: cut at a bound */
        size_t cap = (size_t)n + 1 < MESSAGE_MAX ? (size_t)n + 1 : MESSAGE_MAX;
        char *to = buf_reserve(&message, cap);
        vsnprintf(to, cap, fmt, again);
        message.n = cap - 1;
    }
    va_end(again);
    int status = json && row->status < 500 ? 400 : row->status;
    if (!strcmp(code, "NotImplementedException"))
        status = 501;
    if (json)
        json_error(&body, code, buf_all(&message));
    else if (protocol == AWS_REST_JSON)
        rest_error(&body, row, buf_all(&message));
    else
        aws_query_error(call->service, code, status, buf_all(&message), slice_str(call->request_id),
                        &body);
    struct slice type = protocol == AWS_QUERY_XML ? S("text/xml") : content_type(call);
    struct http_header headers[] = {{S("Content-Type"), type},
                                    {S("x-amzn-ErrorType"), slice_str(code)}};
    call_raw(call, status, headers, COUNT_OF(headers), buf_all(&body));
}

void call_fail_err(struct call *call, const struct err *err)
{
    static const char *const codes[] = {
        [FAULT_NONE] = "ServiceException",
        [FAULT_INTERNAL] = "ServiceException",
        [FAULT_INVALID] = "InvalidParameterValueException",
        [FAULT_NOT_FOUND] = "ResourceNotFoundException",
        [FAULT_CONFLICT] = "ResourceConflictException",
        [FAULT_LIMIT] = "InvalidParameterValueException",
        [FAULT_DENIED] = "AccessDeniedException",
        [FAULT_UNAVAILABLE] = "NotImplementedException",
    };
    if (err->fault != FAULT_INTERNAL && err->fault != FAULT_NONE) {
        call_fail(call, codes[err->fault], "%s", err->msg);
        return;
    }
    log_error("call.failed", "op=%.*s request=%s err=%s",
              FMT(call->op ? call->op->name : S("path")), call->request_id, err->msg);
    call_fail(call, protocol_of(call) == AWS_QUERY_XML ? "InternalFailure" : codes[err->fault],
              "An internal error occurred; the log of lambkin has it under request id %s.",
              call->request_id);
}
