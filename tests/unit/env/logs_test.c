/* Log lines, frames, tails and the platform's own lines. */
#include "test.h"

#include "fake.h"

#include "base/clock.h"
#include "base/mem.h"
#include "env/frames.h"
#include "env/logs.h"
#include "env/peek.h"

#include <stdio.h>

static struct fake_function f;
static struct logs *logs;
static int ends[2];

static void open_logs(void)
{
    struct err err;
    int read_ends[2];
    assert_true(logs_make_pipes(read_ends, ends, &err));
    logs = logs_open(NULL, &f.fn);
    logs_attach(logs, fake_loop, read_ends);
    assert_non_null(logs);
}

static int setup(void **state)
{
    close(fake_start());
    fake_function_init(&f, S("f"));
    return 0;
}

static int teardown(void **state)
{
    logs_close(logs);
    close(ends[0]);
    close(ends[1]);
    clock_freeze(0, 0);
    fake_reset();
    return 0;
}

static void put(const char *text)
{
    fake_write(ends[0], slice_str(text));
    fake_turns(2);
}

static void assert_log(size_t events, const char *text)
{
    assert_int_equal(fake_log_events, events);
    assert_int_equal(fake_log.n, strlen(text));
    assert_memory_equal(buf_all(&fake_log).p, text, strlen(text));
}

static void each_line_is_an_event(void **state)
{
    open_logs();
    put("one\ntwo\r\nthr");
    assert_log(2, "one\ntwo\r\n");
    put("ee\n\nfour");
    assert_log(4, "one\ntwo\r\nthree\n\n");
    logs_settle(logs);
    assert_log(5, "one\ntwo\r\nthree\n\nfour");
}

static void long_lines_are_split(void **state)
{
    AUTO(free) char *big = mem_new(60000);
    memset(big, 'x', 60000);
    open_logs();
    for (int i = 0; i < 9; i++) {
        fake_write(ends[0], (struct slice){big, 60000});
        fake_turns(2);
    }
    put("\n");
    assert_int_equal(fake_log.n, 540001);
    assert_int_equal(fake_log_events, 3);
}

static void stream_has_lambdas_name(void **state)
{
    clock_freeze(1, UINT64_C(1709573858033));
    f.logging.LogGroup = S("own");
    f.config.LoggingConfig = &f.logging;
    open_logs();
    assert_true(slice_eq(logs_group(logs), S("own")));
    assert_true(slice_starts(logs_stream(logs), S("2024/03/04/f[$LATEST]")));
    assert_int_equal(logs_stream(logs).n, strlen("2024/03/04/f[$LATEST]") + 32);
}

static void tail_keeps_the_last_4096_bytes(void **state)
{
    struct buf tail;
    char line[101];
    memset(line, 'y', 99);
    line[99] = '\n';
    line[100] = '\0';
    open_logs();
    put("before\n");
    logs_tail_begin(logs);
    logs_system(logs, S("START\n"));
    put("short\n");
    logs_tail_end(logs, &tail);
    assert_true(slice_eq(buf_all(&tail), S("START\nshort\n")));
    buf_free(&tail);

    logs_tail_begin(logs);
    for (int i = 0; i < 200; i++)
        put(line);
    logs_system(logs, S("END\n"));
    put("");
    logs_tail_end(logs, &tail);
    assert_int_equal(tail.n, LOGS_TAIL_MAX);
    assert_true(slice_ends(buf_all(&tail), S("y\nEND\n")));
    buf_free(&tail);
    put("after\n");
    logs_tail_begin(logs);
    logs_tail_end(logs, &tail);
    assert_int_equal(tail.n, 0);
    buf_free(&tail);
}

/* ---- frames ---- */

static size_t frame_bytes(char *to, uint32_t type, const char *message)
{
    uint32_t n = (uint32_t)strlen(message);
    size_t at = 0;
    for (int shift = 24; shift >= 0; shift -= 8)
        to[at++] = (char)(type >> shift);
    for (int shift = 24; shift >= 0; shift -= 8)
        to[at++] = (char)(n >> shift);
    if (type & 2) {
        memset(to + at, 0, 8);
        to[at + 7] = 7;
        at += 8;
    }
    memcpy(to + at, message, n);
    return at + n;
}

static void frames_survive_any_cut(void **state)
{
    char bytes[256];
    size_t n = frame_bytes(bytes, 0xa55a000f, "info\nwith lines");
    n += frame_bytes(bytes + n, 0xa55a0001, "old");
    n += frame_bytes(bytes + n, 0xa55a0016, "{\"json\":1}");
    n += frame_bytes(bytes + n, 0xa55a0003, "");
    n += frame_bytes(bytes + n, 0xa55a001b, "last");
    open_logs();
    for (size_t cut = 1; cut < n; cut++) {
        buf_clear(&fake_log);
        fake_log_events = 0;
        fake_write(ends[1], (struct slice){bytes, cut});
        fake_turns(1);
        fake_write(ends[1], (struct slice){bytes + cut, n - cut});
        fake_turns(1);
        assert_log(4, "info\nwith linesold{\"json\":1}last");
    }
}

static void garbage_between_frames_is_skipped(void **state)
{
    char bytes[256];
    size_t n = 0;
    open_logs();
    memcpy(bytes, "gar\xa5\x5a\x00\xffga\xa5\x5a", 11);
    n = 11;
    n += frame_bytes(bytes + n, 0xa55a0013, "good");
    /* a header whose length no honest writer sends */
    memcpy(bytes + n, "\xa5\x5a\x00\x0f\xff\xff\xff\xff", 8);
    n += 8;
    n += frame_bytes(bytes + n, 0xa55a0013, "again");
    fake_write(ends[1], (struct slice){bytes, n});
    fake_turns(2);
    assert_log(2, "goodagain");
    /* half a frame dies with the process that wrote it */
    size_t half = frame_bytes(bytes, 0xa55a0013, "never finished") - 5;
    fake_write(ends[1], (struct slice){bytes, half});
    logs_new_run(logs);
    n = frame_bytes(bytes, 0xa55a0013, "fresh");
    fake_write(ends[1], (struct slice){bytes, n});
    fake_turns(2);
    assert_log(3, "goodagainfresh");
}

static void levels_filter_json_logs(void **state)
{
    char bytes[256];
    f.logging.LogFormat = S("JSON");
    f.logging.ApplicationLogLevel = S("WARN");
    f.logging.SystemLogLevel = S("WARN");
    f.config.LoggingConfig = &f.logging;
    open_logs();
    put("{\"level\":\"info\",\"x\":1}\n{\"a\":{\"level\":\"error\"},\"level\" : "
        "\"Error\"}\nplain\n");
    assert_log(1, "{\"a\":{\"level\":\"error\"},\"level\" : \"Error\"}\n");
    size_t n = frame_bytes(bytes, 0xa55a000e, "info");
    n += frame_bytes(bytes + n, 0xa55a0012, "warn");
    fake_write(ends[1], (struct slice){bytes, n});
    fake_turns(2);
    assert_int_equal(fake_log_events, 2);
}

static void json_lines_tell_their_time(void **state)
{
    const uint64_t now = UINT64_C(1709573858033); /* 2024-03-04T17:37:38.033Z */
    clock_freeze(1, now);
    f.logging.LogFormat = S("JSON");
    f.config.LoggingConfig = &f.logging;
    open_logs();
    put("{\"timestamp\":\"2024-03-04T17:37:30.5Z\",\"message\":\"m\"}\n");
    assert_int_equal(fake_log_ms, now - 7533);
    put("{\"message\":\"m\",\"timestamp\":\"2024-03-04T18:37:38+01:00\"}\n");
    assert_int_equal(fake_log_ms, now - 33);
    const char *const others[] = {"{\"timestamp\":\"2024-03-04T17:37:39Z\"}\n", /* to come */
                                  "{\"timestamp\":\"2024-03-03T17:37:38Z\"}\n", /* too old */
                                  "{\"timestamp\":1709573850000}\n",
                                  "{\"timestamp\":\"yesterday\"}\n",
                                  "{\"a\":{\"timestamp\":\"2024-03-04T17:37:30Z\"}}\n",
                                  "plain\n"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        fake_log_ms = 0;
        put(others[i]);
        assert_int_equal(fake_log_ms, now);
    }
}

static void text_lines_are_of_now(void **state)
{
    clock_freeze(1, UINT64_C(1709573858033));
    open_logs();
    put("{\"timestamp\":\"2024-03-04T17:37:30Z\"}\n");
    assert_int_equal(fake_log_ms, UINT64_C(1709573858033));
}

static void peeking(void **state)
{
    assert_true(slice_eq(peek_string(S("{\"level\":\"A\"}"), S("level")), S("A")));
    assert_true(slice_eq(peek_string(S("{\"x\":\"level\",\"level\":\"B\"}"), S("level")), S("B")));
    assert_null(peek_string(S("{\"level\":1}"), S("level")).p);
    assert_null(peek_string(S("{\"level"), S("level")).p);
    assert_null(peek_string(S("{\"level\":\"x\\"), S("level")).p);
    assert_null(peek_string(S("[{\"level\":\"x\"}]"), S("level")).p);
}

static void a_flood_is_read_piece_by_piece(void **state)
{
    AUTO(free) char *big = mem_new(65536);
    memset(big, '\n', 65536);
    open_logs();
    fake_write(ends[0], (struct slice){big, 65536});
    uv_run(fake_loop, UV_RUN_NOWAIT);
    assert_true(fake_log_events <= 65536);
    fake_turns(3);
    assert_int_equal(fake_log_events, 65536);
}

/* ---- the platform's lines as JSON ---- */

static void json_records(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(8192);
    struct report_style style = {.form = REPORT_JSON, .floor = REPORT_DEBUG};
    struct report call = {.request_id = S("id"),
                          .version = S("$LATEST"),
                          .memory_mb = 128,
                          .peak_mb = 36,
                          .duration_ns = 3010000,
                          .init_ns = 110100000,
                          .produced = 4};
    struct report init = {.function = S("f"),
                          .version = S("$LATEST"),
                          .runtime = S("python:3.13.v1"),
                          .memory_mb = 128};
    clock_freeze(1, UINT64_C(1709573858033));
    open_logs();
#define TIME "{\"time\":\"2024-03-04T17:37:38.033Z\",\"type\":\"platform."
    report_init_start(&out, &style, &init);
    report_start(&out, &style, &call);
    report_runtime_done(&out, &style, &call);
    report_end(&out, &style, &call);
    report_report(&out, &style, &call);
    const char *want =
        TIME "initStart\",\"record\":{\"initializationType\":\"on-demand\",\"phase\":\"init\","
             "\"runtimeVersion\":\"python:3.13.v1\",\"functionName\":\"f\",\"functionVersion\":"
             "\"$LATEST\",\"instanceMaxMemory\":134217728}}\n" TIME
             "start\",\"record\":{\"requestId\":\"id\",\"version\":\"$LATEST\"}}\n" TIME
             "runtimeDone\",\"record\":{\"requestId\":\"id\",\"status\":\"success\",\"metrics\":{"
             "\"durationMs\":3.01,\"producedBytes\":4}}}\n" TIME
             "report\",\"record\":{\"requestId\":\"id\",\"metrics\":{\"durationMs\":3.01,"
             "\"billedDurationMs\":114,\"memorySizeMB\":128,\"maxMemoryUsedMB\":36,"
             "\"initDurationMs\":110.10},\"status\":\"success\"}}\n";
    assert_true(slice_eq(buf_all(&out), slice_str(want)));
    buf_clear(&out);
    style.floor = REPORT_WARN;
    report_start(&out, &style, &call);
    report_report(&out, &style, &call);
    assert_int_equal(out.n, 0);
    call.status = REPORT_ERROR;
    call.error_type = S("Runtime.ExitError");
    report_report(&out, &style, &call);
    assert_true(slice_ends(buf_all(&out),
                           S(",\"status\":\"error\",\"errorType\":\"Runtime.ExitError\"}}\n")));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_line_is_an_event),          CASE(long_lines_are_split),
        CASE(stream_has_lambdas_name),        CASE(tail_keeps_the_last_4096_bytes),
        CASE(frames_survive_any_cut),         CASE(garbage_between_frames_is_skipped),
        CASE(levels_filter_json_logs),        cmocka_unit_test(peeking),
        CASE(json_lines_tell_their_time),     CASE(text_lines_are_of_now),
        CASE(a_flood_is_read_piece_by_piece), CASE(json_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
