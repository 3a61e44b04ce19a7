#include "../test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "loop.h"
#include "store/log_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <utime.h>

#define ACCOUNT S("000000000000")
#define REGION S("us-east-1")
#define GROUP S("/aws/lambda/f")

static char dir[64];
static uv_loop_t loop;
static struct log_store *store;
static struct log_limits limits;
static struct arena *arena;

static void begin(void)
{
    struct err err;
    store = log_store_open(&loop, dir, &limits, &err);
    assert_non_null(store);
}

static int setup(void **state)
{
    make_scratch(dir);
    uv_loop_init(&loop);
    limits = log_limits_default;
    arena = arena_new();
    begin();
    return 0;
}

static int teardown(void **state)
{
    log_store_close(store);
    drain(&loop);
    arena_free(arena);
    remove_tree(dir);
    return 0;
}

struct answer {
    bool called;
    struct log_page page;
    const struct log_name *names;
    size_t count;
    struct err err;
};

static void on_read(void *arg, const struct log_page *page, const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    if (page)
        answer->page = *page;
    if (err)
        answer->err = *err;
}

static void on_names(void *arg, const struct log_name *names, size_t count, const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    answer->names = names;
    answer->count = count;
    if (err)
        answer->err = *err;
}

static void on_deleted(void *arg, const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    if (err)
        answer->err = *err;
}

static struct log_query query(struct slice group)
{
    return (struct log_query){.account = ACCOUNT,
                              .region = REGION,
                              .group = group,
                              .max_events = 10000,
                              .max_bytes = 1 << 20};
}

static struct answer ask(struct log_query q)
{
    struct answer answer = {0};
    log_read(store, arena, &q, on_read, &answer);
    run_until(&loop, &answer.called);
    return answer;
}

static struct answer names(struct slice group)
{
    struct answer answer = {0};
    log_names(store, arena, ACCOUNT, REGION, group, on_names, &answer);
    run_until(&loop, &answer.called);
    return answer;
}

static struct log_stream *open_stream(struct slice name)
{
    return log_stream_open(store, ACCOUNT, REGION, GROUP, name);
}

static void test_read_what_was_written(void **state)
{
    struct log_stream *a = open_stream(S("2026/01/01/[$LATEST]a"));
    struct log_stream *b = open_stream(S("b"));
    log_append(a, 1000, S("one\n"));
    log_append(b, 2000, S("two\n"));
    log_append(a, 3000, S("three"));
    struct answer answer = ask(query(GROUP));
    assert_int_equal(answer.page.count, 3);
    assert_false(answer.page.more);
    assert_true(slice_eq(answer.page.events[1].message, S("two\n")));
    assert_true(slice_eq(answer.page.events[1].stream, S("b")));
    assert_int_equal(answer.page.events[2].timestamp, 3000);

    struct log_query q = query(GROUP);
    q.stream = S("2026/01/01/[$LATEST]a");
    q.start_ms = 1001;
    answer = ask(q);
    assert_int_equal(answer.page.count, 1);
    assert_true(slice_eq(answer.page.events[0].message, S("three")));
    q.start_ms = 0;
    q.end_ms = 3000;
    assert_int_equal(ask(q).page.count, 1);
    q = query(GROUP);
    q.stream = S("nobody");
    assert_string_equal(ask(q).err.msg, "stream");
    assert_string_equal(ask(query(S("/none"))).err.msg, "group");

    answer = names((struct slice){NULL, 0});
    assert_int_equal(answer.count, 1);
    assert_true(slice_eq(answer.names[0].name, GROUP));
    answer = names(GROUP);
    assert_int_equal(answer.count, 2);
    assert_true(slice_eq(answer.names[1].name, S("b")));
    assert_int_equal(answer.names[0].first_ms, 1000);
    assert_int_equal(answer.names[0].last_ms, 3000);
    log_stream_close(a);
    log_stream_close(b);
}

static void test_pages(void **state)
{
    struct log_stream *s = open_stream(S("s"));
    for (unsigned i = 0; i < 25; i++) {
        char text[20];
        int n = snprintf(text, sizeof text, "%u", i);
        log_append(s, i, (struct slice){text, (size_t)n});
    }
    log_stream_close(s);
    struct log_query q = query(GROUP);
    q.max_events = 10;
    struct answer answer = ask(q);
    assert_int_equal(answer.page.count, 10);
    assert_true(answer.page.more);
    q.after = answer.page.next;
    answer = ask(q);
    assert_true(slice_eq(answer.page.events[0].message, S("10")));
    q.after = answer.page.next;
    answer = ask(q);
    assert_int_equal(answer.page.count, 5);
    assert_false(answer.page.more);
    q.after = answer.page.next;
    answer = ask(q);
    assert_int_equal(answer.page.count, 0);
    assert_true(answer.page.next == q.after);

    q = query(GROUP);
    q.max_events = 10;
    q.newest_first = true;
    answer = ask(q);
    assert_true(slice_eq(answer.page.events[0].message, S("15")));
    assert_true(slice_eq(answer.page.events[9].message, S("24")));
    q.after = answer.page.first;
    answer = ask(q);
    assert_true(slice_eq(answer.page.events[0].message, S("5")));
    q.max_bytes = 4;
    answer = ask(q);
    assert_int_equal(answer.page.count, 2);
}

static void test_survives_restart_and_torn_tail(void **state)
{
    struct log_stream *s = open_stream(S("s"));
    log_append(s, 1, S("first"));
    log_stream_close(s);
    log_store_close(store);
    char path[200];
    snprintf(path, sizeof path, "%s/000000000000/us-east-1/%%2faws%%2flambda%%2ff/00000001.log",
             dir);
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "half a record, torn by a kill", 29), 29);
    close(fd);
    begin();
    assert_int_equal(ask(query(GROUP)).page.count, 1);
    s = open_stream(S("t"));
    log_append(s, 2, S("second"));
    log_stream_close(s);
    s = open_stream(S("s"));
    log_append(s, 3, S("third"));
    log_stream_close(s);
    struct answer answer = ask(query(GROUP));
    assert_int_equal(answer.page.count, 3);
    assert_true(slice_eq(answer.page.events[1].stream, S("t")));
    assert_true(slice_eq(answer.page.events[2].stream, S("s")));
}

static uint64_t bytes_on_disk(void)
{
    return names((struct slice){NULL, 0}).names[0].bytes;
}

/* A flood of 64 MB against a group of 1 MB: bounded on disk and in memory, nobody waits, and the
 * drops are told. */
static void test_flood(void **state)
{
    log_store_close(store);
    limits.group_bytes = 1 << 20;
    limits.segment_bytes = 128 << 10;
    limits.pending_bytes = 1 << 20;
    begin();
    static char line[1000];
    memset(line, 'x', sizeof line);
    struct log_stream *s = open_stream(S("flood"));
    for (unsigned i = 0; i < 65536; i++) {
        log_append(s, i, (struct slice){line, sizeof line});
        if (i % 100 == 0)
            uv_run(&loop, UV_RUN_NOWAIT);
    }
    log_append(s, 70000, S("last"));
    assert_true(bytes_on_disk() <= limits.group_bytes);
    assert_true(bytes_on_disk() > limits.group_bytes / 2);
    uv_run(&loop, UV_RUN_DEFAULT); /* the drops are told in a batch of their own */
    log_append(s, 80000, S("after"));
    log_stream_close(s);
    struct log_query q = query(GROUP);
    q.max_events = 2;
    q.newest_first = true;
    struct answer answer = ask(q);
    assert_true(slice_eq(answer.page.events[1].message, S("after")));
}

static void test_drops_are_told(void **state)
{
    log_store_close(store);
    limits.pending_bytes = 4096;
    begin();
    struct log_stream *s = open_stream(S("s"));
    static char line[1000];
    for (unsigned i = 0; i < 100; i++)
        log_append(s, i, (struct slice){line, sizeof line});
    log_stream_close(s);
    uv_run(&loop, UV_RUN_DEFAULT);
    struct answer answer = ask(query(GROUP));
    assert_int_equal(answer.page.count, 4);
    assert_true(slice_starts(answer.page.events[3].message,
                             S("lambkin: 97 events with 97000 bytes were dropped")));
}

static void test_long_events_are_split(void **state)
{
    log_store_close(store);
    limits.event_max = 10;
    begin();
    struct log_stream *s = open_stream(S("s"));
    log_append(s, 1, S("0123456789abc"));
    log_append(s, 1, S("012345678\xc3\xbc"));
    log_stream_close(s);
    struct answer answer = ask(query(GROUP));
    assert_int_equal(answer.page.count, 4);
    assert_true(slice_eq(answer.page.events[1].message, S("abc")));
    assert_true(slice_eq(answer.page.events[3].message, S("\xc3\xbc")));
}

static void test_hostile_names(void **state)
{
    static const char *const hostile[] = {
        "../../evil", "/../../../etc/cron.d/x", ".", "..", "/", "a/../b", "%2e%2e", "~", "", "a~b"};
    char longest[512];
    memset(longest, '/', sizeof longest);
    for (size_t i = 0; i < COUNT_OF(hostile) + 1; i++) {
        struct slice name =
            i < COUNT_OF(hostile) ? slice_str(hostile[i]) : (struct slice){longest, sizeof longest};
        struct log_stream *s = log_stream_open(store, S(".."), S("/"), name, S("../x"));
        log_append(s, i, name);
        log_stream_close(s);
    }
    for (size_t i = 0; i < COUNT_OF(hostile) + 1; i++) {
        struct log_query q = query(i < COUNT_OF(hostile) ? slice_str(hostile[i])
                                                         : (struct slice){longest, sizeof longest});
        q.account = S("..");
        q.region = S("/");
        struct answer answer = ask(q);
        assert_int_equal(answer.page.count, 1);
        assert_true(slice_eq(answer.page.events[0].message, q.group));
    }
    DIR *d = opendir(dir);
    unsigned entries = 0;
    while (readdir(d))
        entries++;
    closedir(d);
    assert_int_equal(entries, 3); /* one account, "." and ".." */
}

static void test_delete(void **state)
{
    struct answer answer = {0};
    struct log_stream *s = open_stream(S("s"));
    log_append(s, 1, S("old"));
    log_group_delete(store, ACCOUNT, REGION, GROUP, on_deleted, &answer);
    run_until(&loop, &answer.called);
    assert_int_equal(answer.err.fault, FAULT_NONE);
    assert_string_equal(ask(query(GROUP)).err.msg, "group");
    assert_int_equal(names((struct slice){NULL, 0}).count, 0);
    answer.called = false;
    log_group_delete(store, ACCOUNT, REGION, GROUP, on_deleted, &answer);
    run_until(&loop, &answer.called);
    assert_int_equal(answer.err.fault, FAULT_NOT_FOUND);
    log_append(s, 2, S("new"));
    log_stream_close(s);
    struct answer again = ask(query(GROUP));
    assert_int_equal(again.page.count, 1);
    assert_true(slice_eq(again.page.events[0].message, S("new")));
}

static void test_retention(void **state)
{
    char path[200];
    const struct utimbuf old = {1000, 1000};
    struct log_stream *s = open_stream(S("s"));
    log_append(s, 1, S("old"));
    log_stream_close(s);
    log_store_close(store);
    snprintf(path, sizeof path, "%s/000000000000/us-east-1/%%2faws%%2flambda%%2ff/00000001.log",
             dir);
    assert_int_equal(utime(path, &old), 0);
    limits.retention_days = 1;
    begin();
    s = log_stream_open(store, ACCOUNT, REGION, S("other"), S("s"));
    log_append(s, 1, S("x"));
    log_stream_close(s);
    assert_int_equal(ask(query(S("other"))).page.count, 1);
    assert_int_equal(ask(query(GROUP)).page.count, 0);
}

static void test_full_disk(void **state)
{
    struct rlimit old;
    struct rlimit tight = {100, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight.rlim_max = old.rlim_max;
    struct log_stream *s = open_stream(S("s"));
    log_append(s, 1, S("before"));
    assert_int_equal(ask(query(GROUP)).page.count, 1);
    must(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    log_append(s, 2, S("this one is too long for what is left of the disk, so it is lost"));
    assert_int_equal(ask(query(GROUP)).page.count, 1);
    must(setrlimit(RLIMIT_FSIZE, &old) == 0);
    log_append(s, 3, S("after"));
    log_stream_close(s);
    struct answer answer = ask(query(GROUP));
    assert_int_equal(answer.page.count, 2);
    assert_true(slice_eq(answer.page.events[1].message, S("after")));
}

/* After a restart the last segment cannot be opened, as after a restore by somebody else. */
static void test_segment_that_does_not_open(void **state)
{
    char pattern[128];
    char away[300];
    char said[4096] = "";
    glob_t found;
    struct log_stream *s = open_stream(S("s"));
    log_append(s, 1, S("before"));
    assert_int_equal(ask(query(GROUP)).page.count, 1);
    log_stream_close(s);
    log_store_close(store);
    snprintf(pattern, sizeof pattern, "%s/*/*/*/00000001.log", dir);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    const char *segment = found.gl_pathv[0];
    snprintf(away, sizeof away, "%s.away", segment);
    assert_int_equal(rename(segment, away), 0);
    assert_int_equal(mkdir(segment, 0700), 0);

    int stderr_before = dup(STDERR_FILENO);
    int words = memfd_create("words", MFD_CLOEXEC);
    dup2(words, STDERR_FILENO);
    begin();
    s = open_stream(S("s"));
    log_append(s, 2, S("lost"));
    ask(query(GROUP));
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    assert_true(pread(words, said, sizeof said - 1, 0) > 0);
    close(words);
    assert_non_null(strstr(said, "logs.write"));
    assert_non_null(strstr(said, "lost=1"));

    assert_int_equal(rmdir(segment), 0);
    assert_int_equal(rename(away, segment), 0);
    globfree(&found);
    log_append(s, 3, S("after"));
    log_stream_close(s);
    struct answer answer = ask(query(GROUP));
    assert_int_equal(answer.page.count, 2);
    assert_true(slice_eq(answer.page.events[1].message, S("after")));
}

static void test_many_groups(void **state)
{
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 200; i++) {
            char name[20];
            snprintf(name, sizeof name, "g%u", i);
            struct log_stream *s = log_stream_open(store, ACCOUNT, REGION, slice_str(name), S("s"));
            log_append(s, round, S("x"));
            log_stream_close(s);
        }
        assert_int_equal(names((struct slice){NULL, 0}).count, 200);
    }
    assert_int_equal(ask(query(S("g7"))).page.count, 2);
    DIR *d = opendir("/proc/self/fd");
    unsigned open_files = 0;
    while (readdir(d))
        open_files++;
    closedir(d);
    assert_true(open_files < 200);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_read_what_was_written),
        TEST(test_pages),
        TEST(test_survives_restart_and_torn_tail),
        TEST(test_flood),
        TEST(test_drops_are_told),
        TEST(test_long_events_are_split),
        TEST(test_hostile_names),
        TEST(test_delete),
        TEST(test_retention),
        TEST(test_full_disk),
        TEST(test_segment_that_does_not_open),
        TEST(test_many_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
