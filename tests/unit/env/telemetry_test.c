/* Who is told what: subscribers on socket pairs, events by hand. */
#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "env/telemetry.h"

#include <errno.h>
#include <sys/socket.h>

static uv_loop_t loop;
static struct telemetry *telemetry;
static uint32_t tickets[8]; /* by port - 8000 */
static struct buf got;

static void on_connect(void *arg, uint32_t ticket, uint16_t port)
{
    assert_in_range(port, 8000, 8007);
    tickets[port - 8000] = ticket;
}

static void begin(bool json)
{
    telemetry = telemetry_new(&loop, json, on_connect, NULL);
    telemetry_init_begin(telemetry);
}

static int setup(void **state)
{
    assert_int_equal(uv_loop_init(&loop), 0);
    memset(tickets, 0, sizeof tickets);
    got = (struct buf)BUF_INIT(1 << 20);
    clock_freeze(1, UINT64_C(1709573858033));
    return 0;
}

static int teardown(void **state)
{
    telemetry_free(STEAL(telemetry));
    clock_freeze(0, 0);
    buf_free(&got);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static enum telemetry_answer subscribe(enum subscription_api api, const char *name,
                                       const char *version, const char *types, unsigned port)
{
    AUTO(buf) struct buf faults = BUF_INIT(SUBSCRIPTION_FAULTS_MAX);
    AUTO(buf) struct buf document = BUF_INIT(1024);
    struct subscription out;
    buf_printf(&document,
               "{\"schemaVersion\":\"%s\",\"types\":[%s],\"destination\":{\"protocol\":\"TCP\","
               "\"port\":%u}}",
               version, types, port);
    return telemetry_subscribe(telemetry, api, slice_str(name), buf_all(&document), &out, &faults);
}

/* All that waits for the subscriber at the port. */
static void expect(unsigned port, const char *want)
{
    int ends[2];
    char bytes[4096];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    telemetry_flush(telemetry);
    if (tickets[port - 8000])
        telemetry_connected(telemetry, tickets[port - 8000], ends[0]);
    else
        close(ends[0]);
    tickets[port - 8000] = 0;
    for (int turn = 0; turn < 5; turn++)
        uv_run(&loop, UV_RUN_NOWAIT);
    ssize_t n = recv(ends[1], bytes, sizeof bytes, 0);
    buf_clear(&got);
    buf_add(&got, bytes, n > 0 ? (size_t)n : 0);
    if (!slice_eq(buf_all(&got), slice_str(want)))
        print_error("%.*s\n%s\n", FMT(buf_all(&got)), want);
    assert_true(slice_eq(buf_all(&got), slice_str(want)));
    close(ends[1]);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void line(enum subscription_types type, const char *text)
{
    telemetry_line(telemetry, type, UINT64_C(1709573858033), FRAME_UNSPECIFIED, slice_str(text));
}

static void say(report_writer *writer)
{
    const struct report report = {.request_id = S("id"), .version = S("1"), .runtime = S("r")};
    telemetry_platform(telemetry, writer, &report);
}

#define AT "{\"time\":\"2024-03-04T17:37:38.033Z\",\"type\":"
#define INIT_START                                                                                 \
    AT "\"platform.initStart\",\"record\":{\"initializationType\":\"on-demand\",\"phase\":"        \
       "\"init\",\"runtimeVersion\":\"r\",\"functionVersion\":\"1\",\"instanceMaxMemory\":0}}\n"
#define START AT "\"platform.start\",\"record\":{\"requestId\":\"id\",\"version\":\"1\"}}\n"
#define END_ AT "\"platform.end\",\"record\":{\"requestId\":\"id\"}}\n"
#define LINE(type, text) AT "\"" type "\",\"record\":\"" text "\"}\n"

static void the_init_is_told_to_whoever_subscribes_in_it(void **state)
{
    begin(false);
    say(report_init_start);
    line(TYPE_FUNCTION, "loads\n");
    assert_int_equal(subscribe(API_TELEMETRY, "a", "2022-12-13", "\"platform\",\"function\"", 8001),
                     SUBSCRIBED);
    assert_int_equal(subscribe(API_LOGS, "b", "2020-08-15", "\"platform\",\"function\"", 8002),
                     SUBSCRIBED);
    line(TYPE_FUNCTION, "done\n");
    expect(8001, INIT_START LINE("function", "loads\\n") LINE("function", "done\\n"));
    expect(8002, LINE("function", "loads\\n") LINE("function", "done\\n"));
    telemetry_init_end(telemetry);
    assert_int_equal(subscribe(API_TELEMETRY, "c", "2022-12-13", "\"platform\"", 8003),
                     SUBSCRIPTION_CLOSED);
}

static void each_gets_the_types_and_the_form_that_it_wants(void **state)
{
    begin(false);
    subscribe(API_TELEMETRY, "a", "2022-12-13", "\"platform\"", 8001);
    subscribe(API_LOGS, "b", "2020-08-15", "\"platform\",\"extension\"", 8002);
    subscribe(API_LOGS, "c", "2021-03-18", "\"extension\"", 8003);
    telemetry_init_end(telemetry);
    say(report_start);
    line(TYPE_FUNCTION, "f");
    line(TYPE_EXTENSION, "e");
    say(report_end);
    expect(8001, START);
    expect(8002, START LINE("extension", "e") END_);
    expect(8003, LINE("extension", "e"));
}

static void bad_documents_change_nothing(void **state)
{
    begin(false);
    assert_int_equal(subscribe(API_TELEMETRY, "a", "2022-12-13", "", 8001), SUBSCRIPTION_INVALID);
    assert_int_equal(subscribe(API_TELEMETRY, "a", "2022-12-13", "\"platform\"", 8001), SUBSCRIBED);
    assert_int_equal(subscribe(API_LOGS, "a", "2020-08-15", "\"platform\"", 8001),
                     SUBSCRIPTION_INVALID); /* one API each */
    assert_int_equal(subscribe(API_TELEMETRY, "a", "2022-12-13", "\"function\"", 8002),
                     SUBSCRIBED_ALREADY);
    telemetry_init_end(telemetry);
    say(report_start);
    line(TYPE_FUNCTION, "f");
    expect(8001, "");
    expect(8002, LINE("function", "f"));
}

static void a_reset_keeps_what_is_subscribed_again(void **state)
{
    begin(false);
    subscribe(API_TELEMETRY, "a", "2022-12-13", "\"function\"", 8001);
    subscribe(API_TELEMETRY, "b", "2022-12-13", "\"function\"", 8002);
    telemetry_init_end(telemetry);
    line(TYPE_FUNCTION, "before");
    telemetry_hang_up(telemetry);
    assert_false(telemetry_flush(telemetry)); /* there is nobody to wait for */
    telemetry_init_begin(telemetry);
    assert_int_equal(subscribe(API_TELEMETRY, "b", "2022-12-13", "\"function\"", 8003),
                     SUBSCRIBED_ALREADY);
    telemetry_init_end(telemetry);
    line(TYPE_FUNCTION, "after");
    expect(8001, "");
    expect(8002, "");
    expect(8003, LINE("function", "before") LINE("function", "after"));
}

/* Internal extensions may have another name in each init. */
static void who_is_gone_makes_room(void **state)
{
    begin(false);
    for (int init = 0; init < 3; init++) {
        for (unsigned i = 0; i < TELEMETRY_SUBSCRIBERS_MAX; i++) {
            char name[] = {(char)('a' + init), (char)('a' + i), '\0'};
            assert_int_equal(subscribe(API_TELEMETRY, name, "2022-12-13", "\"function\"", 8001),
                             SUBSCRIBED);
        }
        telemetry_init_end(telemetry);
        telemetry_hang_up(telemetry);
        telemetry_init_begin(telemetry);
    }
}

static void nothing_is_kept_for_nobody(void **state)
{
    begin(false);
    telemetry_init_end(telemetry);
    line(TYPE_FUNCTION, "f");
    telemetry_init_begin(telemetry);
    subscribe(API_TELEMETRY, "a", "2022-12-13", "\"function\"", 8001);
    expect(8001, "");
    telemetry_connected(NULL, 1, -1);
    telemetry_platform(NULL, report_start, NULL);
    line(TYPE_FUNCTION, "");
    assert_false(telemetry_flush(NULL));
}

/* ---- lines of JSON logs ---- */

static void writes(enum report_form form, bool json, struct slice text, const char *record)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    AUTO(buf) struct buf want = BUF_INIT(4096);
    buf_printf(&want, AT "\"function\",\"record\":%s}", record);
    telemetry_write_line(&out, form, json, TYPE_FUNCTION, UINT64_C(1709573858033), FRAME_WARN,
                         S("id"), text);
    if (!slice_eq(buf_all(&out), buf_all(&want)))
        print_error("%.*s\n", FMT(buf_all(&out)));
    assert_true(slice_eq(buf_all(&out), buf_all(&want)));
}

static void json_lines_are_objects_where_the_schema_has_them(void **state)
{
    writes(REPORT_JSON, true, S("{\"a\":\n\"b\"}\n"), "{\"a\": \"b\"}");
    writes(REPORT_JSON, true, S("plain\n"),
           "{\"timestamp\":\"2024-03-04T17:37:38.033Z\",\"level\":\"WARN\",\"requestId\":\"id\","
           "\"message\":\"plain\"}");
    writes(REPORT_JSON, true, S("{\"a\":\n"),
           "{\"timestamp\":\"2024-03-04T17:37:38.033Z\",\"level\":\"WARN\",\"requestId\":\"id\","
           "\"message\":\"{\\\"a\\\":\"}");
    writes(REPORT_JSON, false, S("{\"a\":1}\n"), "\"{\\\"a\\\":1}\\n\"");
    writes(REPORT_FORM_2022_07, true, S("{\"a\":1}\n"), "\"{\\\"a\\\":1}\\n\"");
    writes(REPORT_FORM_LOGS_2021, true, S("{}"), "\"{}\"");
    writes(REPORT_JSON, false, S("\xff"), "\"\xef\xbf\xbd\"");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_init_is_told_to_whoever_subscribes_in_it),
        CASE(each_gets_the_types_and_the_form_that_it_wants),
        CASE(bad_documents_change_nothing),
        CASE(a_reset_keeps_what_is_subscribed_again),
        CASE(who_is_gone_makes_room),
        CASE(nothing_is_kept_for_nobody),
        CASE(json_lines_are_objects_where_the_schema_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
