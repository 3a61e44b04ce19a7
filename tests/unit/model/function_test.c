#include "../store/loop.h"
#include "../test.h"

#include "base/arena.h"
#include "base/mem.h"
#include "lambda_api.h"
#include "model/change.h"
#include "model/code.h"
#include "model/resources.h"
#include "store/db.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char code_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char code_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
#define ACCOUNT S("000000000000")
#define REGION S("us-east-1")

static char dir[64];
static uv_loop_t loop;
static struct db *db;
static struct tables *tables;
static struct resources resources;
static struct functions *functions;
static struct function_settings settings;
static char unused[256];

static void on_unused(void *arg, const char *digest)
{
    strncat(unused, digest, 1);
}

static bool begin(struct err *err)
{
    uv_loop_init(&loop);
    db = db_open(&loop, dir, err);
    tables = db ? tables_open(db) : NULL;
    bool open = tables && resources_open(&resources, tables, err);
    functions = open ? functions_open(&loop, db, &resources, dir, &settings, err) : NULL;
    if (functions)
        codes_on_unused(functions_codes(functions), on_unused, NULL);
    return functions != NULL;
}

static void end(void)
{
    functions_close(functions);
    db_close(db);
    tables_close(tables);
    drain(&loop);
    functions = NULL;
    tables = NULL;
    db = NULL;
}

static int setup(void **state)
{
    struct err err;
    make_scratch(dir);
    settings = function_settings_default;
    unused[0] = '\0';
    return begin(&err) ? 0 : -1;
}

static int teardown(void **state)
{
    end();
    remove_tree(dir);
    return 0;
}

static const struct function *find(struct slice name)
{
    return functions_find(functions, ACCOUNT, REGION, name, (struct slice){NULL, 0});
}

struct answer {
    bool called;
    const struct function *now;
    struct err err;
};

static void on_done(void *arg, const struct function *now, const struct function *version,
                    const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    answer->now = now ? function_ref(now) : NULL;
    answer->err = err ? *err : (struct err){0};
}

static struct answer save(struct slice name, struct slice description, const char *secret,
                          const char *code)
{
    struct err err;
    struct answer answer = {0};
    struct slice keys[] = {S("KEY")};
    struct slice values[] = {slice_str(secret)};
    struct lambda_EnvironmentResponse environment = {
        .Variables = {.set = true, .n = 1, .keys = keys, .values = values}};
    struct lambda_FunctionConfiguration config = {.Description = description,
                                                  .MemorySize = OPT_I64(256),
                                                  .Timeout = OPT_I64(7),
                                                  .Environment = secret ? &environment : NULL};
    const struct function_draft draft = {.config = &config, .made_of = slice_str(code)};
    struct function_change *change = change_begin(functions, ACCOUNT, REGION, name, &err);
    assert_non_null(change);
    change_save(change, &draft, on_done, &answer);
    run_until(&loop, &answer.called);
    return answer;
}

static struct slice revision(const struct function *fn)
{
    return fn->config->RevisionId;
}

static void settle(struct slice name)
{
    while (find(name)->pending || find(name)->updating)
        uv_run(&loop, UV_RUN_ONCE);
}

static void test_create_settle_reload(void **state)
{
    struct err err;
    struct answer answer = save(S("one"), S("text"), "hush-hush", code_a);
    assert_non_null(answer.now);
    assert_true(answer.now->pending);
    assert_true(slice_eq(answer.now->config->State, S("Pending")));
    assert_true(slice_eq(answer.now->config->StateReasonCode, S("Creating")));
    assert_null(answer.now->config->LastUpdateStatus.p);
    assert_true(slice_eq(answer.now->arn, S("arn:aws:lambda:us-east-1:000000000000:function:one")));
    assert_int_equal(answer.now->memory_mb, 256);
    settle(S("one"));
    const struct function *settled = function_ref(find(S("one")));
    assert_false(slice_eq(revision(settled), revision(answer.now)));
    assert_true(slice_eq(settled->config->State, S("Active")));
    assert_true(slice_eq(settled->config->LastUpdateStatus, S("Successful")));
    assert_null(settled->config->StateReason.p);
    assert_true(settled->run_generation == answer.now->run_generation);
    char id[64];
    snprintf(id, sizeof id, "%.*s", FMT(revision(settled)));
    function_unref(settled);
    function_unref(answer.now);
    end();

    assert_true(begin(&err));
    const struct function *again = find(S("one"));
    assert_non_null(again);
    assert_true(slice_eq(revision(again), slice_str(id)));
    const struct aws_map *variables = &again->config->Environment->Variables;
    assert_int_equal(variables->n, 1);
    assert_true(slice_eq(((struct slice *)variables->values)[0], S("hush-hush")));
    assert_string_equal(again->code, code_a);
}

static void test_crash_while_pending(void **state)
{
    struct err err;
    end();
    settings = (struct function_settings){60000, 60000};
    assert_true(begin(&err));
    struct answer answer = save(S("one"), S(""), NULL, code_a);
    function_unref(answer.now);
    assert_true(find(S("one"))->pending);
    end();
    assert_true(begin(&err));
    assert_false(find(S("one"))->pending);
    assert_null(find(S("one"))->config->Environment);
    answer = save(S("one"), S("new"), NULL, code_b);
    function_unref(answer.now);
    const struct function *updating = find(S("one"));
    assert_true(updating->updating);
    assert_string_equal(updating->previous->code, code_a);
    end();
    assert_true(begin(&err));
    assert_false(find(S("one"))->updating);
    assert_string_equal(find(S("one"))->code, code_b);
    assert_true(slice_eq(find(S("one"))->config->Description, S("new")));
}

static void test_one_change_at_a_time(void **state)
{
    struct err err;
    struct function_change *change = change_begin(functions, ACCOUNT, REGION, S("one"), &err);
    assert_null(change_before(change));
    assert_null(change_begin(functions, ACCOUNT, REGION, S("one"), &err));
    assert_int_equal(err.fault, FAULT_CONFLICT);
    struct function_change *other =
        change_begin(functions, ACCOUNT, S("eu-west-1"), S("one"), &err);
    assert_non_null(other);
    change_abort(other);
    change_abort(change);
    assert_null(find(S("one")));
    change = change_begin(functions, ACCOUNT, REGION, S("one"), &err);
    assert_non_null(change);
    change_abort(change);
}

static unsigned changes;
static const struct function *last_before;

static void on_change(void *arg, const struct function *before, const struct function *now)
{
    changes++;
    assert_true(before || now);
    assert_ptr_equal(before, last_before);
    last_before = now;
}

static void test_update_and_delete(void **state)
{
    struct err err;
    struct answer deleted = {0};
    changes = 0;
    last_before = NULL;
    functions_on_change(functions, on_change, NULL);
    function_unref(save(S("one"), S("1"), NULL, code_a).now);
    settle(S("one"));
    const struct function *held = function_ref(find(S("one")));
    struct answer answer = save(S("one"), S("2"), NULL, code_b);
    assert_true(answer.now->updating);
    assert_true(slice_eq(answer.now->config->LastUpdateStatus, S("InProgress")));
    assert_true(slice_eq(answer.now->config->State, S("Active")));
    assert_ptr_equal(answer.now->previous, held);
    assert_true(answer.now->run_generation > held->run_generation);
    function_unref(answer.now);
    settle(S("one"));
    assert_string_equal(unused, "");
    function_unref(held);
    assert_string_equal(unused, "a");
    const struct function **list = NULL;
    AUTO(arena) struct arena *arena = arena_new();
    struct function_page page = {.account = ACCOUNT, .region = REGION, .limit = 9};
    assert_int_equal(functions_list(functions, arena, &page, &list), 1);
    page.account = S("1");
    assert_int_equal(functions_list(functions, arena, &page, &list), 0);

    struct function_change *change = change_begin(functions, ACCOUNT, REGION, S("one"), &err);
    change_delete(change, on_done, &deleted);
    run_until(&loop, &deleted.called);
    assert_int_equal(deleted.err.fault, FAULT_NONE);
    assert_null(find(S("one")));
    assert_string_equal(unused, "ab");
    assert_int_equal(changes, 5);
    end();
    assert_true(begin(&err));
    assert_null(find(S("one")));
}

static struct answer publish(struct slice name, struct slice description)
{
    struct err err;
    struct answer answer = {0};
    struct function_change *change = change_begin(functions, ACCOUNT, REGION, name, &err);
    assert_non_null(change);
    change_publish(change, description, on_done, &answer);
    run_until(&loop, &answer.called);
    assert_non_null(answer.now);
    function_unref(answer.now);
    return answer;
}

static const struct function *version(const char *number)
{
    return functions_find(functions, ACCOUNT, REGION, S("one"), slice_str(number));
}

static void test_versions(void **state)
{
    struct err err;
    struct answer deleted = {0};
    const struct slice none = {NULL, 0};
    function_unref(save(S("one"), S("1"), "hush", code_a).now);
    settle(S("one"));
    uint64_t run_generation = find(S("one"))->run_generation;
    publish(S("one"), none);
    assert_true(find(S("one"))->run_generation == run_generation);
    struct function_change *change = change_begin(functions, ACCOUNT, REGION, S("one"), &err);
    assert_ptr_equal(change_published(change), version("1"));
    change_abort(change);
    function_unref(save(S("one"), S("2"), NULL, code_b).now);
    change = change_begin(functions, ACCOUNT, REGION, S("one"), &err);
    assert_null(change_published(change));
    change_abort(change);
    settle(S("one"));
    publish(S("one"), S("text"));
    end();

    assert_true(begin(&err));
    assert_true(slice_eq(version("1")->config->Description, S("1")));
    assert_true(slice_eq(version("1")->arn, find(S("one"))->arn));
    assert_int_equal(version("1")->config->Environment->Variables.n, 1);
    assert_string_equal(version("1")->code, code_a);
    assert_true(slice_eq(version("2")->config->Description, S("text")));
    assert_null(version("3"));
    assert_null(version("01"));
    change = change_begin(functions, ACCOUNT, REGION, S("one"), &err);
    assert_ptr_equal(change_published(change), version("2"));
    change_delete_version(change, 1, on_done, &deleted);
    run_until(&loop, &deleted.called);
    assert_null(version("1"));
    assert_string_equal(unused, "a");
    change = change_begin(functions, ACCOUNT, REGION, S("one"), &err);
    deleted.called = false;
    change_delete(change, on_done, &deleted);
    run_until(&loop, &deleted.called);
    assert_null(version("2"));
    assert_string_equal(unused, "ab");
    end();
    assert_true(begin(&err));
    assert_null(version("2"));
}

static struct answer remove_from(struct slice name, uint64_t number)
{
    struct err err;
    struct answer answer = {0};
    struct function_change *change = change_begin(functions, ACCOUNT, REGION, name, &err);
    assert_non_null(change);
    if (number)
        change_delete_version(change, number, on_done, &answer);
    else
        change_delete(change, on_done, &answer);
    assert_null(number ? version("1") : find(name)); /* before it is on disk */
    run_until(&loop, &answer.called);
    return answer;
}

/* Else a row that is put meanwhile belongs to the next function of the name. */
static void test_what_is_being_deleted_is_not_found(void **state)
{
    struct rlimit old;
    struct rlimit tight = {1, RLIM_INFINITY};
    function_unref(save(S("one"), S("1"), NULL, code_a).now);
    settle(S("one"));
    publish(S("one"), (struct slice){NULL, 0});
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight.rlim_max = old.rlim_max;
    must(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    assert_int_not_equal(remove_from(S("one"), 1).err.fault, FAULT_NONE);
    assert_non_null(version("1")); /* it stays */
    assert_int_not_equal(remove_from(S("one"), 0).err.fault, FAULT_NONE);
    assert_non_null(find(S("one")));
    assert_non_null(version("1"));
    must(setrlimit(RLIMIT_FSIZE, &old) == 0);
    assert_int_equal(remove_from(S("one"), 1).err.fault, FAULT_NONE);
    assert_non_null(find(S("one")));
    assert_int_equal(remove_from(S("one"), 0).err.fault, FAULT_NONE);
    assert_null(find(S("one")));
}

static void on_rows(void *arg, const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    answer->err = err ? *err : (struct err){0};
}

/* reserved < 0: the row goes */
static struct answer reserve(int64_t reserved, bool fails)
{
    struct answer answer = {0};
    char key[FUNCTION_KEY_MAX];
    struct slice row = function_key(key, ACCOUNT, REGION, S("one"));
    struct table_write *write = table_write_new(tables);
    if (reserved < 0)
        table_delete(write, resources.concurrency, row);
    else
        table_put(write, resources.concurrency, row,
                  &(struct lambda_Concurrency){OPT_I64(reserved)});
    if (fails)
        db_write_add(table_write_sql(write), 1, "DELETE FROM aliases WHERE key = 'nobody'", NULL,
                     0);
    uint64_t epoch = functions_reserved_epoch(functions);
    table_commit(write, on_rows, &answer);
    assert_int_equal(find(S("one"))->load->reserved, reserved);
    assert_true(functions_reserved_epoch(functions) > epoch);
    run_until(&loop, &answer.called);
    return answer;
}

static struct answer provision(int64_t count, bool fails)
{
    struct answer answer = {0};
    struct table_write *write = table_write_new(tables);
    table_put(write, resources.provisioned, S("000000000000 us-east-1 one 1"),
              &(struct lambda_ProvisionedConcurrencyConfigListItem){
                  .RequestedProvisionedConcurrentExecutions = OPT_I64(count)});
    if (fails)
        db_write_add(table_write_sql(write), 1, "DELETE FROM aliases WHERE key = 'nobody'", NULL,
                     0);
    table_commit(write, on_rows, &answer);
    assert_int_equal(find(S("one"))->load->provisioned, count);
    run_until(&loop, &answer.called);
    return answer;
}

/* What admission goes by is what the rows say, also when a write is taken back: of the rows
 * themselves, of the function, or of something that came before. */
static void test_concurrency_goes_by_its_rows(void **state)
{
    struct rlimit old;
    struct rlimit tight = {1, RLIM_INFINITY};
    function_unref(save(S("one"), S("1"), NULL, code_a).now);
    settle(S("one"));
    publish(S("one"), (struct slice){NULL, 0});
    const struct function_load *load = find(S("one"))->load;
    assert_int_equal(load->reserved, -1);
    assert_int_equal(reserve(7, false).err.fault, FAULT_NONE);
    uint64_t epoch = functions_reserved_epoch(functions);
    assert_int_not_equal(reserve(0, true).err.fault, FAULT_NONE);
    assert_int_equal(load->reserved, 7);
    assert_true(functions_reserved_epoch(functions) > epoch + 1); /* twice: sums are made anew */
    assert_int_not_equal(reserve(-1, true).err.fault, FAULT_NONE);
    assert_int_equal(load->reserved, 7);
    assert_int_equal(provision(3, false).err.fault, FAULT_NONE);
    assert_int_not_equal(provision(5, true).err.fault, FAULT_NONE);
    assert_int_equal(load->provisioned, 3);

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight.rlim_max = old.rlim_max;
    must(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    assert_int_not_equal(remove_from(S("one"), 1).err.fault, FAULT_NONE);
    assert_int_equal(load->provisioned, 3);
    assert_int_not_equal(remove_from(S("one"), 0).err.fault, FAULT_NONE);
    must(setrlimit(RLIMIT_FSIZE, &old) == 0);
    assert_int_equal(load->provisioned, 3);
    assert_int_equal(load->reserved, 7);
    assert_int_equal(functions_reserved(functions, ACCOUNT, REGION), 7);

    assert_int_equal(remove_from(S("one"), 1).err.fault, FAULT_NONE);
    assert_int_equal(load->provisioned, 0);
    assert_int_equal(reserve(-1, false).err.fault, FAULT_NONE);
    assert_int_equal(load->reserved, -1);
}

static void test_clearing_reaches_what_is_being_changed(void **state)
{
    struct err err;
    function_unref(save(S("one"), S("1"), NULL, code_a).now);
    settle(S("one"));
    struct function_change *change = change_begin(functions, ACCOUNT, REGION, S("one"), &err);
    functions_clear(functions);
    assert_true(slice_eq(change_before(change)->config->Description, S("1")));
    change_abort(change);
    assert_null(find(S("one")));
    assert_string_equal(unused, "a");
    change = change_begin(functions, ACCOUNT, REGION, S("new"), &err);
    functions_clear(functions); /* there was nothing to clear */
    change_abort(change);
    assert_null(find(S("new")));
}

static bool file_has(const char *name, const char *text)
{
    char path[200];
    static char content[1 << 20];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, content, sizeof content) : 0;
    if (fd >= 0)
        close(fd);
    return n > 0 && memmem(content, (size_t)n, text, strlen(text)) != NULL;
}

static void test_variables_are_sealed(void **state)
{
    struct err err;
    char path[200];
    struct stat st;
    function_unref(save(S("one"), S("in the clear"), "hush-hush", code_a).now);
    settle(S("one"));
    end();
    assert_true(file_has("lambkin.db", "in the clear") ||
                file_has("lambkin.db-wal", "in the clear"));
    assert_false(file_has("lambkin.db", "hush-hush") || file_has("lambkin.db-wal", "hush-hush"));
    snprintf(path, sizeof path, "%s/secret.key", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    unlink(path);
    assert_false(begin(&err));
    assert_non_null(strstr(err.msg, "secret.key"));
}

static void test_full_disk_changes_nothing(void **state)
{
    struct rlimit old;
    struct rlimit tight = {1, RLIM_INFINITY};
    function_unref(save(S("one"), S("old"), NULL, code_a).now);
    settle(S("one"));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight.rlim_max = old.rlim_max;
    must(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    struct answer answer = save(S("one"), S("new"), NULL, code_b);
    struct answer other = save(S("two"), S("new"), NULL, code_b);
    must(setrlimit(RLIMIT_FSIZE, &old) == 0);
    assert_null(answer.now);
    assert_int_not_equal(answer.err.fault, FAULT_NONE);
    assert_null(other.now);
    assert_null(find(S("two")));
    assert_true(slice_eq(find(S("one"))->config->Description, S("old")));
    assert_string_equal(unused, "bb");
    answer = save(S("one"), S("new"), NULL, code_b);
    assert_non_null(answer.now);
    function_unref(answer.now);
}

static void find_copies(int from, int to)
{
    char name[32];
    for (int i = from; i < to; i++) {
        snprintf(name, sizeof name, "copy%d", i);
        assert_non_null(find(slice_str(name)));
    }
    for (int i = 0; i < 3; i++) /* a look happens in the loop */
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void test_what_nobody_asks_for_is_packed(void **state)
{
    struct err err;
    function_unref(save(S("one"), S("text"), "hush-hush", code_a).now);
    settle(S("one"));
    end();
    uv_loop_init(&loop);
    db = db_open(&loop, dir, &err);
    assert_true(
        db_exec(db,
                "INSERT INTO functions WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT "
                "i + 1 FROM n WHERE i < 7999) SELECT account, region, 'copy' || i, version, "
                "config, NULL, tags, code FROM functions, n",
                &err));
    db_close(db);
    drain(&loop);
    assert_true(begin(&err));
    const struct function *held = function_ref(find(S("copy0")));
    uint64_t generation = find(S("one"))->generation;
    char id[64];
    snprintf(id, sizeof id, "%.*s", FMT(revision(find(S("one")))));
    unused[0] = '\0';
    find_copies(0, 3000); /* the first look only marks what is not asked for again */
    find_copies(3000, 8000);
    const struct function *again = find(S("one"));
    assert_true(again->generation > generation);
    assert_true(slice_eq(revision(again), slice_str(id)));
    assert_true(slice_eq(again->config->Description, S("text")));
    const struct aws_map *variables = &again->config->Environment->Variables;
    assert_true(slice_eq(((struct slice *)variables->values)[0], S("hush-hush")));
    assert_ptr_equal(find(S("copy0")), held); /* an environment may run it */
    assert_string_equal(unused, "");          /* its code is in use all the time */
    function_unref(held);
}

static void test_code_uses(void **state)
{
    struct codes *codes = functions_codes(functions);
    assert_false(code_in_use(codes, code_a));
    code_use(codes, code_a);
    code_use(codes, code_a);
    assert_false(code_is_unpacked(codes, code_a));
    code_set_unpacked(codes, code_a);
    code_release(codes, code_a);
    assert_true(code_is_unpacked(codes, code_a));
    code_release(codes, code_a);
    assert_string_equal(unused, "a");
    assert_false(code_is_unpacked(codes, code_a));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create_settle_reload),
        TEST(test_crash_while_pending),
        TEST(test_one_change_at_a_time),
        TEST(test_update_and_delete),
        TEST(test_versions),
        TEST(test_what_is_being_deleted_is_not_found),
        TEST(test_concurrency_goes_by_its_rows),
        TEST(test_clearing_reaches_what_is_being_changed),
        TEST(test_variables_are_sealed),
        TEST(test_full_disk_changes_nothing),
        TEST(test_what_nobody_asks_for_is_packed),
        TEST(test_code_uses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
