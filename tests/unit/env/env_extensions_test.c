/* The life of an environment with two external extensions: who is started when, whom an init and an
 * invocation wait for, and in which order everything ends. */
#include "test.h"

#include "fake.h"

#include "base/mem.h"
#include "env/settings.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define LAYER "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define CODE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID "11111111-1111-4111-8111-111111111111"

static struct pool *pool;
static struct env_settings settings;
static struct fake_function f;
static struct invocation inv;
static int done;
static char top[64];
static struct fake_sandbox sandbox;
static char ids[3][ID_UUID_LEN + 1]; /* of the extensions 1 and 2 */

static void on_done(struct invocation *of)
{
    done++;
}

static void make(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", top, name);
    bool folder = !strchr(name, '_');
    assert_int_equal(folder ? mkdir(path, 0755) : mknod(path, S_IFREG | 0755, 0), 0);
}

static int setup(void **state)
{
    struct err err;
    snprintf(top, sizeof top, "/tmp/lambkin-env-XXXXXX");
    assert_non_null(mkdtemp(top));
    make("code");
    make("code/" LAYER);
    make("code/" LAYER "/extensions");
    make("code/" LAYER "/extensions/x_1");
    make("code/" LAYER "/extensions/x_2");
    settings = env_settings_default;
    settings.data_dir = top;
    settings.freeze_delay_ms = 60000;
    fake_function_init(&f, S("f"));
    f.fn.made_of = S(CODE " " LAYER);
    pool = pool_new(fake_loop, fake_start(), NULL, &settings, &err);
    assert_non_null(pool);
    sandbox = (struct fake_sandbox){0};
    done = 0;
    inv = (struct invocation){.fn = &f.fn,
                              .invoked_arn = S("arn:x"),
                              .trace_id = S("Root=1"),
                              .event = BUF_INIT(1024),
                              .done = on_done};
    memcpy(inv.request_id, ID, sizeof ID);
    buf_slice(&inv.event, S("{}"));
    return 0;
}

static int teardown(void **state)
{
    char command[100];
    pool_free(pool);
    buf_free(&inv.event);
    buf_free(&inv.payload);
    fake_reset();
    snprintf(command, sizeof command, "rm -r %s", top);
    return system(command); // NOLINT(cert-env33-c): of the test's own folder
}

static void assert_order(enum control_op op, uint32_t process)
{
    struct control_order order = fake_order_whole(&sandbox);
    assert_int_equal(order.op, op);
    assert_int_equal(order.process, process);
}

static void join(uint32_t process, const char *events)
{
    char name[] = {'x', '_', (char)('0' + process), '\0'};
    struct fake_send send = {.method = "POST",
                             .path = "/2020-01-01/extension/register",
                             .body = slice_str(events),
                             .headers = {{S("Lambda-Extension-Name"), slice_str(name)}}};
    struct fake_reply *reply = fake_request(&send);
    assert_int_equal(reply->status, 200);
    struct slice id = fake_header(reply, "Lambda-Extension-Identifier");
    snprintf(ids[process], sizeof ids[process], "%.*s", FMT(id));
}

static struct fake_reply *next_of(uint32_t process)
{
    struct fake_send send = {
        .method = "GET",
        .path = "/2020-01-01/extension/event/next",
        .headers = {{S("Lambda-Extension-Identifier"), slice_str(ids[process])}}};
    return fake_request(&send);
}

static bool has(const struct fake_reply *reply, const char *text)
{
    return reply->answered && memmem(reply->body.p, reply->body.n, text, strlen(text));
}

/* To where the runtime has been started. The second one does not want to hear of the end. */
static void begin(void)
{
    pool_invoke(pool, &inv);
    fake_take_request(&sandbox);
    fake_spawned(&sandbox, HAVE_LISTENER | HAVE_MEMORY_PEAK | HAVE_OOM | HAVE_FREEZE);
    assert_order(CONTROL_EXTENSION, 1);
    assert_order(CONTROL_EXTENSION, 2);
    join(1, "{\"events\":[\"INVOKE\",\"SHUTDOWN\"]}");
    assert_false(fake_has_order(&sandbox));
    join(2, "{\"events\":[\"INVOKE\"]}");
    assert_order(CONTROL_START, 0);
}

static void answer(void)
{
    assert_int_equal(fake_post("/2018-06-01/runtime/invocation/" ID "/response", S("1"))->status,
                     202);
}

static struct fake_reply *waiting[3];

/* One invocation, and all wait again. */
static void run(void)
{
    begin();
    struct fake_reply *runtime = fake_next();
    waiting[1] = next_of(1);
    assert_false(runtime->answered);
    waiting[2] = next_of(2);
    assert_true(runtime->answered);
    assert_true(has(waiting[1], "INVOKE") && has(waiting[2], "INVOKE"));
    answer();
    assert_int_equal(done, 1);
    fake_next();
    for (uint32_t i = 1; i <= 2; i++)
        waiting[i] = next_of(i);
}

static void bury(void)
{
    struct fake_sandbox kill = {0};
    fake_take_request(&kill);
    assert_int_equal(kill.request.op, LAUNCH_KILL);
    fake_gone(&sandbox);
}

static void init_and_invocation_wait_for_all(void **state)
{
    begin();
    struct fake_reply *runtime = fake_next();
    next_of(1);
    assert_false(runtime->answered);
    next_of(2);
    assert_true(has(runtime, "{}"));
    answer();
    assert_int_equal(done, 1);
    fake_next();
    next_of(1);
    assert_int_equal(pool_stats(pool).busy, 1);
    next_of(2);
    assert_int_equal(pool_stats(pool).busy, 0);
}

static void the_end_has_an_order(void **state)
{
    run();
    pool_function_changed(pool, &f.fn, NULL);
    assert_order(CONTROL_TERM, 0);
    assert_false(waiting[1]->answered);
    fake_event_of(&sandbox, 0, CONTROL_EXITED, 1, 0);
    assert_order(CONTROL_KILL, 2);
    assert_true(has(waiting[1], "\"SHUTDOWN\",\"shutdownReason\":\"spindown\""));
    assert_false(waiting[2]->answered);
    fake_event_of(&sandbox, 2, CONTROL_EXITED, 1, 9);
    assert_false(fake_launcher_has_request());
    fake_event_of(&sandbox, 1, CONTROL_EXITED, 1, 0);
    bury();
}

static void what_does_not_end_is_killed(void **state)
{
    run();
    pool_function_changed(pool, &f.fn, NULL);
    assert_order(CONTROL_TERM, 0);
    assert_order(CONTROL_KILL, 0);
    assert_order(CONTROL_KILL, 2);
    bury();
}

static void a_crash_resets_all(void **state)
{
    begin();
    fake_next();
    next_of(1);
    next_of(2);
    fake_event_of(&sandbox, 1, CONTROL_EXITED, 1, 0);
    assert_int_equal(done, 1);
    const char *want = "{\"errorType\":\"Extension.Crash\",\"errorMessage\":\"RequestId: " ID
                       " Error: exit code 0\"}";
    assert_true(slice_eq(buf_all(&inv.payload), slice_str(want)));
    assert_order(CONTROL_TERM, 0);
    assert_int_equal(fake_post("/2018-06-01/runtime/invocation/" ID "/response", S("1"))->status,
                     403); /* nobody waits for it any more */
    fake_event_of(&sandbox, 0, CONTROL_EXITED, 1, 15);
    assert_order(CONTROL_KILL, 2);
    fake_event_of(&sandbox, 2, CONTROL_EXITED, 1, 9);
    assert_order(CONTROL_KILL_ALL, 0);
    fake_event(&sandbox, CONTROL_CLEARED, 1, 0);
    buf_free(&inv.payload);
    pool_invoke(pool, &inv);
    assert_order(CONTROL_EXTENSION, 1);
    assert_order(CONTROL_EXTENSION, 2);
}

static void a_change_while_it_is_reset_ends_it(void **state)
{
    run();
    fake_event_of(&sandbox, 2, CONTROL_EXITED, 1, 0);
    assert_order(CONTROL_TERM, 0);
    pool_function_changed(pool, &f.fn, NULL);
    fake_event_of(&sandbox, 0, CONTROL_EXITED, 1, 15);
    assert_true(has(waiting[1], "\"failure\""));
    fake_event_of(&sandbox, 1, CONTROL_EXITED, 1, 0);
    bury();
}

static void nobody_is_given_one_that_is_reset(void **state)
{
    struct fake_sandbox other = {0};
    run();
    fake_event_of(&sandbox, 0, CONTROL_EXITED, 1, 1);
    assert_true(has(waiting[1], "\"SHUTDOWN\"")); /* and it takes its time */
    assert_order(CONTROL_KILL, 2);
    buf_free(&inv.payload);
    pool_invoke(pool, &inv);
    fake_take_request(&other);
    assert_int_equal(other.request.op, LAUNCH_SPAWN);
    fake_event_of(&sandbox, 2, CONTROL_EXITED, 1, 9);
    fake_event_of(&sandbox, 1, CONTROL_EXITED, 1, 0);
    assert_order(CONTROL_KILL_ALL, 0);
    fake_event(&sandbox, CONTROL_CLEARED, 1, 0);
    assert_order(CONTROL_EXTENSION, 1); /* free again, and somebody waits */
    fake_refused(&other, ENOMEM, "no");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(init_and_invocation_wait_for_all),   T(the_end_has_an_order),
        T(what_does_not_end_is_killed),        T(a_crash_resets_all),
        T(a_change_while_it_is_reset_ends_it), T(nobody_is_given_one_that_is_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
