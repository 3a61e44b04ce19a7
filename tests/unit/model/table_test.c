#include "../store/loop.h"
#include "../test.h"

#include "base/arena.h"
#include "base/mem.h"
#include "lambda_api.h"
#include "model/table.h"
#include "store/db.h"

#include <stdio.h>

static char dir[64];
static uv_loop_t loop;
static struct db *db;
static struct tables *tables;
static struct table *aliases;
static struct table *others;

static void begin(void)
{
    struct err err;
    uv_loop_init(&loop);
    db = db_open(&loop, dir, &err);
    assert_non_null(db);
    tables = tables_open(db);
    aliases = table_open(tables, "aliases", lambda_shape_AliasConfiguration, &err);
    others = table_open(tables, "others", lambda_shape_AliasConfiguration, &err);
    assert_true(aliases && others);
}

static void end(void)
{
    db_close(db);
    tables_close(tables);
    drain(&loop);
}

static int setup(void **state)
{
    make_scratch(dir);
    begin();
    return 0;
}

static int teardown(void **state)
{
    end();
    remove_tree(dir);
    return 0;
}

struct answer {
    bool called;
    bool failed;
};

static void on_done(void *arg, const struct err *err)
{
    struct answer *answer = arg;
    assert_false(answer->called);
    *answer = (struct answer){true, err != NULL};
}

static void wait_for(const struct answer *answer)
{
    while (!answer->called)
        uv_run(&loop, UV_RUN_ONCE);
}

static void put(struct table_write *write, struct table *table, const char *key, const char *text)
{
    const struct lambda_AliasConfiguration alias = {.Name = slice_str(key),
                                                    .Description = slice_str(text)};
    table_put(write, table, slice_str(key), &alias);
}

static bool save(const char *key, const char *text)
{
    struct answer answer = {0};
    struct table_write *write = table_write_new(tables);
    put(write, aliases, key, text);
    table_commit(write, on_done, &answer);
    wait_for(&answer);
    return !answer.failed;
}

static const char *text_of(const struct table *table, const char *key)
{
    static char text[64];
    const struct lambda_AliasConfiguration *alias = table_get(table, slice_str(key));
    if (!alias)
        return NULL;
    snprintf(text, sizeof text, "%.*s", FMT(alias->Description));
    return text;
}

static size_t listed(const char *prefix, const char *after, size_t limit, char *to, size_t cap)
{
    AUTO(arena) struct arena *arena = arena_new();
    const struct table_row *rows = NULL;
    size_t n = table_page(aliases, arena, slice_str(prefix),
                          after ? slice_str(after) : (struct slice){NULL, 0}, limit, &rows);
    to[0] = '\0';
    for (size_t i = 0; i < n; i++)
        snprintf(to + strlen(to), cap - strlen(to), "%.*s,", FMT(rows[i].key));
    return n;
}

static void kept_replaced_and_deleted(void **state)
{
    struct answer answer = {0};
    assert_true(save("a f x", "1"));
    assert_true(save("a f x", "2"));
    assert_true(save("a f y", "3"));
    assert_string_equal(text_of(aliases, "a f x"), "2");
    assert_null(text_of(others, "a f x"));
    end();
    begin();
    assert_string_equal(text_of(aliases, "a f x"), "2");
    assert_string_equal(text_of(aliases, "a f y"), "3");
    struct table_write *write = table_write_new(tables);
    table_delete(write, aliases, S("a f x"));
    table_delete(write, aliases, S("nobody"));
    table_commit(write, on_done, &answer);
    wait_for(&answer);
    assert_false(answer.failed);
    end();
    begin();
    assert_null(text_of(aliases, "a f x"));
    assert_string_equal(text_of(aliases, "a f y"), "3");
}

static void pages_are_in_the_order_of_keys(void **state)
{
    static const char *const keys[] = {"a f c", "a f a", "a f-1 a", "a ff a", "b f a",
                                       "a f b", "a f",   "a e z",   "a f B"};
    char text[128];
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        assert_true(save(keys[i], "x"));
    assert_int_equal(listed("a f ", NULL, 100, text, sizeof text), 4);
    assert_string_equal(text, "a f B,a f a,a f b,a f c,");
    assert_int_equal(listed("a f ", "a f a", 1, text, sizeof text), 1);
    assert_string_equal(text, "a f b,");
    assert_int_equal(listed("a f ", "a f aa", 9, text, sizeof text), 2);
    assert_int_equal(listed("a f ", "a f c", 9, text, sizeof text), 0);
    assert_int_equal(listed("a f ", "a a", 9, text, sizeof text), 4);
    assert_int_equal(listed("", NULL, 100, text, sizeof text), COUNT_OF(keys));
    assert_int_equal(listed("c ", NULL, 100, text, sizeof text), 0);
    assert_int_equal(table_count(aliases, S("a ")), 8);
    struct answer answer = {0};
    struct table_write *write = table_write_new(tables);
    table_delete_below(write, aliases, S("a f "));
    table_commit(write, on_done, &answer);
    wait_for(&answer);
    assert_int_equal(listed("a ", NULL, 100, text, sizeof text), 4);
    assert_string_equal(text, "a e z,a f,a f-1 a,a ff a,");
}

static void seen_at_once_acknowledged_on_disk(void **state)
{
    struct answer answer = {0};
    struct table_write *write = table_write_new(tables);
    put(write, aliases, "k", "1");
    put(write, others, "k", "2");
    table_commit(write, on_done, &answer);
    assert_false(answer.called);
    assert_string_equal(text_of(aliases, "k"), "1");
    assert_string_equal(text_of(others, "k"), "2");
    wait_for(&answer);
}

static void spoil(struct table_write *write)
{
    db_write_add(table_write_sql(write), 1, "DELETE FROM aliases WHERE key = 'not there'", NULL, 0);
}

/* What came after it was made of what it wrote: all of it goes, whatever rows it has. */
static void what_cannot_be_written_is_undone(void **state)
{
    struct answer answers[4] = {0};
    assert_true(save("a", "old"));
    assert_true(save("b", "old"));
    struct table_write *good = table_write_new(tables);
    put(good, aliases, "d", "good");
    struct table_write *bad = table_write_new(tables);
    put(bad, aliases, "a", "bad");
    put(bad, aliases, "b", "bad");
    put(bad, aliases, "c", "bad");
    table_delete(bad, aliases, S("b"));
    spoil(bad);
    struct table_write *later = table_write_new(tables);
    put(later, aliases, "a", "bad, and more");
    put(later, others, "x", "because of a");
    struct table_write *worse = table_write_new(tables);
    put(worse, aliases, "c", "worse");
    spoil(worse);
    struct table_write *const writes[] = {good, bad, later, worse};
    for (size_t i = 0; i < COUNT_OF(writes); i++)
        table_commit(writes[i], on_done, &answers[i]);
    assert_string_equal(text_of(aliases, "a"), "bad, and more");
    assert_null(text_of(aliases, "b"));
    wait_for(&answers[3]);
    assert_true(!answers[0].failed && answers[1].failed && answers[2].failed && answers[3].failed);
    for (int again = 0; again < 2; again++) {
        assert_string_equal(text_of(aliases, "a"), "old");
        assert_string_equal(text_of(aliases, "b"), "old");
        assert_null(text_of(aliases, "c"));
        assert_string_equal(text_of(aliases, "d"), "good");
        assert_null(text_of(others, "x"));
        end();
        begin();
    }
    assert_true(save("a", "new"));
    assert_string_equal(text_of(aliases, "a"), "new");
}

/* Somebody who keeps a number for each row, as admission does. */
struct listener {
    char told[256];
};

static void on_change(void *arg, struct slice key, const void *before, const void *now)
{
    struct listener *listener = arg;
    const struct lambda_AliasConfiguration *old = before;
    const struct lambda_AliasConfiguration *new = now;
    size_t n = strlen(listener->told);
    snprintf(listener->told + n, sizeof listener->told - n, "%.*s:%.*s>%.*s;", FMT(key),
             FMT(old ? old->Description : S("")), FMT(new ? new->Description : S("")));
}

static void listeners_hear_what_is_undone(void **state)
{
    struct answer answer = {0};
    struct listener listener = {0};
    assert_true(save("a", "1"));
    table_on_change(aliases, on_change, &listener);
    struct table_write *good = table_write_new(tables);
    put(good, aliases, "a", "2");
    put(good, others, "a", "not told");
    table_commit(good, on_done, &answer);
    assert_string_equal(listener.told, "a:1>2;"); /* at once, and only then */
    wait_for(&answer);
    struct table_write *bad = table_write_new(tables);
    table_delete(bad, aliases, S("a"));
    put(bad, aliases, "b", "3");
    spoil(bad);
    answer.called = false;
    listener.told[0] = '\0';
    table_commit(bad, on_done, &answer);
    assert_string_equal(listener.told, "a:2>;b:>3;");
    listener.told[0] = '\0';
    wait_for(&answer); /* when they are back, and after `done` */
    assert_string_equal(listener.told, "a:>2;b:3>;a:>2;b:3>;");
    tables_unlisten(tables);
    listener.told[0] = '\0';
    assert_true(save("a", "4"));
    assert_string_equal(listener.told, "");
}

static void closing_with_a_write_under_way(void **state)
{
    static struct answer answer;
    struct table_write *write = table_write_new(tables);
    put(write, aliases, "last", "1");
    table_commit(write, on_done, &answer);
    table_write_free(table_write_new(tables));
    end();
    assert_false(answer.called);
    begin();
    assert_string_equal(text_of(aliases, "last"), "1");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(kept_replaced_and_deleted),         CASE(pages_are_in_the_order_of_keys),
        CASE(seen_at_once_acknowledged_on_disk), CASE(what_cannot_be_written_is_undone),
        CASE(listeners_hear_what_is_undone),     CASE(closing_with_a_write_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
