/* Every route, state and error body of the Runtime API (dataplane.md 1). */
#include "test.h"

#include "fake.h"

#include "base/mem.h"
#include "env/api_answer.h"
#include "env/extensions.h"
#include "env/runtime_api.h"

#include <stdio.h>

static const struct runtime_event event = {
    .request_id = S_INIT("abc"),
    .deadline_ms = 1709573861143,
    .arn = S_INIT("arn:f"),
    .trace_id = S_INIT("Root=1;Sampled=0"),
    .client_context = S_INIT("{\"custom\":{}}"),
    .body = S_INIT("{}"),
};

static struct runtime_api *api;
static struct extensions extensions;
static int nexts;
static int answers;
static int init_errors;
static int streams;
static struct buf pieces;
static uint64_t limit;
static enum runtime_answer_kind kind;
static char type[RUNTIME_API_TYPE_MAX + 1];
static struct buf body;

static void keep(struct runtime_answer *answer)
{
    kind = answer->kind;
    limit = answer->limit;
    snprintf(type, sizeof type, "%.*s", FMT(answer->error_type));
    buf_free(&body);
    body = answer->body;
}

static void on_next(void *arg)
{
    nexts++;
}

static void on_answer(void *arg, struct runtime_answer *answer)
{
    answers++;
    keep(answer);
}

static void on_init_error(void *arg, struct runtime_answer *answer)
{
    init_errors++;
    keep(answer);
}

static void on_stream(void *arg, struct slice content_type)
{
    streams++;
    assert_true(slice_eq(content_type, S("text/x")));
}

static void on_piece(void *arg, struct slice bytes)
{
    assert_true(bytes.n > 0);
    buf_slice(&pieces, bytes);
}

static void on_subscription(void *arg, struct http_request *req, enum api_route route)
{
    assert_true(route == ROUTE_TELEMETRY || route == ROUTE_LOGS);
    api_respond(req, 200, req->body.n ? S("") : S("\"OK\""));
}

static const struct runtime_api_owner owner = {.on_next = on_next,
                                               .on_stream = on_stream,
                                               .on_piece = on_piece,
                                               .on_answer = on_answer,
                                               .on_init_error = on_init_error,
                                               .on_subscription = on_subscription};

static int setup(void **state)
{
    struct err err;
    close(fake_start());
    nexts = answers = init_errors = streams = 0;
    pieces = (struct buf)BUF_INIT(1024);
    api = runtime_api_new(fake_loop, &extensions, &owner, NULL);
    assert_true(runtime_api_open(api, fake_launcher, &err));
    return 0;
}

static int teardown(void **state)
{
    runtime_api_free(api);
    buf_free(&body);
    buf_free(&pieces);
    fake_reset();
    return 0;
}

static void assert_reply(const struct fake_reply *reply, int status, const char *text)
{
    assert_true(reply->answered);
    assert_int_equal(reply->status, status);
    assert_int_equal(reply->body.n, strlen(text));
    assert_memory_equal(buf_all(&reply->body).p, text, strlen(text));
    if (*text && status != 200)
        assert_true(slice_eq(fake_header(reply, "Content-Type"), S("application/json")));
}

#define RESPONSE "/2018-06-01/runtime/invocation/abc/response"
#define ERROR "/2018-06-01/runtime/invocation/abc/error"
#define INIT_ERROR "/2018-06-01/runtime/init/error"
#define OK "{\"status\":\"OK\"}\n"
#define BAD_ID "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n"

static void assert_forbidden(const struct fake_reply *reply, const char *from, const char *to)
{
    char want[300];
    snprintf(want, sizeof want,
             "{\"errorMessage\":\"State transition from %s to %s failed for runtime. Error: State "
             "transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}\n",
             from, to);
    assert_reply(reply, 403, want);
}

static void assert_body(const char *text)
{
    assert_true(slice_eq(buf_all(&body), slice_str(text)));
}

/* To state Running. */
static void run(void)
{
    struct fake_reply *next = fake_next();
    assert_false(next->answered);
    runtime_api_deliver(api, &event);
    assert_reply(next, 200, "{}");
}

static void routes_and_methods(void **state)
{
    const char *unknown[] = {"/",
                             "/2018-06-01/runtime/invocation//response",
                             "/2018-06-01/runtime/restore/next",
                             "/2018-06-01/runtime/restore/error",
                             "/2018-06-01/runtime/invocation/abc/other",
                             "/2018-06-01/runtime/invocation/abc/response/",
                             "/2018-06-01/runtime/invocation/next/"};
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        assert_reply(fake_get(unknown[i]), 404, "");
        assert_reply(fake_post(unknown[i], S("x")), 404, "");
    }
    assert_reply(fake_get("/2018-06-01/ping"), 200, "pong");
    assert_reply(fake_post("/2018-06-01/ping", S("")), 405, "");
    assert_reply(fake_post("/2018-06-01/runtime/invocation/next", S("")), 405, "");
    assert_reply(fake_get(RESPONSE), 405, "");
    assert_reply(fake_get(ERROR), 405, "");
    assert_reply(fake_get(INIT_ERROR), 405, "");
    struct fake_send subscription = {.method = "PUT", .path = "/2022-07-01/telemetry"};
    assert_reply(fake_request(&subscription), 200, "\"OK\"");
    subscription.path = "/2020-08-15/logs";
    assert_reply(fake_request(&subscription), 200, "\"OK\"");
    assert_reply(fake_post("/2020-08-15/logs", S("{}")), 405, "");
    assert_int_equal(nexts + answers + init_errors, 0);
}

static void headers_of_an_event(void **state)
{
    struct fake_reply *next = fake_next();
    assert_int_equal(nexts, 1);
    runtime_api_deliver(api, &event);
    assert_reply(next, 200, "{}");
    const char *want = "Content-Type: application/json\n"
                       "Lambda-Runtime-Aws-Request-Id: abc\n"
                       "Lambda-Runtime-Deadline-Ms: 1709573861143\n"
                       "Lambda-Runtime-Invoked-Function-Arn: arn:f\n"
                       "Lambda-Runtime-Trace-Id: Root=1;Sampled=0\n"
                       "Lambda-Runtime-Client-Context: {\"custom\":{}}\n";
    assert_true(slice_eq(buf_all(&next->head), slice_str(want)));
}

/* What the event was made of is freed with the invocation; the runtime may still post to it. */
static void an_answered_event_is_known_by_its_id_alone(void **state)
{
    char id[] = "abc";
    struct runtime_event gone = event;
    gone.request_id = slice_str(id);
    fake_next();
    runtime_api_deliver(api, &gone);
    assert_reply(fake_post(RESPONSE, S("1")), 202, OK);
    memset(id, 'x', 3);
    assert_forbidden(fake_post(RESPONSE, S("2")), "RuntimeResponseSentState", "InvocationResponse");
}

static void states_in_order(void **state)
{
    assert_reply(fake_post(RESPONSE, S("1")), 400, BAD_ID); /* before any next */
    assert_reply(fake_post(ERROR, S("1")), 400, BAD_ID);
    run();
    assert_string_equal(runtime_api_state(api), "Running");
    assert_forbidden(fake_post(INIT_ERROR, S("{}")), "Running", "InitError");
    assert_reply(fake_post("/2018-06-01/runtime/invocation/other/response", S("1")), 400, BAD_ID);
    assert_reply(fake_post(RESPONSE, S("1")), 202, OK);
    assert_int_equal(answers, 1);
    assert_body("1");
    assert_forbidden(fake_post(RESPONSE, S("2")), "RuntimeResponseSentState", "InvocationResponse");
    assert_forbidden(fake_post(ERROR, S("2")), "RuntimeResponseSentState",
                     "InvocationErrorResponse");
    fake_next();
    assert_int_equal(nexts, 2);
    assert_reply(fake_post(RESPONSE, S("3")), 400, BAD_ID); /* stale */
    assert_forbidden(fake_post(INIT_ERROR, S("{}")), "Ready", "InitError");
    assert_int_equal(answers, 1);
    assert_int_equal(init_errors, 0);
}

static void next_while_running_gives_the_same_event(void **state)
{
    run();
    assert_reply(fake_next(), 200, "{}");
    assert_string_equal(runtime_api_state(api), "Running");
    assert_int_equal(nexts, 1);
    assert_reply(fake_post(RESPONSE, S("1")), 202, OK);
}

static void several_waiting_one_is_woken(void **state)
{
    struct fake_reply *first = fake_next();
    struct fake_reply *second = fake_next();
    assert_int_equal(nexts, 1);
    runtime_api_deliver(api, &event);
    assert_true(first->answered);
    assert_false(second->answered);
    fake_post(RESPONSE, S("1"));
    struct fake_reply *third = fake_next();
    assert_int_equal(nexts, 2);
    runtime_api_deliver(api, &event);
    assert_true(second->answered);
    assert_false(third->answered);
}

static void lost_poll_gets_the_event_when_it_asks_again(void **state)
{
    struct fake_reply *next = fake_next();
    fake_hang_up(next);
    runtime_api_deliver(api, &event);
    assert_string_equal(runtime_api_state(api), "Ready");
    assert_reply(fake_next(), 200, "{}");
    assert_reply(fake_post(RESPONSE, S("1")), 202, OK);
    assert_int_equal(nexts, 1);
}

static void init_error(void **state)
{
    struct fake_reply *reply = fake_request(&(struct fake_send){
        .method = "POST",
        .path = INIT_ERROR,
        .body = S("{\"errorMessage\":\"x\"}"),
        .headers = {{S("Lambda-Runtime-Function-Error-Type"), S("Runtime.ImportModuleError")}}});
    assert_reply(reply, 202, OK);
    assert_int_equal(init_errors, 1);
    assert_string_equal(type, "Runtime.ImportModuleError");
    assert_body("{\"errorMessage\":\"x\"}");
    assert_forbidden(fake_next(), "InitError", "Ready");
    assert_forbidden(fake_post(INIT_ERROR, S("{}")), "InitError", "InitError");
    assert_reply(fake_post(RESPONSE, S("1")), 400, BAD_ID);
}

static void error_types_are_normalised(void **state)
{
    const char *cases[][2] = {
        {"Runtime.UnknownReason", "Runtime.UnknownReason"},
        {"Function.MyError", "Function.MyError"},
        {"x Function.MyError y", "x Function.MyError y"},
        {"Function.myError", "Function.Unknown"},
        {"Function.X", "Function.Unknown"},
        {"MyError", "Runtime.Unknown"},
        {NULL, "Runtime.Unknown"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        run();
        struct fake_send send = {.method = "POST", .path = ERROR, .body = S("{}")};
        if (cases[i][0])
            send.headers[0] = (struct http_header){S("lambda-runtime-function-error-type"),
                                                   slice_str(cases[i][0])};
        assert_reply(fake_request(&send), 202, OK);
        assert_int_equal(kind, ANSWER_ERROR);
        assert_string_equal(type, cases[i][1]);
        assert_body("{}");
    }
}

static void error_without_a_body(void **state)
{
    run();
    assert_reply(fake_post(ERROR, S("")), 202, OK);
    assert_body("{\"errorType\":\"Runtime.Unknown\"}");
}

static void error_cause_is_taken_out(void **state)
{
    struct fake_send send = {
        .method = "POST",
        .path = ERROR,
        .body = S("{\"errorCause\":{\"a\":1},\"stackTrace\":[],\"errorType\":\"T\",\"x\":1,"
                  "\"errorMessage\":\"M\"}"),
        .headers = {{S("Content-Type"), S("application/vnd.aws.lambda.error.cause+json")}}};
    run();
    assert_reply(fake_request(&send), 202, OK);
    assert_body("{\"errorMessage\":\"M\",\"errorType\":\"T\",\"stackTrace\":[]}");
    run();
    send.body = S("{");
    assert_reply(fake_request(&send), 202, OK);
    assert_body("\"Invalid error body\"");
}

static void bad_response_mode(void **state)
{
    run();
    struct fake_send send = {
        .method = "POST",
        .path = RESPONSE,
        .body = S("1"),
        .headers = {{S("Lambda-Runtime-Function-Response-Mode"), S("buffered")}}};
    assert_reply(fake_request(&send), 400,
                 "{\"errorMessage\":\"Invalid function response mode\",\"errorType\":"
                 "\"InvalidFunctionResponseMode\"}\n");
    assert_int_equal(kind, ANSWER_BAD_MODE);
    assert_string_equal(runtime_api_state(api), "RuntimeResponseSentState");
    fake_next();
    assert_int_equal(nexts, 2);
}

static void streaming_is_collected(void **state)
{
    struct fake_send send = {
        .method = "POST",
        .path = RESPONSE,
        .body = S("part one part two"),
        .headers = {{S("Lambda-Runtime-Function-Response-Mode"), S("streaming")}}};
    run();
    assert_reply(fake_request(&send), 202, OK);
    assert_int_equal(kind, ANSWER_RESPONSE);
    assert_body("part one part two");
    run();
    send.trailers[0] =
        (struct http_header){S("Lambda-Runtime-Function-Error-Type"), S("Function.Broke")};
    send.trailers[1] = (struct http_header){S("Lambda-Runtime-Function-Error-Body"),
                                            S("eyJlcnJvck1lc3NhZ2UiOiJ4In0=")};
    assert_reply(fake_request(&send), 202, OK);
    assert_int_equal(kind, ANSWER_ERROR);
    assert_string_equal(type, "Function.Broke");
    assert_body("{\"errorMessage\":\"x\"}");
}

/* To state Running, with an event whose invoker takes pieces; the head of its response is there. */
static struct fake_reply *run_streaming(const struct fake_send *send)
{
    struct runtime_event streaming = event;
    streaming.streams = true;
    streaming.stream_max = 9;
    fake_next();
    runtime_api_deliver(api, &streaming);
    struct fake_reply *reply = fake_head(send);
    assert_int_equal(streams, 1);
    assert_true(reply->req.want_pieces && reply->req.unhurried);
    fake_piece(reply, S("one"));
    fake_piece(reply, S("two"));
    assert_int_equal(answers, 0);
    assert_string_equal(runtime_api_state(api), "InvocationResponse");
    return reply;
}

static struct fake_send stream_of(struct slice rest)
{
    return (struct fake_send){
        .method = "POST",
        .path = RESPONSE,
        .body = rest,
        .headers = {{S("Lambda-Runtime-Function-Response-Mode"), S("streaming")},
                    {S("Content-Type"), S("text/x")}}};
}

static void assert_pieces(const char *text)
{
    assert_true(slice_eq(buf_all(&pieces), slice_str(text)));
}

static void streaming_is_passed_on(void **state)
{
    struct fake_send send = stream_of(S("3"));
    struct fake_reply *reply = run_streaming(&send);
    runtime_api_pause(api);
    assert_true(reply->paused);
    runtime_api_resume(api);
    assert_false(reply->paused);
    fake_rest(reply, &send);
    assert_reply(reply, 202, OK);
    assert_pieces("onetwo3");
    assert_int_equal(kind, ANSWER_RESPONSE);
    assert_body("");
    runtime_api_pause(api); /* nothing is left to pause */
}

static void streaming_fails_in_the_middle(void **state)
{
    struct fake_send send = stream_of(S(""));
    send.trailers[0] =
        (struct http_header){S("Lambda-Runtime-Function-Error-Type"), S("Function.Broke")};
    send.trailers[1] =
        (struct http_header){S("Lambda-Runtime-Function-Error-Body"), S("eyJhIjoxfQ==")};
    struct fake_reply *reply = run_streaming(&send);
    fake_rest(reply, &send);
    assert_reply(reply, 202, OK);
    assert_pieces("onetwo");
    assert_int_equal(kind, ANSWER_ERROR);
    assert_string_equal(type, "Function.Broke");
    assert_body("{\"a\":1}");
}

static void streaming_breaks_off(void **state)
{
    struct fake_send send = stream_of(S("3"));
    send.end = FAKE_TRUNCATED;
    struct fake_reply *reply = run_streaming(&send);
    fake_rest(reply, &send);
    assert_int_equal(reply->status, 400);
    assert_pieces("onetwo3");
    assert_int_equal(kind, ANSWER_TRUNCATED);
}

static void streaming_has_a_limit(void **state)
{
    struct fake_send send = stream_of(S("3456"));
    struct fake_reply *reply = run_streaming(&send);
    fake_rest(reply, &send);
    assert_reply(reply, 413,
                 "{\"errorMessage\":\"Exceeded maximum allowed payload size (9 bytes).\","
                 "\"errorType\":\"RequestEntityTooLarge\"}\n");
    assert_pieces("onetwo");
    assert_int_equal(kind, ANSWER_TOO_LARGE);
    assert_int_equal(limit, 9);
}

static void buffered_for_who_takes_pieces(void **state)
{
    struct runtime_event streaming = event;
    streaming.streams = true;
    fake_next();
    runtime_api_deliver(api, &streaming);
    assert_reply(fake_post(RESPONSE, S("1")), 202, OK);
    assert_int_equal(streams, 0);
    assert_body("1");
}

static void truncated_bodies(void **state)
{
    struct fake_send send = {
        .method = "POST", .path = RESPONSE, .body = S("1"), .end = FAKE_TRUNCATED};
    run();
    assert_reply(fake_request(&send), 400,
                 "{\"errorMessage\":\"HTTP request detected as truncated\",\"errorType\":"
                 "\"TruncatedHTTPRequest\"}\n");
    assert_int_equal(kind, ANSWER_TRUNCATED);
    fake_next();
    runtime_api_deliver(api, &event);
    send.end = FAKE_ABORTED;
    fake_request(&send);
    assert_int_equal(answers, 2);
    assert_int_equal(kind, ANSWER_TRUNCATED);
    assert_string_equal(runtime_api_state(api), "RuntimeResponseSentState");
}

static void too_large_bodies(void **state)
{
    AUTO(free) char *big = mem_new(RUNTIME_API_BODY_MAX + 1);
    run();
    assert_reply(fake_post(RESPONSE, (struct slice){big, RUNTIME_API_BODY_MAX + 1}), 413,
                 "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\","
                 "\"errorType\":\"RequestEntityTooLarge\"}\n");
    assert_int_equal(kind, ANSWER_TOO_LARGE);
    assert_string_equal(runtime_api_state(api), "RuntimeResponseSentState");
    run();
    assert_reply(fake_post(RESPONSE, (struct slice){big, RUNTIME_API_BODY_MAX}), 202, OK);
    assert_int_equal(body.n, RUNTIME_API_BODY_MAX);
}

static void a_new_process_starts_over(void **state)
{
    struct err err;
    struct fake_reply *next = fake_next();
    runtime_api_shut(api);
    assert_true(next->aborted);
    assert_int_equal(fake_servers, 0);
    assert_true(runtime_api_open(api, fake_launcher, &err));
    assert_string_equal(runtime_api_state(api), "Started");
    run();
    assert_reply(fake_post(RESPONSE, S("1")), 202, OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(routes_and_methods),
        CASE(headers_of_an_event),
        CASE(an_answered_event_is_known_by_its_id_alone),
        CASE(states_in_order),
        CASE(next_while_running_gives_the_same_event),
        CASE(several_waiting_one_is_woken),
        CASE(lost_poll_gets_the_event_when_it_asks_again),
        CASE(init_error),
        CASE(error_types_are_normalised),
        CASE(error_without_a_body),
        CASE(error_cause_is_taken_out),
        CASE(bad_response_mode),
        CASE(streaming_is_collected),
        CASE(streaming_is_passed_on),
        CASE(streaming_fails_in_the_middle),
        CASE(streaming_breaks_off),
        CASE(streaming_has_a_limit),
        CASE(buffered_for_who_takes_pieces),
        CASE(truncated_bodies),
        CASE(too_large_bodies),
        CASE(a_new_process_starts_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
