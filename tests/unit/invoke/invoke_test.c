/* Invoke's checks, their order and texts, its answers; the pool and the front door are played. */
#include "test.h"

#include "aws/target.h"
#include "base/mem.h"
#include "codec/eventstream.h"
#include "env/settings.h"
#include "invoke/admit.h"
#include "invoke/invoke.h"
#include "invoke/trace.h"
#include "lambda_api.h"
#include "model/alias.h"

#include <stdio.h>

/* ---- the front door ---- */

static int answered;
static int status;
static char code[64];
static struct buf head;
static struct buf body;

void call_ok(struct call *call, int with_status, const void *output)
{
    answered++;
    status = with_status;
}

void call_fail(struct call *call, const char *with_code, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    answered++;
    status = -1;
    snprintf(code, sizeof code, "%s", with_code);
    buf_clear(&body);
    buf_slice(&body, slice_str(text));
}

void call_raw(struct call *call, int with_status, const struct http_header *headers, size_t n,
              struct slice with_body)
{
    answered++;
    status = with_status;
    buf_clear(&head);
    for (size_t i = 0; i < n; i++)
        buf_printf(&head, "%.*s: %.*s\n", FMT(headers[i].name), FMT(headers[i].value));
    buf_clear(&body);
    buf_slice(&body, with_body);
}

static int begun;
static int ended;
static bool takes; /* the client has room for more */

void call_stream_begin(struct call *call, int with_status, const struct http_header *headers,
                       size_t n)
{
    assert_non_null(call->on_drained);
    begun++;
    call_raw(call, with_status, headers, n, S(""));
    answered--;
}

bool call_stream_write(struct call *call, const struct slice *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_slice(&body, parts[i]);
    return takes;
}

void call_stream_end(struct call *call)
{
    ended++;
    answered++;
}

struct slice http_header_get(const struct http_request *req, struct slice name)
{
    return S("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700");
}

/* ---- the model ---- */

static struct function fn;
static struct function previous;
static int refs;

const struct function *function_ref(const struct function *f)
{
    refs++;
    return f;
}

void function_unref(const struct function *f)
{
    refs--;
}

const struct function *functions_find(const struct functions *functions, struct slice account,
                                      struct slice region, struct slice name, struct slice version)
{
    return slice_eq(name, S("f")) && !version.p ? &fn : NULL;
}

const struct resources *functions_resources(const struct functions *functions)
{
    static const struct resources resources;
    return &resources;
}

static struct function_load load;
static int64_t reserved;
static uint64_t epoch;

int64_t functions_reserved(const struct functions *functions, struct slice account,
                           struct slice region)
{
    return reserved;
}

uint64_t functions_reserved_epoch(const struct functions *functions)
{
    return epoch;
}

struct slice function_key(char to[FUNCTION_KEY_MAX], struct slice account, struct slice region,
                          struct slice name)
{
    return S("key");
}

const void *table_get(const struct table *table, struct slice key)
{
    return NULL;
}

/* ---- the pool ---- */

static struct invocation *running[8];
static int runs;

void pool_invoke(struct pool *pool, struct invocation *inv)
{
    running[runs++] = inv;
}

static int resumed;

void invocation_resume(struct invocation *inv)
{
    resumed++;
}

struct pool_provisioned pool_provisioned(struct pool *pool, const struct function *version)
{
    return (struct pool_provisioned){0};
}

/* ---- */

static struct invoker *invoker;
static struct env_settings settings;
static struct lambda_InvocationRequest input;
static struct call call;
static struct http_request http;

static int setup(void **state)
{
    settings = env_settings_default;
    settings.account_concurrency = 2;
    load = (struct function_load){.refs = 1, .reserved = -1};
    reserved = 0;
    fn = (struct function){.load = &load,
                           .account = S("000000000000"),
                           .region = S("us-east-1"),
                           .name = S("f"),
                           .version = S("$LATEST")};
    input = (struct lambda_InvocationRequest){.FunctionName = S("f")};
    call = (struct call){.account = S("000000000000"), .region = S("us-east-1"), .http = &http};
    memcpy(call.request_id, "11111111-1111-4111-8111-111111111111", ID_UUID_LEN);
    call.arena = arena_new();
    call.input = &input;
    head = body = (struct buf)BUF_INIT(8 << 20);
    answered = status = runs = refs = begun = ended = resumed = 0;
    takes = true;
    invoker = invoker_new(NULL, NULL, &settings);
    call.context = invoker;
    return 0;
}

static int teardown(void **state)
{
    invoker_free(invoker);
    arena_free(call.arena);
    buf_free(&call.body);
    buf_free(&head);
    buf_free(&body);
    assert_int_equal(refs, 0);
    return 0;
}

static void put_body(struct slice s)
{
    call.body = (struct buf)BUF_INIT(16 << 20);
    buf_slice(&call.body, s);
}

static void assert_failed(const char *want_code, const char *text)
{
    invoke_handle(&call);
    assert_int_equal(answered, 1);
    assert_int_equal(status, -1);
    assert_string_equal(code, want_code);
    assert_true(slice_eq(buf_all(&body), slice_str(text)));
    assert_int_equal(runs, 0);
}

static void finish(struct invocation *inv, const char *payload)
{
    inv->payload = (struct buf)BUF_INIT(64);
    buf_slice(&inv->payload, slice_str(payload));
    inv->done(inv);
}

static bool in_head(const char *line)
{
    return memmem(head.p, head.n, line, strlen(line)) != NULL;
}

static void success(void **state)
{
    put_body(S("{\"a\":1}"));
    const char *p = call.body.p;
    invoke_handle(&call);
    assert_int_equal(answered, 0);
    assert_int_equal(runs, 1);
    struct invocation *inv = running[0];
    assert_ptr_equal(inv->event.p, p); /* moved, not copied */
    assert_true(slice_eq(inv->invoked_arn, S("arn:aws:lambda:us-east-1:000000000000:function:f")));
    assert_true(slice_starts(inv->trace_id, S("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=")));
    assert_true(slice_ends(inv->trace_id, S(";Sampled=0")));
    assert_string_equal(inv->request_id, call.request_id);
    finish(inv, "\"ok\"");
    assert_int_equal(answered, 1);
    assert_int_equal(status, 200);
    assert_true(slice_eq(buf_all(&body), S("\"ok\"")));
    assert_true(in_head("X-Amz-Executed-Version: $LATEST\n"));
    assert_true(in_head("X-Amzn-Trace-Id: Root=1-5bef4de7-"));
    assert_true(in_head("Content-Type: application/json\n"));
    assert_false(in_head("X-Amz-Function-Error"));
    assert_false(in_head("X-Amz-Log-Result"));
}

static void no_payload_is_an_empty_object(void **state)
{
    invoke_handle(&call);
    assert_true(slice_eq(buf_all(&running[0]->event), S("{}")));
    finish(running[0], "null");
}

static void function_error_with_tail(void **state)
{
    input.LogType = S("Tail");
    input.Qualifier = S("$LATEST");
    invoke_handle(&call);
    struct invocation *inv = running[0];
    assert_true(inv->want_tail);
    assert_true(
        slice_eq(inv->invoked_arn, S("arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST")));
    inv->function_error = true;
    inv->tail = (struct buf)BUF_INIT(64);
    buf_slice(&inv->tail, S("foobar"));
    finish(inv, "{}");
    assert_true(in_head("X-Amz-Function-Error: Unhandled\n"));
    assert_true(in_head("X-Amz-Log-Result: Zm9vYmFy\n"));
}

/* ---- in pieces ---- */

static struct lambda_InvokeWithResponseStreamRequest stream_input;

static struct invocation *stream(void)
{
    stream_input = (struct lambda_InvokeWithResponseStreamRequest){.FunctionName = S("f"),
                                                                   .LogType = input.LogType};
    call.input = &stream_input;
    call.body = (struct buf)BUF_INIT(0);
    invoke_stream_handle(&call);
    assert_int_equal(runs, 1);
    assert_int_equal(begun, 0);
    return running[0];
}

/* What was written is these events, each as "type payload". */
static void assert_events(const char *const *want)
{
    struct slice rest = buf_all(&body);
    struct eventstream_message message;
    char text[400];
    for (; *want; want++) {
        assert_int_equal(eventstream_read(rest, &message), EVENTSTREAM_MESSAGE);
        struct slice event = eventstream_get(&message, S(":event-type"));
        snprintf(text, sizeof text, "%.*s %.*s", FMT(event), FMT(message.payload));
        assert_string_equal(text, *want);
        rest = slice_sub(rest, message.size, rest.n);
    }
    assert_int_equal(rest.n, 0);
}

#define EVENTS(...) assert_events((const char *const[]){__VA_ARGS__, NULL})

static void pieces_become_events(void **state)
{
    struct invocation *inv = stream();
    inv->stream->begin(inv, S("text/x"));
    assert_int_equal(begun, 1);
    assert_true(in_head("Content-Type: application/vnd.amazon.eventstream\n"));
    assert_true(in_head("X-Amz-Executed-Version: $LATEST\n"));
    assert_true(inv->stream->piece(inv, S("one")));
    takes = false;
    assert_false(inv->stream->piece(inv, S("two")));
    call.on_drained(&call);
    assert_int_equal(resumed, 1);
    finish(inv, "");
    assert_int_equal(ended, 1);
    EVENTS("PayloadChunk one", "PayloadChunk two", "InvokeComplete {}");
}

static void a_whole_payload_goes_out_as_it_is_taken(void **state)
{
    struct invocation *inv = stream();
    takes = false;
    finish(inv, "whole");
    assert_int_equal(begun, 1);
    assert_int_equal(ended, 0);
    call.on_drained(&call);
    assert_int_equal(ended, 1);
    EVENTS("PayloadChunk whole", "InvokeComplete {}");
}

static void the_last_event_says_what_went_wrong(void **state)
{
    input.LogType = S("Tail");
    struct invocation *inv = stream();
    inv->stream->begin(inv, S(""));
    inv->stream->piece(inv, S("half"));
    inv->function_error = true;
    inv->tail = (struct buf)BUF_INIT(64);
    buf_slice(&inv->tail, S("foobar"));
    finish(inv, "{\"a\":1}");
    EVENTS("PayloadChunk half",
           "InvokeComplete {\"ErrorCode\":\"Unhandled\",\"ErrorDetails\":\"{\\\"a\\\":1}\","
           "\"LogResult\":\"Zm9vYmFy\"}");
}

static void without_a_client_nothing_waits(void **state)
{
    struct invocation *inv = stream();
    inv->stream->begin(inv, S(""));
    takes = false;
    assert_false(inv->stream->piece(inv, S("one")));
    call.http = NULL;
    call.on_client_gone(&call);
    assert_int_equal(resumed, 1);
    assert_true(inv->stream->piece(inv, S("two")));
    finish(inv, "");
    assert_int_equal(ended, 1);
    EVENTS("PayloadChunk one");
}

static void what_cannot_run_is_no_stream(void **state)
{
    struct invocation *inv = stream();
    err_set(&inv->refused, FAULT_UNAVAILABLE, "no interpreter");
    inv->done(inv);
    assert_string_equal(code, "InvalidRuntimeException");
    assert_int_equal(begun, 0);
}

static void what_is_lost_in_the_middle(void **state)
{
    struct invocation *inv = stream();
    inv->stream->begin(inv, S(""));
    err_set(&inv->refused, FAULT_INTERNAL, "shutting down");
    inv->done(inv);
    assert_int_equal(ended, 1);
    EVENTS("InvokeComplete {\"ErrorCode\":\"ServiceException\",\"ErrorDetails\":\"shutting "
           "down\"}");
}

static void not_found(void **state)
{
    input.FunctionName = S("nobody");
    assert_failed("ResourceNotFoundException",
                  "Function not found: "
                  "arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST");
}

static void not_found_qualifier(void **state)
{
    input.FunctionName = S("f:7");
    assert_failed("ResourceNotFoundException",
                  "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:7");
}

static void other_region(void **state)
{
    input.FunctionName = S("arn:aws:lambda:eu-west-1:000000000000:function:f");
    assert_failed("ResourceNotFoundException",
                  "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')");
}

static void conflicting_qualifiers(void **state)
{
    input.FunctionName = S("f:1");
    input.Qualifier = S("2");
    assert_failed(
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.");
}

static void bad_json(void **state)
{
    put_body(S("{\"a\":x}"));
    assert_failed("InvalidRequestContentException",
                  "Could not parse request body into json: Could not parse payload into json: "
                  "Unexpected character: expected a valid value\n at [Source: REDACTED "
                  "(`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 6]");
}

static void too_large(void **state)
{
    AUTO(free) char *big = mem_new(6291457);
    memset(big, ' ', 6291457);
    put_body((struct slice){big, 6291457});
    assert_failed("RequestEntityTooLargeException",
                  "6291457 byte payload is too large for the RequestResponse invocation type "
                  "(limit 6291456 bytes)");
}

static void pending(void **state)
{
    fn.pending = true;
    assert_failed("ResourceConflictException",
                  "The operation cannot be performed at this time. The function is currently in "
                  "the following state: Pending");
}

static void client_contexts(void **state)
{
    input.ClientContext = S("eyJjdXN0b20iOnsiYSI6MX19");
    invoke_handle(&call);
    assert_true(slice_eq(running[0]->client_context, S("{\"custom\":{\"a\":1}}")));
    finish(running[0], "1");
    const char *bad[] = {"not base64", "Zm9v", "MQ=="};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        answered = runs = 0;
        input.ClientContext = slice_str(bad[i]);
        assert_failed("InvalidRequestContentException",
                      "Client context must be a valid Base64-encoded JSON object.");
    }
}

static void dry_run_checks_existence_only(void **state)
{
    input.InvocationType = S("DryRun");
    put_body(S("not json"));
    invoke_handle(&call);
    assert_int_equal(status, 204);
    assert_int_equal(runs, 0);
}

static void event_says_what_is_missing(void **state)
{
    input.InvocationType = S("Event");
    invoke_handle(&call);
    assert_string_equal(code, "NotImplementedException");
}

static void the_account_limit_throttles(void **state)
{
    struct call second = call;
    struct call third = call;
    second.arena = arena_new();
    third.arena = arena_new();
    invoke_handle(&call);
    invoke_handle(&second);
    invoke_handle(&third);
    assert_int_equal(runs, 2);
    assert_int_equal(answered, 1);
    assert_int_equal(status, 429);
    assert_true(slice_eq(buf_all(&body),
                         S("{\"Reason\":\"ConcurrentInvocationLimitExceeded\",\"Type\":\"User\","
                           "\"message\":\"Rate Exceeded.\"}")));
    assert_true(in_head("x-amzn-ErrorType: TooManyRequestsException\n"));
    finish(running[0], "1");
    invoke_handle(&third);
    assert_int_equal(runs, 3);
    finish(running[1], "1");
    finish(running[2], "1");
    arena_free(second.arena);
    arena_free(third.arena);
}

static void an_update_in_progress_serves_the_previous(void **state)
{
    previous = fn;
    fn.updating = true;
    fn.previous = &previous;
    invoke_handle(&call);
    assert_ptr_equal(running[0]->fn, &previous);
    finish(running[0], "1");
}

static void refusals_of_the_pool(void **state)
{
    invoke_handle(&call);
    err_set(&running[0]->refused, FAULT_UNAVAILABLE, "no interpreter");
    running[0]->done(running[0]);
    assert_string_equal(code, "InvalidRuntimeException");
    invoke_handle(&call);
    err_set(&running[1]->refused, FAULT_INTERNAL, "secret");
    running[1]->done(running[1]);
    assert_string_equal(code, "ServiceException");
    assert_null(memmem(body.p, body.n, "secret", 6));
}

static void names(void **state)
{
    const struct {
        const char *name, *want_name, *want_qualifier, *want_account;
    } cases[] = {
        {"f", "f", NULL, "1"},
        {"f:3", "f", "3", "1"},
        {"function:f", "f", NULL, "1"},
        {"function:f:x", "f", "x", "1"},
        {"999999999999:function:f", "f", NULL, "999999999999"},
        {"999999999999:function:f:$LATEST", "f", "$LATEST", "999999999999"},
        {"arn:aws:lambda:r:2:function:f", "f", NULL, "2"},
        {"arn:aws:lambda:r:2:function:f:live", "f", "live", "2"},
        {"arn:aws:lambda:r:2:function", "function", NULL, "2"},
    };
    struct target target;
    struct slice none = {NULL, 0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(target_parse(slice_str(cases[i].name), none, S("1"), S("r"), &target),
                         TARGET_OK);
        assert_true(slice_eq(target.name, slice_str(cases[i].want_name)));
        assert_true(slice_eq(target.account, slice_str(cases[i].want_account)));
        assert_int_equal(target.qualifier.p != NULL, cases[i].want_qualifier != NULL);
        assert_true(slice_eq(target.qualifier, slice_str(cases[i].want_qualifier)));
    }
    assert_int_equal(target_parse(S("a:b:c:d"), none, S("1"), S("r"), &target), TARGET_BAD_NAME);
}

static void traces(void **state)
{
    char to[TRACE_MAX];
    const char *full = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1;"
                       "Lineage=1:d0782663:0";
    assert_true(slice_eq(trace_header(to, slice_str(full)), slice_str(full)));
    struct slice made = trace_header(to, S("Root=../../evil;Parent=x;Sampled=yes"));
    assert_int_equal(made.n, strlen("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent="
                                    "9a9197af755a6419;Sampled=0"));
    assert_null(memmem(made.p, made.n, "evil", 4));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(success),
        CASE(no_payload_is_an_empty_object),
        CASE(function_error_with_tail),
        CASE(pieces_become_events),
        CASE(a_whole_payload_goes_out_as_it_is_taken),
        CASE(the_last_event_says_what_went_wrong),
        CASE(without_a_client_nothing_waits),
        CASE(what_cannot_run_is_no_stream),
        CASE(what_is_lost_in_the_middle),
        CASE(not_found),
        CASE(not_found_qualifier),
        CASE(other_region),
        CASE(conflicting_qualifiers),
        CASE(bad_json),
        CASE(too_large),
        CASE(pending),
        CASE(client_contexts),
        CASE(dry_run_checks_existence_only),
        CASE(event_says_what_is_missing),
        CASE(the_account_limit_throttles),
        CASE(an_update_in_progress_serves_the_previous),
        CASE(refusals_of_the_pool),
        CASE(names),
        CASE(traces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
