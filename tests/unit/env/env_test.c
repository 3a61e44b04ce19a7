/* The life of an environment as the pool drives it: cold and warm calls, failures in each phase,
 * timeouts, freezing, retiring, change. The launcher, init and the runtime are played by the test.
 */
#include "test.h"

#include "fake.h"

#include "base/clock.h"
#include "base/mem.h"
#include "env/settings.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static struct pool *pool;
static struct env_settings settings;
static struct fake_function f;

static int setup(void **state)
{
    struct err err;
    settings = env_settings_default;
    settings.freeze_delay_ms = 60000;
    fake_function_init(&f, S("f"));
    int fd = fake_start();
    pool = pool_new(fake_loop, fd, NULL, &settings, &err);
    assert_non_null(pool);
    return 0;
}

static int teardown(void **state)
{
    pool_free(pool);
    clock_freeze(0, 0);
    fake_reset();
    return 0;
}

/* ---- calls ---- */

struct call {
    struct invocation inv;
    int done;
};

static void on_done(struct invocation *inv)
{
    ((struct call *)inv->arg)->done++;
}

static const char ids[][ID_UUID_LEN + 1] = {"11111111-1111-4111-8111-111111111111",
                                            "22222222-2222-4222-8222-222222222222",
                                            "33333333-3333-4333-8333-333333333333"};

static void call_init(struct call *call, int number, const char *event)
{
    *call = (struct call){.inv = {.fn = &f.fn,
                                  .invoked_arn = S("arn:x"),
                                  .trace_id = S("Root=1"),
                                  .event = BUF_INIT(1024),
                                  .done = on_done,
                                  .arg = call}};
    memcpy(call->inv.request_id, ids[number], sizeof ids[number]);
    buf_slice(&call->inv.event, slice_str(event));
}

static void call_free(struct call *call)
{
    buf_free(&call->inv.event);
    buf_free(&call->inv.payload);
    buf_free(&call->inv.tail);
}

static bool is_done(void *arg)
{
    return ((struct call *)arg)->done > 0;
}

static struct fake_reply *post_to(const char *id, const char *what, const char *body)
{
    char path[128];
    snprintf(path, sizeof path, "/2018-06-01/runtime/invocation/%s/%s", id, what);
    return fake_post(path, slice_str(body));
}

#define assert_text(buf, text) assert_true(slice_eq(buf_all(buf), slice_str(text)))

static void assert_logged(const char *text)
{
    if (!memmem(fake_log.p, fake_log.n, text, strlen(text)))
        fail_msg("not in the log: %s\nlog:\n%.*s", text, (int)fake_log.n, fake_log.p);
}

static size_t times_logged(const char *text)
{
    size_t n = 0;
    struct slice rest = buf_all(&fake_log);
    for (const char *at; (at = memmem(rest.p, rest.n, text, strlen(text))); n++)
        rest = slice_sub(rest, (size_t)(at - rest.p) + 1, rest.n);
    return n;
}

/* To where the runtime has been started. */
static void spawn(struct fake_sandbox *sandbox)
{
    fake_take_request(sandbox);
    assert_int_equal(sandbox->request.op, LAUNCH_SPAWN);
    fake_spawned(sandbox, HAVE_LISTENER | HAVE_MEMORY_PEAK | HAVE_OOM | HAVE_FREEZE);
    assert_int_equal(fake_order(sandbox), CONTROL_START);
    fake_event(sandbox, CONTROL_STARTED, 1, 0);
}

/* Ends what the last test step left behind. */
static void bury(struct fake_sandbox *sandbox)
{
    pool_function_changed(pool, &f.fn, NULL);
    struct fake_sandbox kill = {0};
    fake_take_request(&kill);
    assert_int_equal(kill.request.op, LAUNCH_KILL);
    assert_int_equal(kill.request.id, sandbox->request.id);
    fake_gone(sandbox);
}

/* A cold call that succeeds; the runtime waits for the next event. */
static struct fake_reply *warm_up(struct fake_sandbox *sandbox)
{
    struct call call;
    call_init(&call, 0, "{}");
    pool_invoke(pool, &call.inv);
    spawn(sandbox);
    struct fake_reply *next = fake_next();
    assert_int_equal(next->status, 200);
    assert_int_equal(post_to(ids[0], "response", "1")->status, 202);
    assert_int_equal(call.done, 1);
    next = fake_next();
    assert_false(next->answered);
    call_free(&call);
    return next;
}

/* ---- A1, A2: success ---- */

static void cold_then_warm(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct call call;
    clock_freeze(UINT64_C(5000000000), UINT64_C(1709573858033));
    call_init(&call, 0, "{\"a\":1}");
    pool_invoke(pool, &call.inv);
    assert_int_equal(call.done, 0);
    spawn(&sandbox);
    assert_logged("INIT_START Runtime Version: provided:al2023.v1\n");

    clock_freeze(UINT64_C(5110100000), UINT64_C(1709573858143));
    struct fake_reply *next = fake_next();
    assert_int_equal(next->status, 200);
    assert_text(&next->body, "{\"a\":1}");
    assert_true(slice_eq(fake_header(next, "Lambda-Runtime-Aws-Request-Id"), slice_str(ids[0])));
    assert_true(slice_eq(fake_header(next, "Lambda-Runtime-Deadline-Ms"), S("1709573861143")));
    assert_true(slice_eq(fake_header(next, "Lambda-Runtime-Trace-Id"), S("Root=1")));
    assert_true(slice_eq(fake_header(next, "Lambda-Runtime-Invoked-Function-Arn"), S("arn:x")));
    assert_null(fake_header(next, "Lambda-Runtime-Client-Context").p);

    clock_freeze(UINT64_C(5113110000), UINT64_C(1709573858146));
    struct fake_reply *post = post_to(ids[0], "response", "\"ok\"");
    assert_int_equal(post->status, 202);
    assert_text(&post->body, "{\"status\":\"OK\"}\n");
    assert_int_equal(call.done, 1);
    assert_text(&call.inv.payload, "\"ok\"");
    assert_false(call.inv.function_error);
    call_free(&call);
    assert_int_equal(times_logged("END"), 0); /* not over before it asks again */

    next = fake_next();
    assert_false(next->answered);
    assert_logged("START RequestId: 11111111-1111-4111-8111-111111111111 Version: $LATEST\n"
                  "END RequestId: 11111111-1111-4111-8111-111111111111\n"
                  "REPORT RequestId: 11111111-1111-4111-8111-111111111111\tDuration: 3.01 ms\t"
                  "Billed Duration: 114 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
                  "Init Duration: 110.10 ms\t\n");

    call_init(&call, 1, "2");
    pool_invoke(pool, &call.inv);
    assert_int_equal(next->status, 200); /* at once, by the same environment */
    assert_text(&next->body, "2");
    post_to(ids[1], "response", "2");
    assert_int_equal(call.done, 1);
    fake_next();
    assert_logged("\tDuration: 0.00 ms\tBilled Duration: 0 ms\tMemory Size: 128 MB\tMax Memory "
                  "Used: 36 MB\t\n");
    call_free(&call);
    assert_int_equal(pool_stats(pool).started_total, 1);
    bury(&sandbox);
}

static void environment_variables_are_lambdas(void **state)
{
    struct slice keys[] = {S("PATH"), S("MINE"), S("AWS_REGION")};
    struct slice values[] = {S("/p"), S("x=y"), S("never")};
    f.environment.Variables = (struct aws_map){true, 3, keys, values};
    f.config.Environment = &f.environment;
    struct fake_sandbox sandbox = {0};
    struct call call;
    call_init(&call, 0, "{}");
    pool_invoke(pool, &call.inv);
    fake_take_request(&sandbox);
    const struct sandbox_spec *spec = &sandbox.request.spec;
    assert_int_equal(spec->kind, LAUNCH_ENVIRONMENT);
    assert_int_equal(spec->memory, (128u << 20) + settings.overhead_bytes);
    assert_int_equal(spec->tmp_size, 512u << 20);
    assert_int_equal(spec->argc, 1);
    assert_string_equal(spec->strings, "/var/task/bootstrap");
    const char *wanted[] = {"PATH=/p",
                            "MINE=x=y",
                            "AWS_REGION=us-east-1",
                            "_HANDLER=h",
                            "AWS_LAMBDA_RUNTIME_API=169.254.100.1:9001",
                            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
                            "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
                            "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/f",
                            "TZ=:UTC",
                            "LANG=en_US.UTF-8",
                            "LAMBDA_TASK_ROOT=/var/task",
                            "_LAMBDA_TELEMETRY_LOG_FD=62"};
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        if (!memmem(spec->strings, spec->strings_len, wanted[i], strlen(wanted[i]) + 1))
            fail_msg("missing: %s", wanted[i]);
    }
    assert_null(memmem(spec->strings, spec->strings_len, "AWS_EXECUTION_ENV", 17));
    assert_null(memmem(spec->strings, spec->strings_len, "never", 5));
    assert_memory_equal(fake_log_names, "/aws/lambda/f ", 14);
    assert_non_null(strstr(fake_log_names, "/[$LATEST]"));
    fake_refused(&sandbox, 0, "no");
    assert_int_equal(call.done, 1);
    call_free(&call);
}

static void refused_sandbox_refuses_one_call(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct call call;
    call_init(&call, 0, "{}");
    pool_invoke(pool, &call.inv);
    fake_take_request(&sandbox);
    fake_refused(&sandbox, ENOMEM, "clone");
    assert_int_equal(call.done, 1);
    assert_int_equal(call.inv.refused.fault, FAULT_INTERNAL);
    assert_int_equal(call.inv.refused.os, ENOMEM);
    assert_false(fake_launcher_has_request());
    assert_int_equal(f.fn.refs, 0);
    f.config.Runtime = S("cobol85"); /* nothing is asked of the launcher at all */
    pool_invoke(pool, &call.inv);
    assert_int_equal(call.done, 1); /* never before it returned */
    fake_turns(2);
    assert_int_equal(call.done, 2);
    assert_int_equal(call.inv.refused.fault, FAULT_UNAVAILABLE);
    assert_int_equal(f.fn.refs, 0);
    call_free(&call);
}

/* ---- A3: the handler throws ---- */

static void handler_error_is_passed_on(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct fake_reply *next = warm_up(&sandbox);
    struct call call;
    call_init(&call, 1, "{}");
    pool_invoke(pool, &call.inv);
    assert_true(next->answered);
    assert_int_equal(post_to(ids[1], "error", "{\"errorMessage\":\"no\"}")->status, 202);
    assert_int_equal(call.done, 1);
    assert_true(call.inv.function_error);
    assert_text(&call.inv.payload, "{\"errorMessage\":\"no\"}");
    fake_next();
    assert_int_equal(times_logged("Status: error"), 0);
    assert_int_equal(times_logged("REPORT"), 2);
    assert_int_equal(pool_stats(pool).started_total, 1);
    call_free(&call);
    bury(&sandbox);
}

/* ---- A4: crash ---- */

static void crash_is_reported_and_the_sandbox_kept(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct fake_reply *next = warm_up(&sandbox);
    struct call call;
    call_init(&call, 1, "{}");
    pool_invoke(pool, &call.inv);
    assert_true(next->answered);
    fake_write(sandbox.output, S("last words\n"));
    fake_event(&sandbox, CONTROL_EXITED, 1, 1 << 8);
    assert_int_equal(call.done, 1);
    assert_true(call.inv.function_error);
    assert_text(&call.inv.payload,
                "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: "
                "22222222-2222-4222-8222-222222222222 Error: Runtime exited with error: exit "
                "status 1\"}");
    assert_logged("last words\nRequestId: 22222222-2222-4222-8222-222222222222 Error: Runtime "
                  "exited with error: exit status 1\nRuntime.ExitError\nEND RequestId: ");
    assert_logged(" MB\tStatus: error\tError Type: Runtime.ExitError\n");
    call_free(&call);

    /* The next event starts with an init in the same sandbox. */
    assert_int_equal(fake_order(&sandbox), CONTROL_KILL_ALL);
    call_init(&call, 2, "3");
    pool_invoke(pool, &call.inv);
    assert_false(fake_has_order(&sandbox)); /* children of the dead runtime could still connect */
    assert_int_equal(fake_servers, 0);
    fake_event(&sandbox, CONTROL_EXITED, 1, SIGKILL); /* stale: of the run before */
    fake_event(&sandbox, CONTROL_CLEARED, 1, 0);
    assert_int_equal(fake_order(&sandbox), CONTROL_START);
    fake_event(&sandbox, CONTROL_EXITED, 1, 9); /* stale: of the run before */
    fake_event(&sandbox, CONTROL_STARTED, 2, 0);
    assert_int_equal(call.done, 0);
    next = fake_next();
    assert_int_equal(next->status, 200);
    assert_text(&next->body, "3");
    post_to(ids[2], "response", "3");
    assert_int_equal(call.done, 1);
    assert_false(call.inv.function_error);
    call_free(&call);
    fake_next();
    assert_false(fake_launcher_has_request());
    bury(&sandbox);
}

static void signals_and_silent_exits_have_names(void **state)
{
    const struct {
        int status;
        const char *text;
    } cases[] = {
        {0, "Runtime exited without providing a reason"},
        {SIGKILL, "Runtime exited with error: signal: killed"},
        {SIGSEGV | 128, "Runtime exited with error: signal: segmentation fault"},
        {127 << 8, "Runtime exited with error: exit status 127"},
    };
    struct fake_sandbox sandbox = {0};
    warm_up(&sandbox);
    for (uint32_t i = 0; i < COUNT_OF(cases); i++) {
        struct call call;
        char want[256];
        call_init(&call, 1, "{}");
        pool_invoke(pool, &call.inv);
        if (i) {
            fake_event(&sandbox, CONTROL_CLEARED, i, 0);
            fake_next();
        }
        fake_event(&sandbox, CONTROL_EXITED, i + 1, cases[i].status);
        snprintf(want, sizeof want,
                 "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: %s Error: "
                 "%s\"}",
                 ids[1], cases[i].text);
        assert_int_equal(call.done, 1);
        assert_text(&call.inv.payload, want);
        call_free(&call);
    }
    bury(&sandbox);
}

static void crash_after_the_answer_leaves_it_standing(void **state)
{
    struct fake_sandbox sandbox = {0};
    warm_up(&sandbox);
    struct call call;
    call_init(&call, 1, "{}");
    call.inv.want_tail = true;
    pool_invoke(pool, &call.inv);
    post_to(ids[1], "response", "\"good\"");
    assert_int_equal(call.done, 0); /* the tail ends with REPORT */
    fake_event(&sandbox, CONTROL_EXITED, 1, 1 << 8);
    assert_int_equal(call.done, 1);
    assert_false(call.inv.function_error);
    assert_text(&call.inv.payload, "\"good\"");
    assert_logged("Status: error\tError Type: Runtime.ExitError\n");
    assert_true(slice_starts(buf_all(&call.inv.tail), S("START RequestId: 2222")));
    call_free(&call);
    bury(&sandbox);
}

static void death_while_idle_is_mended_at_the_next_event(void **state)
{
    struct fake_sandbox sandbox = {0};
    warm_up(&sandbox);
    fake_event(&sandbox, CONTROL_EXITED, 1, 0);
    assert_int_equal(fake_order(&sandbox), CONTROL_KILL_ALL);
    fake_event(&sandbox, CONTROL_CLEARED, 1, 0);
    struct call call;
    call_init(&call, 1, "{}");
    pool_invoke(pool, &call.inv);
    assert_int_equal(fake_order(&sandbox), CONTROL_START);
    assert_int_equal(fake_next()->status, 200);
    post_to(ids[1], "response", "1");
    assert_int_equal(call.done, 1);
    assert_false(call.inv.function_error);
    call_free(&call);
    fake_next();
    bury(&sandbox);
}

/* The only environment that there may be has died while idle and serves again. A call of another
 * function wants its room, but it is not idle now: who waits for it comes first. */
static void one_that_died_while_idle_is_idle_once(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct fake_function g;
    struct call calls[3];
    settings.environments_max = 1;
    fake_function_init(&g, S("g"));
    g.fn.arn = S("arn:aws:lambda:us-east-1:000000000000:function:g");
    for (int i = 0; i < 3; i++)
        call_init(&calls[i], i, "{}");
    calls[1].inv.fn = &g.fn;
    warm_up(&sandbox);
    fake_event(&sandbox, CONTROL_EXITED, 1, 1);
    assert_int_equal(fake_order(&sandbox), CONTROL_KILL_ALL);
    fake_event(&sandbox, CONTROL_CLEARED, 1, 0);
    pool_invoke(pool, &calls[0].inv);
    pool_invoke(pool, &calls[1].inv);
    pool_invoke(pool, &calls[2].inv);
    assert_int_equal(fake_order(&sandbox), CONTROL_START);
    assert_int_equal(fake_next()->status, 200);
    post_to(ids[0], "response", "1");
    assert_int_equal(fake_next()->status, 200);
    post_to(ids[2], "response", "1");
    assert_int_equal(calls[2].done, 1);
    fake_next();
    struct fake_sandbox kill = {0};
    fake_take_request(&kill);
    assert_int_equal(kill.request.op, LAUNCH_KILL);
    fake_gone(&sandbox);
    spawn(&sandbox);
    assert_int_equal(fake_next()->status, 200);
    post_to(ids[1], "response", "1");
    assert_int_equal(calls[1].done, 1);
    fake_next();
    pool_function_changed(pool, &g.fn, NULL);
    fake_take_request(&kill);
    fake_gone(&sandbox);
    for (int i = 0; i < 3; i++)
        call_free(&calls[i]);
}

static void out_of_memory_ends_the_whole_environment(void **state)
{
    struct fake_sandbox sandbox = {0};
    warm_up(&sandbox);
    struct call call;
    call_init(&call, 1, "{}");
    pool_invoke(pool, &call.inv);
    uint64_t one = 1;
    assert_int_equal(write(sandbox.oom, &one, sizeof one), sizeof one);
    assert_int_equal(fake_order(&sandbox), CONTROL_KILL_ALL);
    fake_event(&sandbox, CONTROL_EXITED, 1, SIGKILL);
    assert_int_equal(call.done, 1);
    assert_text(&call.inv.payload,
                "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: "
                "22222222-2222-4222-8222-222222222222 Error: Runtime exited with error: signal: "
                "killed\"}");
    assert_logged("Max Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory\n");
    call_free(&call);
    bury(&sandbox);
}

static void sandbox_lost_while_busy(void **state)
{
    struct fake_sandbox sandbox = {0};
    warm_up(&sandbox);
    struct call call;
    call_init(&call, 1, "{}");
    pool_invoke(pool, &call.inv);
    fake_gone(&sandbox);
    assert_int_equal(call.done, 1);
    assert_true(call.inv.function_error);
    assert_true(slice_starts(buf_all(&call.inv.payload), S("{\"errorType\":\"Sandbox.Failure\"")));
    call_free(&call);
    assert_int_equal(pool_stats(pool).environments, 0);
}

/* ---- A5: timeout ---- */

static void timeout_kills_and_keeps_the_sandbox(void **state)
{
    struct fake_sandbox sandbox = {0};
    f.fn.timeout_s = 1;
    warm_up(&sandbox);
    struct call call;
    call_init(&call, 1, "{}");
    call.inv.want_tail = true;
    pool_invoke(pool, &call.inv);
    fake_write(sandbox.output, S("still at it\nno newline"));
    fake_until(is_done, &call);
    assert_text(&call.inv.payload,
                "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: "
                "22222222-2222-4222-8222-222222222222 Error: Task timed out after 1.00 seconds\"}");
    assert_logged("still at it\nno newline");
    assert_logged("Z 22222222-2222-4222-8222-222222222222 Task timed out after 1.00 seconds\n\n"
                  "END RequestId: 22222222-2222-4222-8222-222222222222\nREPORT RequestId: "
                  "22222222-2222-4222-8222-222222222222\tDuration: 1000.00 ms\tBilled Duration: "
                  "1000 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tStatus: timeout\n");
    assert_true(slice_ends(buf_all(&call.inv.tail), S("Status: timeout\n")));
    assert_int_equal(fake_order(&sandbox), CONTROL_KILL_ALL);
    assert_int_equal(fake_servers, 0); /* the runtime is cut off at once */
    call_free(&call);
    bury(&sandbox);
}

/* ---- A6: init fails ---- */

static void failed_init_runs_twice(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct call call;
    call_init(&call, 0, "{}");
    pool_invoke(pool, &call.inv);
    spawn(&sandbox);
    assert_int_equal(
        fake_post("/2018-06-01/runtime/init/error", S("{\"errorMessage\":\"one\"}"))->status, 202);
    fake_event(&sandbox, CONTROL_EXITED, 1, 1 << 8);
    assert_logged("\tPhase: init\tStatus: error\tError Type: Runtime.ExitError\n");
    assert_int_equal(call.done, 0);

    assert_int_equal(fake_order(&sandbox), CONTROL_KILL_ALL);
    fake_event(&sandbox, CONTROL_CLEARED, 1, 0);
    assert_int_equal(fake_order(&sandbox), CONTROL_START);
    fake_event(&sandbox, CONTROL_STARTED, 2, 0);
    fake_post("/2018-06-01/runtime/init/error", S("{\"errorMessage\":\"two\"}"));
    fake_event(&sandbox, CONTROL_EXITED, 2, 1 << 8);
    assert_int_equal(call.done, 1);
    assert_true(call.inv.function_error);
    assert_text(&call.inv.payload, "{\"errorMessage\":\"two\"}");
    assert_logged("\tPhase: invoke\tStatus: error\tError Type: Runtime.ExitError\nSTART RequestId: "
                  "11111111-1111-4111-8111-111111111111 Version: $LATEST\nEND RequestId: "
                  "11111111-1111-4111-8111-111111111111\nREPORT ");
    assert_logged("Status: error\tError Type: Runtime.ExitError\n");
    assert_int_equal(times_logged("INIT_START"), 1);
    call_free(&call);
    bury(&sandbox);
}

static void init_timeout_leads_to_a_second_init(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct call call;
    settings.init_timeout_ms = 20;
    call_init(&call, 0, "{}");
    pool_invoke(pool, &call.inv);
    spawn(&sandbox);
    assert_int_equal(fake_order(&sandbox), CONTROL_KILL_ALL);
    fake_event(&sandbox, CONTROL_CLEARED, 1, 0);
    assert_int_equal(fake_order(&sandbox), CONTROL_START);
    assert_logged("\tPhase: init\tStatus: timeout\n");
    struct fake_reply *next = fake_next();
    assert_int_equal(next->status, 200);
    post_to(ids[0], "response", "1");
    assert_int_equal(call.done, 1);
    assert_false(call.inv.function_error);
    fake_next();
    assert_int_equal(times_logged("Init Duration"), 1); /* INIT_REPORT's; none in REPORT */
    call_free(&call);
    bury(&sandbox);
}

static void second_init_runs_under_the_functions_timeout(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct call call;
    settings.init_timeout_ms = 20;
    f.fn.timeout_s = 1;
    call_init(&call, 0, "{}");
    pool_invoke(pool, &call.inv);
    spawn(&sandbox);
    fake_until(is_done, &call);
    assert_true(slice_starts(buf_all(&call.inv.payload), S("{\"errorType\":\"Sandbox.Timedout\"")));
    assert_logged("\tPhase: invoke\tStatus: timeout\n");
    assert_logged("Status: timeout\n");
    call_free(&call);
    bury(&sandbox);
}

static void missing_bootstrap_has_lambdas_words(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct call call;
    settings.data_dir = "/nonexistent";
    call_init(&call, 0, "{}");
    pool_invoke(pool, &call.inv);
    spawn(&sandbox);
    fake_event_failed(&sandbox, 1, ENOENT, "execve");
    assert_int_equal(fake_order(&sandbox), CONTROL_KILL_ALL);
    fake_event(&sandbox, CONTROL_CLEARED, 1, 0);
    assert_int_equal(fake_order(&sandbox), CONTROL_START);
    fake_event_failed(&sandbox, 2, ENOENT, "execve");
    assert_int_equal(call.done, 1);
    assert_text(&call.inv.payload,
                "{\"errorType\":\"Runtime.InvalidEntrypoint\",\"errorMessage\":\"RequestId: "
                "11111111-1111-4111-8111-111111111111 Error: Couldn't find valid bootstrap(s): "
                "[/var/task/bootstrap /opt/bootstrap]\"}");
    call_free(&call);
    bury(&sandbox);
}

static void unusable_bootstrap_has_gos_words(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct call call;
    call_init(&call, 0, "{}");
    pool_invoke(pool, &call.inv);
    spawn(&sandbox);
    fake_event_failed(&sandbox, 1, EACCES, "execve");
    fake_event(&sandbox, CONTROL_CLEARED, 1, 0);
    fake_event_failed(&sandbox, 2, EACCES, "execve");
    assert_int_equal(call.done, 1);
    assert_text(&call.inv.payload,
                "{\"errorType\":\"Runtime.InvalidEntrypoint\",\"errorMessage\":\"RequestId: "
                "11111111-1111-4111-8111-111111111111 Error: fork/exec /var/task/bootstrap: "
                "permission denied\"}");
    call_free(&call);
    bury(&sandbox);
}

/* ---- A7: too large ---- */

static void oversize_response_keeps_the_environment(void **state)
{
    struct fake_sandbox sandbox = {0};
    warm_up(&sandbox);
    struct call call;
    char path[128];
    size_t size = 6291557;
    AUTO(free) char *big = mem_new(size);
    call_init(&call, 1, "{}");
    pool_invoke(pool, &call.inv);
    snprintf(path, sizeof path, "/2018-06-01/runtime/invocation/%s/response", ids[1]);
    struct fake_reply *post = fake_post(path, (struct slice){big, size});
    assert_int_equal(post->status, 413);
    assert_text(&post->body, "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 "
                             "bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n");
    assert_int_equal(call.done, 1);
    assert_true(call.inv.function_error);
    assert_text(&call.inv.payload,
                "{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size "
                "(6291556 bytes).\",\"errorType\":\"Function.ResponseSizeTooLarge\"}");
    call_free(&call);
    struct fake_reply *next = fake_next();
    call_init(&call, 2, "{}");
    pool_invoke(pool, &call.inv);
    assert_int_equal(next->status, 200);
    snprintf(path, sizeof path, "/2018-06-01/runtime/invocation/%s/response", ids[2]);
    assert_int_equal(fake_post(path, (struct slice){big, size - 1})->status, 202);
    assert_int_equal(call.inv.payload.n, size - 1);
    call_free(&call);
    fake_next();
    bury(&sandbox);
}

/* ---- pausing, retiring, changing ---- */

static void idle_is_frozen_and_thawed_before_the_event(void **state)
{
    struct fake_sandbox sandbox = {0};
    char text[8] = "";
    settings.freeze_delay_ms = 5;
    struct fake_reply *next = warm_up(&sandbox);
    while (pool_stats(pool).frozen == 0)
        uv_run(fake_loop, UV_RUN_ONCE);
    assert_int_equal(pread(sandbox.freeze, text, sizeof text, 0), 1);
    assert_string_equal(text, "1");
    struct call call;
    call_init(&call, 1, "{}");
    pool_invoke(pool, &call.inv);
    assert_int_equal(pread(sandbox.freeze, text, sizeof text, 0), 1);
    assert_string_equal(text, "0");
    assert_int_equal(next->status, 200);
    post_to(ids[1], "response", "1");
    fake_next();
    call_free(&call);
    bury(&sandbox);
}

static void freezing_without_cgroups_is_a_stop(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct call call;
    settings.freeze_delay_ms = 5;
    call_init(&call, 0, "{}");
    pool_invoke(pool, &call.inv);
    fake_take_request(&sandbox);
    fake_spawned(&sandbox, HAVE_LISTENER);
    assert_int_equal(fake_order(&sandbox), CONTROL_START);
    fake_next();
    post_to(ids[0], "response", "1");
    call_free(&call);
    fake_next();
    assert_int_equal(fake_order(&sandbox), CONTROL_STOP);
    call_init(&call, 1, "{}");
    pool_invoke(pool, &call.inv);
    assert_int_equal(fake_order(&sandbox), CONTROL_CONTINUE);
    post_to(ids[1], "response", "1");
    fake_next();
    assert_logged("Max Memory Used: 0 MB");
    call_free(&call);
    bury(&sandbox);
}

static void idle_for_long_is_retired(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct fake_sandbox kill = {0};
    settings.freeze_delay_ms = 1;
    settings.idle_life_ms = 10;
    warm_up(&sandbox);
    fake_take_request(&kill);
    assert_int_equal(kill.request.op, LAUNCH_KILL);
    fake_gone(&sandbox);
    assert_int_equal(pool_stats(pool).environments, 0);
}

static void change_lets_running_calls_finish(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct fake_sandbox second = {0};
    struct fake_sandbox kill = {0};
    struct fake_function changed;
    fake_function_init(&changed, S("f"));
    changed.fn.generation = changed.fn.run_generation = 2;
    warm_up(&sandbox);
    struct call call;
    call_init(&call, 1, "{}");
    pool_invoke(pool, &call.inv);
    pool_function_changed(pool, &f.fn, &changed.fn);
    assert_false(fake_launcher_has_request());
    post_to(ids[1], "response", "\"old\"");
    assert_int_equal(call.done, 1);
    assert_text(&call.inv.payload, "\"old\"");
    call_free(&call);
    fake_next();
    fake_take_request(&kill);
    assert_int_equal(kill.request.op, LAUNCH_KILL);
    fake_gone(&sandbox);

    call_init(&call, 2, "{}");
    call.inv.fn = &changed.fn;
    pool_invoke(pool, &call.inv);
    spawn(&second);
    fake_next();
    post_to(ids[2], "response", "\"new\"");
    assert_int_equal(call.done, 1);
    call_free(&call);
    assert_int_equal(pool_stats(pool).started_total, 2);
    pool_function_changed(pool, &changed.fn, NULL); /* busy still: it has not asked again */
    fake_next();
    fake_take_request(&kill);
    fake_gone(&second);
    assert_int_equal(changed.fn.refs, 0);
    assert_int_equal(f.fn.refs, 0);
}

static void parallel_calls_get_environments_of_their_own(void **state)
{
    struct fake_sandbox sandboxes[2] = {0};
    struct call calls[3];
    settings.starts_at_once = 1;
    for (int i = 0; i < 3; i++) {
        call_init(&calls[i], i, "{}");
        pool_invoke(pool, &calls[i].inv);
    }
    spawn(&sandboxes[0]);
    assert_false(fake_launcher_has_request()); /* the others wait in line */
    assert_int_equal(fake_next()->status, 200);
    spawn(&sandboxes[1]); /* as soon as the first has started */
    assert_int_equal(fake_next()->status, 200);
    post_to(ids[1], "response", "1");
    assert_int_equal(calls[1].done, 1);
    assert_int_equal(fake_next()->status, 200); /* takes the third, which no start is needed for */
    post_to(ids[2], "response", "1");
    assert_int_equal(calls[2].done, 1);
    assert_int_equal(calls[0].done, 0);
    assert_int_equal(pool_stats(pool).busy, 2);
    for (int i = 1; i < 3; i++)
        call_free(&calls[i]);
    pool_function_changed(pool, &f.fn, NULL);
    fake_gone(&sandboxes[0]);
    assert_int_equal(calls[0].done, 1);
    call_free(&calls[0]);
    fake_gone(&sandboxes[1]);
}

static void closing_answers_everybody(void **state)
{
    struct fake_sandbox sandbox = {0};
    struct call calls[2];
    settings.starts_at_once = 1;
    call_init(&calls[0], 0, "{}");
    call_init(&calls[1], 1, "{}");
    pool_invoke(pool, &calls[0].inv);
    spawn(&sandbox);
    fake_next();
    pool_invoke(pool, &calls[1].inv);
    pool_free(STEAL(pool));
    assert_int_equal(calls[0].done, 1);
    assert_int_equal(calls[1].done, 1);
    assert_int_equal(calls[1].inv.refused.fault, FAULT_INTERNAL);
    call_free(&calls[0]);
    call_free(&calls[1]);
    close(sandbox.control);
    close(sandbox.freeze);
    close(sandbox.peak);
    close(sandbox.oom);
    close(sandbox.output);
    close(sandbox.frames);
}

/* ---- unpacking ---- */

struct unpacked {
    int done;
    struct err err;
};

static void on_unpacked(void *arg, const struct err *err)
{
    struct unpacked *unpacked = arg;
    unpacked->done++;
    if (err)
        unpacked->err = *err;
}

static void unpack(char letter, struct unpacked *out)
{
    char digest[FUNCTION_DIGEST_LEN + 1] = {0};
    memset(digest, letter, FUNCTION_DIGEST_LEN);
    *out = (struct unpacked){0};
    const struct pool_zip zip = {S("111122223333"), digest, dup(fake_launcher)};
    pool_unpack(pool, &zip, on_unpacked, out);
}

/* The digests that it unpacks, a letter each. */
static void assert_unpacks(const struct fake_sandbox *sandbox, const char *letters)
{
    const struct sandbox_spec *spec = &sandbox->request.spec;
    const char *at = spec->strings;
    assert_int_equal(spec->kind, LAUNCH_UNPACK);
    assert_string_equal(spec->code, "");
    assert_int_equal(spec->argc, strlen(letters) + 1);
    for (size_t i = 0; letters[i]; i++) {
        at += strlen(at) + 1;
        assert_int_equal(strlen(at), LAUNCH_DIGEST_LEN);
        assert_int_equal(*at, letters[i]);
    }
}

static void unpack_begins(struct fake_sandbox *sandbox, const char *letters)
{
    *sandbox = (struct fake_sandbox){0};
    fake_take_request(sandbox);
    assert_unpacks(sandbox, letters);
    fake_spawned(sandbox, HAVE_OOM);
    assert_int_equal(fake_order(sandbox), CONTROL_START);
    fake_event(sandbox, CONTROL_STARTED, 1, 0);
}

static void unpack_ends(struct fake_sandbox *sandbox, int status)
{
    fake_event(sandbox, CONTROL_EXITED, 1, status << 8);
    assert_false(fake_launcher_has_request()); /* a kill would undo it */
    sandbox->exit_status = status;
    fake_gone(sandbox);
}

static void unpack_once(int status, struct unpacked *out)
{
    struct fake_sandbox sandbox;
    unpack('b', out);
    unpack_begins(&sandbox, "b");
    assert_int_equal(out->done, 0); /* not before nobody can write to it any more */
    unpack_ends(&sandbox, status);
    assert_int_equal(out->done, 1);
}

static void unpacking_says_what_was_wrong(void **state)
{
    struct unpacked unpacked;
    unpack_once(0, &unpacked);
    assert_int_equal(unpacked.err.fault, FAULT_NONE);
    unpack_once(UNPACK_BAD_ZIP, &unpacked);
    assert_int_equal(unpacked.err.fault, FAULT_INVALID);
    assert_true(slice_starts(slice_str(unpacked.err.msg), S("Could not unzip uploaded file.")));
    unpack_once(UNPACK_TOO_LARGE, &unpacked);
    assert_int_equal(unpacked.err.fault, FAULT_LIMIT);
    assert_string_equal(unpacked.err.msg, "Unzipped size must be smaller than 262144000 bytes");
}

/* The kernel writes to the eventfd when the cgroup goes, too: the launcher knows how it was. */
static void memory_event_is_no_verdict_on_a_zip(void **state)
{
    const uint64_t one = 1;
    for (uint32_t kills = 0; kills < 2; kills++) {
        struct fake_sandbox sandbox;
        struct unpacked unpacked;
        unpack('b', &unpacked);
        unpack_begins(&sandbox, "b");
        assert_int_equal(write(sandbox.oom, &one, sizeof one), sizeof one);
        fake_turns(3);
        assert_int_equal(unpacked.done, 0);
        sandbox.oom_kills = kills;
        fake_gone(&sandbox);
        assert_int_equal(unpacked.done, 1);
        assert_int_equal(unpacked.err.fault, kills ? FAULT_INVALID : FAULT_NONE);
    }
}

/* Two sandboxes are under way, what comes meanwhile shares the next; a bad one spoils nothing for
 * the others. The same zip twice is no reason for two. */
static void zips_of_one_owner_share_a_sandbox(void **state)
{
    struct unpacked out[5];
    struct fake_sandbox sandbox[3];
    unpack('1', &out[0]);
    unpack('2', &out[1]);
    unpack('3', &out[2]);
    unpack('4', &out[3]);
    unpack('3', &out[4]);
    unpack_begins(&sandbox[0], "1");
    unpack_begins(&sandbox[1], "2");
    assert_false(fake_launcher_has_request());
    sandbox[0].exit_status = 0;
    fake_gone(&sandbox[0]);
    assert_int_equal(out[0].done, 1);
    unpack_begins(&sandbox[2], "34");
    sandbox[1].exit_status = 0;
    fake_gone(&sandbox[1]);
    unpack_begins(&sandbox[0], "3");
    sandbox[2].exit_status = UNPACK_BAD_ZIP;
    fake_gone(&sandbox[2]);
    assert_int_equal(out[2].done + out[3].done, 0);
    unpack_begins(&sandbox[1], "3");
    unpack_begins(&sandbox[2], "4");
    unpack_ends(&sandbox[0], 0);
    unpack_ends(&sandbox[1], 0);
    unpack_ends(&sandbox[2], UNPACK_BAD_ZIP);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(out[i].done, 1);
        assert_int_equal(out[i].err.fault, i == 3 ? FAULT_INVALID : FAULT_NONE);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(cold_then_warm),
        CASE(environment_variables_are_lambdas),
        CASE(refused_sandbox_refuses_one_call),
        CASE(handler_error_is_passed_on),
        CASE(crash_is_reported_and_the_sandbox_kept),
        CASE(signals_and_silent_exits_have_names),
        CASE(crash_after_the_answer_leaves_it_standing),
        CASE(death_while_idle_is_mended_at_the_next_event),
        CASE(one_that_died_while_idle_is_idle_once),
        CASE(out_of_memory_ends_the_whole_environment),
        CASE(sandbox_lost_while_busy),
        CASE(timeout_kills_and_keeps_the_sandbox),
        CASE(failed_init_runs_twice),
        CASE(init_timeout_leads_to_a_second_init),
        CASE(second_init_runs_under_the_functions_timeout),
        CASE(missing_bootstrap_has_lambdas_words),
        CASE(unusable_bootstrap_has_gos_words),
        CASE(oversize_response_keeps_the_environment),
        CASE(idle_is_frozen_and_thawed_before_the_event),
        CASE(freezing_without_cgroups_is_a_stop),
        CASE(idle_for_long_is_retired),
        CASE(change_lets_running_calls_finish),
        CASE(parallel_calls_get_environments_of_their_own),
        CASE(closing_answers_everybody),
        CASE(unpacking_says_what_was_wrong),
        CASE(memory_event_is_no_verdict_on_a_zip),
        CASE(zips_of_one_owner_share_a_sandbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
