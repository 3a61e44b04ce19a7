#include "../test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "loop.h"
#include "store/log_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define ACCOUNT S("000000000000")
#define REGION S("us-east-1")
#define GROUP S("/aws/lambda/f")

static char dir[64];
static uv_loop_t loop;
static struct log_store *store;
static struct log_limits limits;
static struct arena *arena;
static uint64_t disk_bytes;

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
    const struct log_group_info *groups;
    struct log_stream_info *streams;
    size_t count;
    bool more;
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

static void on_groups(void *arg, const struct log_group_info *groups, size_t count, bool more,
                      const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    answer->groups = groups;
    answer->count = count;
    answer->more = more;
    if (err)
        answer->err = *err;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct log_stream_info *)a)->name,
                     ((const struct log_stream_info *)b)->name);
}

static void on_streams(void *arg, struct log_stream_info *streams, size_t count,
                       const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    answer->streams = streams;
    answer->count = count;
    if (count)
        qsort(streams, count, sizeof *streams, by_name);
    if (err)
        answer->err = *err;
}

static void on_done(void *arg, const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    if (err)
        answer->err = *err;
}

static void on_put(void *arg, size_t expired, const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    answer->count = expired;
    if (err)
        answer->err = *err;
}

static struct log_where at(struct slice group)
{
    return (struct log_where){ACCOUNT, REGION, group};
}

static struct log_query query(struct slice group)
{
    return (struct log_query){.where = at(group), .max_events = 10000, .max_bytes = 1 << 20};
}

static struct answer ask(struct log_query q)
{
    struct answer answer = {0};
    log_read(store, arena, &q, on_read, &answer);
    run_until(&loop, &answer.called);
    return answer;
}

static struct answer groups_behind(struct slice after, size_t limit)
{
    const struct slice none = {NULL, 0};
    const struct log_groups_query q = {.where = at(none), .after = after, .limit = limit};
    struct answer answer = {0};
    log_groups(store, arena, &q, on_groups, &answer);
    run_until(&loop, &answer.called);
    return answer;
}

static struct answer groups(void)
{
    return groups_behind((struct slice){NULL, 0}, 1000);
}

static struct answer streams(struct slice group)
{
    const struct log_where where = at(group);
    struct answer answer = {0};
    log_streams(store, arena, &where, on_streams, &answer);
    run_until(&loop, &answer.called);
    return answer;
}

static enum fault make_group(struct slice name, struct slice settings)
{
    const struct log_where where = at(name);
    struct answer answer = {0};
    log_group_make(store, &where, settings, on_done, &answer);
    run_until(&loop, &answer.called);
    return answer.err.fault;
}

static enum fault delete_group(struct slice name)
{
    const struct log_where where = at(name);
    struct answer answer = {0};
    log_group_delete(store, &where, on_done, &answer);
    run_until(&loop, &answer.called);
    return answer.err.fault;
}

static enum fault make_stream(struct slice name)
{
    const struct log_where where = at(GROUP);
    struct answer answer = {0};
    log_stream_create(store, &where, name, on_done, &answer);
    run_until(&loop, &answer.called);
    return answer.err.fault;
}

static enum fault delete_stream(struct slice name)
{
    const struct log_where where = at(GROUP);
    struct answer answer = {0};
    log_stream_delete(store, &where, name, on_done, &answer);
    run_until(&loop, &answer.called);
    return answer.err.fault;
}

static bool retain(void *arg, struct arena *in, struct log_group_info *info, struct err *err)
{
    info->retention_days = 1;
    info->settings = arena_printf(in, "%.*s, changed", FMT(info->settings));
    return true;
}

static bool refuse(void *arg, struct arena *in, struct log_group_info *info, struct err *err)
{
    info->retention_days = 1000;
    return err_set(err, FAULT_LIMIT, "no");
}

static enum fault set_group(log_group_changer *change)
{
    const struct log_where where = at(GROUP);
    struct answer answer = {0};
    log_group_set(store, arena, &where, change, on_done, &answer);
    run_until(&loop, &answer.called);
    return answer.err.fault;
}

static struct answer put(struct slice stream, const struct log_event *events, size_t n)
{
    const struct log_where where = at(GROUP);
    struct answer answer = {0};
    log_put(store, &where, stream, events, n, on_put, &answer);
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
    struct slice wanted = S("2026/01/01/[$LATEST]a");
    q.streams = &wanted;
    q.stream_count = 1;
    q.start_ms = 1001;
    answer = ask(q);
    assert_int_equal(answer.page.count, 1);
    assert_true(slice_eq(answer.page.events[0].message, S("three")));
    q.start_ms = 0;
    q.end_ms = 3000;
    assert_int_equal(ask(q).page.count, 1);
    wanted = S("nobody");
    assert_string_equal(ask(q).err.msg, "stream");
    assert_string_equal(ask(query(S("/none"))).err.msg, "group");

    answer = groups();
    assert_int_equal(answer.count, 1);
    assert_true(slice_eq(answer.groups[0].name, GROUP));
    assert_int_equal(answer.groups[0].bytes, 13);
    answer = streams(GROUP);
    assert_int_equal(answer.count, 2);
    assert_true(slice_eq(answer.streams[1].name, S("b")));
    assert_int_equal(answer.streams[0].first_ms, 1000);
    assert_int_equal(answer.streams[0].last_ms, 3000);
    assert_string_equal(streams(S("/none")).err.msg, "group");
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
    q.resumed = true;
    q.after = answer.page.next;
    answer = ask(q);
    assert_true(slice_eq(answer.page.events[0].message, S("10")));
    q.resumed = true;
    q.after = answer.page.next;
    answer = ask(q);
    assert_int_equal(answer.page.count, 5);
    assert_false(answer.page.more);
    q.resumed = true;
    q.after = answer.page.next;
    answer = ask(q);
    assert_int_equal(answer.page.count, 0);
    assert_int_equal(answer.page.next.position, q.after.position);

    q = query(GROUP);
    q.max_events = 10;
    q.order = LOG_BY_TIME_BACKWARD;
    answer = ask(q);
    assert_true(slice_eq(answer.page.events[0].message, S("15")));
    assert_true(slice_eq(answer.page.events[9].message, S("24")));
    q.resumed = true;
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

static int add_size(const char *path, const struct stat *st, int type)
{
    disk_bytes += type == FTW_F ? (uint64_t)st->st_size : 0;
    return 0;
}

static uint64_t bytes_on_disk(void)
{
    ask(query(GROUP)); /* all is written */
    disk_bytes = 0;
    ftw(dir, add_size, 8);
    return disk_bytes;
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
    assert_true(bytes_on_disk() <= limits.group_bytes + 1000); /* what is known of the group */
    assert_true(bytes_on_disk() > limits.group_bytes / 2);
    uv_run(&loop, UV_RUN_DEFAULT); /* the drops are told in a batch of their own */
    log_append(s, clock_wall_ms() + 1000, S("after")); /* behind what is told */
    log_stream_close(s);
    struct log_query q = query(GROUP);
    q.max_events = 2;
    q.order = LOG_BY_TIME_BACKWARD;
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
        q.where.account = S("..");
        q.where.region = S("/");
        struct answer answer = ask(q);
        assert_int_equal(answer.page.count, 1);
        assert_true(slice_eq(answer.page.events[0].message, q.where.group));
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
    struct log_stream *s = open_stream(S("s"));
    log_append(s, 1, S("old"));
    assert_int_equal(delete_group(GROUP), FAULT_NONE);
    assert_string_equal(ask(query(GROUP)).err.msg, "group");
    assert_int_equal(groups().count, 0);
    assert_int_equal(delete_group(GROUP), FAULT_NOT_FOUND);
    log_append(s, 2, S("new"));
    log_stream_close(s);
    struct answer again = ask(query(GROUP));
    assert_int_equal(again.page.count, 1);
    assert_true(slice_eq(again.page.events[0].message, S("new")));
}

static void test_made_by_hand(void **state)
{
    assert_int_equal(make_stream(S("early")), FAULT_NOT_FOUND);
    assert_int_equal(make_group(GROUP, S("settings")), FAULT_NONE);
    assert_int_equal(make_group(GROUP, S("others")), FAULT_CONFLICT);
    assert_int_equal(make_group(S("b"), S("")), FAULT_NONE);
    assert_int_equal(make_stream(S("mine")), FAULT_NONE);
    assert_int_equal(make_stream(S("mine")), FAULT_CONFLICT);
    assert_int_equal(set_group(refuse), FAULT_LIMIT);
    assert_int_equal(set_group(retain), FAULT_NONE);
    for (unsigned round = 0; round < 2; round++) {
        struct answer answer = groups();
        assert_int_equal(answer.count, 2);
        assert_true(slice_eq(answer.groups[0].name, GROUP));
        assert_true(slice_eq(answer.groups[0].settings, S("settings, changed")));
        assert_int_equal(answer.groups[0].retention_days, 1);
        assert_int_equal(answer.groups[0].bytes, 0);
        answer = groups_behind((struct slice){NULL, 0}, 1);
        assert_true(answer.more && answer.count == 1);
        answer = groups_behind(answer.groups[0].name, 1);
        assert_true(!answer.more && answer.count == 1 && slice_eq(answer.groups[0].name, S("b")));
        answer = streams(GROUP);
        assert_int_equal(answer.count, 1);
        assert_true(slice_eq(answer.streams[0].name, S("mine")));
        assert_false(answer.streams[0].has_events);
        log_store_close(store);
        begin();
    }
}

static void test_put(void **state)
{
    uint64_t now = clock_wall_ms();
    const struct log_event events[] = {{.timestamp = 1000, .message = S("ancient")},
                                       {.timestamp = now - 1, .message = S("one")},
                                       {.timestamp = now, .message = S("two")}};
    assert_string_equal(put(S("s"), events, 3).err.msg, "group");
    make_group(GROUP, S(""));
    assert_string_equal(put(S("s"), events, 3).err.msg, "stream");
    make_stream(S("s"));
    assert_int_equal(put(S("s"), events, 3).count, 0);
    assert_int_equal(ask(query(GROUP)).page.count, 3);
    set_group(retain);
    assert_int_equal(ask(query(GROUP)).page.count, 2);
    assert_int_equal(put(S("s"), events, 3).count, 1);
    assert_int_equal(ask(query(GROUP)).page.count, 4);
}

static void test_delete_stream(void **state)
{
    struct log_stream *s = open_stream(S("s"));
    struct log_stream *other = open_stream(S("other"));
    assert_int_equal(delete_stream(S("s")), FAULT_NOT_FOUND);
    log_append(s, 1, S("old"));
    log_append(other, 2, S("stays"));
    assert_int_equal(delete_stream(S("s")), FAULT_NONE);
    assert_int_equal(delete_stream(S("s")), FAULT_NOT_FOUND);
    assert_int_equal(streams(GROUP).count, 1);
    assert_int_equal(ask(query(GROUP)).page.count, 1);
    log_append(s, 3, S("new"));
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(streams(GROUP).count, 2);
        assert_int_equal(streams(GROUP).streams[1].first_ms, 3);
        struct answer answer = ask(query(GROUP));
        assert_int_equal(answer.page.count, 2);
        assert_true(slice_eq(answer.page.events[1].message, S("new")));
        if (round)
            break;
        log_stream_close(s);
        log_stream_close(other);
        log_store_close(store);
        begin();
    }
}

/* Events come in any order, over many segments; pages are in the order of time all the same. */
static void test_order_of_time(void **state)
{
    enum { EVENTS = 3000, PAGE = 70 };
    log_store_close(store);
    limits.segment_bytes = 4096;
    begin();
    struct log_stream *s = open_stream(S("s"));
    for (unsigned i = 0; i < EVENTS; i++)
        log_append(s, 1 + (i * 7919) % EVENTS, S("an event"));
    log_stream_close(s);
    struct log_query q = query(GROUP);
    q.max_events = PAGE;
    uint64_t expected = 1;
    struct answer answer;
    do {
        answer = ask(q);
        for (size_t i = 0; i < answer.page.count; i++)
            assert_int_equal(answer.page.events[i].timestamp, expected++);
        q.resumed = true;
        q.after = answer.page.next;
    } while (answer.page.more);
    assert_int_equal(expected, EVENTS + 1);
    q.order = LOG_BY_TIME_BACKWARD;
    do {
        q.after = answer.page.count ? answer.page.first : (struct log_key){UINT64_MAX, UINT64_MAX};
        answer = ask(q);
        if (answer.page.count)
            expected = answer.page.events[0].timestamp;
    } while (answer.page.more);
    assert_int_equal(expected, 1);
    q.order = LOG_BY_ARRIVAL;
    q.after = (struct log_key){0, 0};
    answer = ask(q);
    assert_int_equal(answer.page.events[1].timestamp, 1 + 7919 % EVENTS);
    q.max_events = 10000;
    q.max_bytes = SIZE_MAX;
    q.after = answer.page.next;
    answer = ask(q);
    assert_int_equal(answer.page.count, EVENTS - PAGE);
    q.after = answer.page.next;
    assert_int_equal(ask(q).page.next.position, q.after.position);
}

static void find_segments(glob_t *out)
{
    char pattern[128];
    snprintf(pattern, sizeof pattern, "%s/*/*/*/*.log", dir);
    memset(out, 0, sizeof *out);
    glob(pattern, 0, NULL, out);
}

static void test_retention(void **state)
{
    glob_t segments;
    uint64_t now = clock_wall_ms();
    struct log_stream *s = open_stream(S("s"));
    log_append(s, now - 2 * 86400000, S("old"));
    ask(query(GROUP));
    make_stream(S("made"));
    find_segments(&segments);
    assert_int_equal(segments.gl_pathc, 1);
    globfree(&segments);
    set_group(retain);
    find_segments(&segments);
    assert_int_equal(segments.gl_pathc, 0);
    globfree(&segments);
    assert_int_equal(ask(query(GROUP)).page.count, 0);
    log_append(s, now, S("new"));
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(ask(query(GROUP)).page.count, 1);
        assert_int_equal(streams(GROUP).count, 2);
        if (round)
            break;
        log_stream_close(s);
        log_store_close(store);
        begin();
    }
}

/* The setting, for groups without a retention of their own. */
static void test_retention_of_all(void **state)
{
    log_store_close(store);
    limits.retention_days = 1;
    begin();
    struct log_stream *s = open_stream(S("s"));
    log_append(s, 1, S("old"));
    log_append(s, clock_wall_ms(), S("new"));
    log_stream_close(s);
    assert_int_equal(ask(query(GROUP)).page.count, 1);
}

/* A kill between the steps of making a group, and of deleting it. */
static void test_half_a_group(void **state)
{
    char path[200];
    char renamed[200];
    const char *group = "000000000000/us-east-1/%2faws%2flambda%2ff";
    struct log_stream *s = open_stream(S("s"));
    log_append(s, 1, S("old"));
    log_stream_close(s);
    log_store_close(store);
    snprintf(path, sizeof path, "%s/%s/group", dir, group);
    snprintf(renamed, sizeof renamed, "%s/%s/group.new", dir, group);
    assert_int_equal(rename(path, renamed), 0);
    begin();
    assert_int_equal(groups().count, 0);
    assert_string_equal(ask(query(GROUP)).err.msg, "group");
    s = open_stream(S("s"));
    log_append(s, 2, S("new"));
    log_stream_close(s);
    assert_int_equal(groups().count, 1);
    assert_int_equal(ask(query(GROUP)).page.count, 1);
}

/* The index is an aid: without it, or with a damaged one, the segments say the same. */
static void test_index(void **state)
{
    char path[200];
    log_store_close(store);
    limits.segment_bytes = 4096;
    begin();
    struct log_stream *s = open_stream(S("s"));
    for (unsigned i = 1; i <= 1000; i++)
        log_append(s, i, S("an event"));
    log_stream_close(s);
    snprintf(path, sizeof path, "%s/000000000000/us-east-1/%%2faws%%2flambda%%2ff/index", dir);
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(ask(query(GROUP)).page.count, 1000);
        assert_int_equal(streams(GROUP).streams[0].last_ms, 1000);
        assert_int_equal(groups().groups[0].bytes, 8000);
        log_store_close(store);
        assert_int_equal(round ? unlink(path) : truncate(path, 50), 0);
        if (!round)
            assert_int_equal(access(path, F_OK), 0);
        begin();
        if (round)
            continue;
        s = open_stream(S("s")); /* which saves it again */
        log_append(s, 1, S(""));
        for (unsigned i = 0; i < 200; i++)
            log_append(s, 1, S(""));
        log_stream_close(s);
        assert_int_equal(ask(query(GROUP)).page.count, 1201);
        round = 5;
    }
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
    for (unsigned i = 0; i < 3; i++)
        log_append(s, 2, S("lost"));
    ask(query(GROUP));
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    assert_true(pread(words, said, sizeof said - 1, 0) > 0);
    close(words);
    assert_non_null(strstr(said, "logs.write"));
    assert_non_null(strstr(said, "lost=3"));

    assert_int_equal(rmdir(segment), 0);
    assert_int_equal(rename(away, segment), 0);
    globfree(&found);
    log_append(s, 3, S("after"));
    log_stream_close(s);
    struct answer answer = ask(query(GROUP));
    assert_int_equal(answer.page.count, 2);
    assert_true(slice_eq(answer.page.events[1].message, S("after")));
}

/* Events that are in one write which fails are all counted. */
static void test_lost_events_are_counted(void **state)
{
    char said[4096] = "";
    char expected[20];
    struct rlimit old;
    struct rlimit tight = {400, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight.rlim_max = old.rlim_max;
    struct log_stream *s = open_stream(S("s"));
    log_append(s, 1, S("before"));
    assert_int_equal(ask(query(GROUP)).page.count, 1);
    for (unsigned i = 0; i < 20; i++)
        log_append(s, 2, S("one of many that have no room"));
    int stderr_before = dup(STDERR_FILENO);
    int words = memfd_create("words", MFD_CLOEXEC);
    dup2(words, STDERR_FILENO);
    must(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    size_t left = ask(query(GROUP)).page.count;
    must(setrlimit(RLIMIT_FSIZE, &old) == 0);
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    log_stream_close(s);
    assert_true(left > 1 && left < 21);
    snprintf(expected, sizeof expected, "lost=%zu\n", 21 - left);
    assert_true(pread(words, said, sizeof said - 1, 0) > 0);
    close(words);
    assert_non_null(strstr(said, expected));
}

/* What cannot be put as a whole is not there at all, also where it went over several segments. */
static void test_put_without_room(void **state)
{
    struct rlimit old;
    struct rlimit tight = {6000, RLIM_INFINITY};
    struct log_event events[200];
    log_store_close(store);
    limits.segment_bytes = 4096;
    begin();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight.rlim_max = old.rlim_max;
    static char big[8000];
    for (size_t i = 0; i < COUNT_OF(events); i++)
        events[i] = (struct log_event){.timestamp = clock_wall_ms(), .message = S("an event")};
    events[COUNT_OF(events) - 1].message = (struct slice){big, sizeof big};
    make_group(GROUP, S(""));
    make_stream(S("s"));
    assert_int_equal(put(S("s"), events, 1).err.fault, FAULT_NONE);
    must(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    assert_int_equal(put(S("s"), events, COUNT_OF(events)).err.fault, FAULT_INTERNAL);
    must(setrlimit(RLIMIT_FSIZE, &old) == 0);
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(ask(query(GROUP)).page.count, 1 + round);
        assert_int_equal(put(S("s"), events, 1).err.fault, FAULT_NONE);
    }
    log_store_close(store);
    begin();
    assert_int_equal(ask(query(GROUP)).page.count, 3);
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
        assert_int_equal(groups().count, 200);
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
        TEST(test_made_by_hand),
        TEST(test_put),
        TEST(test_delete_stream),
        TEST(test_order_of_time),
        TEST(test_retention),
        TEST(test_retention_of_all),
        TEST(test_half_a_group),
        TEST(test_index),
        TEST(test_full_disk),
        TEST(test_segment_that_does_not_open),
        TEST(test_lost_events_are_counted),
        TEST(test_put_without_room),
        TEST(test_many_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
