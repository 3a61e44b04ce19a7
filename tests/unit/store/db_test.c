#include "../test.h"

#include "base/mem.h"
#include "loop.h"
#include "store/db.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];

static int setup(void **state)
{
    make_scratch(dir);
    return 0;
}

static int teardown(void **state)
{
    remove_tree(dir);
    return 0;
}

struct answer {
    bool called;
    bool failed;
    struct err err;
};

static void on_done(void *arg, const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    answer->failed = err != NULL;
    if (err)
        answer->err = *err;
}

static bool count_row(void *arg, const struct db_value *columns, size_t count, struct err *err)
{
    *(int64_t *)arg = columns[0].i;
    return true;
}

static int64_t number(struct db *db, const char *sql)
{
    struct err err;
    int64_t n = -1;
    assert_true(db_read(db, sql, count_row, &n, &err));
    return n;
}

static struct db *open_db(uv_loop_t *loop)
{
    struct err err;
    struct db *db = db_open(loop, dir, &err);
    if (!db)
        fail_msg("%s", err.msg);
    assert_true(db_exec(db, "CREATE TABLE IF NOT EXISTS t (k BIGINT PRIMARY KEY, v TEXT)", &err));
    return db;
}

static struct db_write *insert(int64_t key, struct slice value)
{
    struct db_write *write = db_write_new();
    const struct db_value values[] = {DB_INT(key), DB_TEXT(value)};
    db_write_add(write, 1, "INSERT INTO t (k, v) VALUES ($1, $2)", values, COUNT_OF(values));
    return write;
}

static void test_write_and_read(void **state)
{
    uv_loop_t loop;
    static struct answer answers[100];
    uv_loop_init(&loop);
    struct db *db = open_db(&loop);
    for (int i = 0; i < 100; i++)
        db_submit(db, insert(i, S("value")), on_done, &answers[i]);
    for (int i = 0; i < 100; i++) {
        run_until(&loop, &answers[i].called);
        assert_false(answers[i].failed);
    }
    db_close(db);
    drain(&loop);

    uv_loop_init(&loop);
    db = open_db(&loop);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM t WHERE v = 'value'"), 100);
    db_close(db);
    drain(&loop);
}

/* What came before stays; what was submitted before it was told may be made of it, and fails too.
 */
static void test_a_failure_takes_what_follows_with_it(void **state)
{
    uv_loop_t loop;
    struct answer answers[5] = {0};
    uv_loop_init(&loop);
    struct db *db = open_db(&loop);
    db_submit(db, insert(1, S("a")), on_done, &answers[0]);
    struct db_write *twice = insert(2, S("b"));
    const struct db_value values[] = {DB_INT(1), DB_TEXT(S("c"))};
    db_write_add(twice, 1, "INSERT INTO t (k, v) VALUES ($1, $2)", values, COUNT_OF(values));
    db_submit(db, twice, on_done, &answers[1]);
    db_submit(db, insert(7, S("fine by itself")), on_done, &answers[2]);
    run_until(&loop, &answers[2].called);
    assert_false(answers[0].failed);
    assert_true(answers[1].failed);
    assert_true(answers[2].failed);
    struct db_write *nothing = db_write_new();
    db_write_add(nothing, 1, "DELETE FROM t WHERE k = 77", NULL, 0);
    db_submit(db, nothing, on_done, &answers[3]);
    run_until(&loop, &answers[3].called);
    assert_true(answers[3].failed);
    db_submit(db, insert(3, (struct slice){NULL, 0}), on_done, &answers[4]);
    run_until(&loop, &answers[4].called);
    assert_false(answers[4].failed);
    db_close(db);
    drain(&loop);
    uv_loop_init(&loop);
    db = open_db(&loop);
    assert_int_equal(number(db, "SELECT SUM(k) FROM t"), 4);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM t WHERE v IS NULL"), 1);
    db_close(db);
    drain(&loop);
}

static void test_second_daemon_is_refused(void **state)
{
    uv_loop_t loop;
    struct err err;
    uv_loop_init(&loop);
    struct db *db = open_db(&loop);
    assert_null(db_open(&loop, dir, &err));
    assert_int_equal(err.fault, FAULT_CONFLICT);
    assert_non_null(strstr(err.msg, "in use by another daemon"));
    db_close(db);
    drain(&loop);
}

static void test_unusable_folder(void **state)
{
    uv_loop_t loop;
    struct err err;
    uv_loop_init(&loop);
    assert_null(db_open(&loop, "/proc/nothing/here", &err));
    assert_non_null(strstr(err.msg, "/proc/nothing/here"));
    drain(&loop);
}

/* A full disk, played by the limit on file size: the caller hears it, nothing is half-done. */
static void test_full_disk(void **state)
{
    uv_loop_t loop;
    struct answer small = {0};
    struct answer large = {0};
    struct answer after = {0};
    struct rlimit old;
    const struct rlimit tight = {96 * 1024, RLIM_INFINITY};
    static char text[400000];
    memset(text, 'x', sizeof text);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    uv_loop_init(&loop);
    struct db *db = open_db(&loop);
    must(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    db_submit(db, insert(1, S("fits")), on_done, &small);
    db_submit(db, insert(2, (struct slice){text, sizeof text}), on_done, &large);
    run_until(&loop, &small.called);
    run_until(&loop, &large.called);
    assert_false(small.failed);
    assert_true(large.failed);
    must(setrlimit(RLIMIT_FSIZE, &old) == 0);
    db_submit(db, insert(3, (struct slice){text, sizeof text}), on_done, &after);
    run_until(&loop, &after.called);
    assert_false(after.failed);
    db_close(db);
    drain(&loop);
    uv_loop_init(&loop);
    db = open_db(&loop);
    assert_int_equal(number(db, "SELECT SUM(k) FROM t"), 4);
    db_close(db);
    drain(&loop);
}

/* A child writes and reports what was acknowledged until it is killed; all of that must be there,
 * each write whole. */
static void child_writes(int report, int64_t from)
{
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct db *db = open_db(&loop);
    for (int64_t k = from;; k += 2) {
        struct answer answer = {0};
        struct db_write *pair = insert(k, S("pair"));
        const struct db_value values[] = {DB_INT(k + 1), DB_TEXT(S("pair"))};
        db_write_add(pair, 1, "INSERT INTO t (k, v) VALUES ($1, $2)", values, COUNT_OF(values));
        db_submit(db, pair, on_done, &answer);
        run_until(&loop, &answer.called);
        if (answer.failed || write(report, &k, sizeof k) != sizeof k)
            _exit(1);
    }
}

static void test_kill_at_any_moment(void **state)
{
    int64_t acknowledged = -1;
    for (int round = 0; round < 20; round++) {
        int ends[2];
        must(pipe2(ends, O_CLOEXEC) == 0);
        pid_t child = fork();
        if (child == 0)
            child_writes(ends[1], (acknowledged < 0 ? 0 : acknowledged + 2) + 1000 * round);
        close(ends[1]);
        int64_t k = 0;
        for (int n = 0; n <= round && read(ends[0], &k, sizeof k) == sizeof k; n++)
            acknowledged = k;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(ends[0], &k, sizeof k) == sizeof k)
            acknowledged = k;
        close(ends[0]);

        uv_loop_t loop;
        char sql[100];
        uv_loop_init(&loop);
        struct db *db = open_db(&loop);
        snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM t WHERE k IN (%lld, %lld)",
                 (long long)acknowledged, (long long)acknowledged + 1);
        assert_int_equal(number(db, sql), 2);
        assert_int_equal(number(db, "SELECT COUNT(*) % 2 FROM t"), 0);
        db_close(db);
        drain(&loop);
    }
}

static void test_close_writes_what_waits(void **state)
{
    uv_loop_t loop;
    struct answer answer = {0};
    uv_loop_init(&loop);
    struct db *db = open_db(&loop);
    db_submit(db, insert(5, S("x")), on_done, &answer);
    db_close(db);
    drain(&loop);
    assert_false(answer.called);
    uv_loop_init(&loop);
    db = open_db(&loop);
    assert_int_equal(number(db, "SELECT COUNT(*) FROM t"), 1);
    db_close(db);
    drain(&loop);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_write_and_read),
        TEST(test_a_failure_takes_what_follows_with_it),
        TEST(test_second_daemon_is_refused),
        TEST(test_unusable_folder),
        TEST(test_full_disk),
        TEST(test_kill_at_any_moment),
        TEST(test_close_writes_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
