#include "../store/loop.h"
#include "../test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "model/credentials.h"
#include "model/iam.h"
#include "store/db.h"

#include <stdio.h>

static char dir[64];
static uv_loop_t loop;
static struct db *db;
static struct tables *tables;
static struct iam *iam;
static struct arena *arena;

static void begin(void)
{
    struct err err;
    uv_loop_init(&loop);
    db = db_open(&loop, dir, &err);
    assert_non_null(db);
    tables = tables_open(db);
    iam = iam_open(tables, dir, &err);
    assert_non_null(iam);
    arena = arena_new();
}

static void end(void)
{
    arena_free(arena);
    db_close(db);
    iam_close(iam);
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
    clock_freeze(0, 0);
    remove_tree(dir);
    return 0;
}

static void on_done(void *arg, const struct err *err)
{
    assert_null(err);
    *(bool *)arg = true;
}

static void commit(struct table_write *write)
{
    bool done = false;
    table_commit(write, on_done, &done);
    while (!done)
        uv_run(&loop, UV_RUN_ONCE);
}

static void check(struct slice got, const char *want)
{
    if (!slice_eq(got, slice_str(want)))
        fail_msg("%.*s, not %s", FMT(got), want);
}

#define ROLE "arn:aws:iam::123456789012:role/app/worker"

static void a_function_is_a_session_of_its_role(void **state)
{
    struct session_keys keys;
    struct session_keys others;
    struct principal found;
    assert_true(credentials_for_function(iam, arena, S(ROLE), S("000000000000"), S("resize"),
                                         UINT64_MAX / 2, &keys));
    assert_true(credentials_for_function(iam, arena, S(ROLE), S("000000000000"), S("resize"),
                                         UINT64_MAX / 2, &others));
    assert_false(slice_eq(keys.access_key_id, others.access_key_id));
    assert_false(slice_eq(keys.secret_access_key, others.secret_access_key));
    assert_true(slice_starts(keys.access_key_id, S("ASIA")) && keys.access_key_id.n == 20);
    assert_true(keys.secret_access_key.n == 40);
    assert_true(slice_starts(keys.session_token, S("IQoJb3JpZ2luX2Vj")));

    assert_true(credentials_find(iam, arena, keys.access_key_id, keys.session_token, &found));
    assert_true(found.kind == PRINCIPAL_ROLE && found.session && !found.expired);
    check(found.arn, "arn:aws:sts::123456789012:assumed-role/worker/resize");
    check(found.account, "000000000000"); /* its own, not the one of the role */
    assert_true(slice_starts(found.user_id, S("AROA")) && slice_ends(found.user_id, S(":resize")));
    assert_int_equal(found.user_id.n, 21 + strlen(":resize"));

    /* neither of them alone, nor with the other's */
    assert_false(credentials_find(iam, arena, keys.access_key_id, others.session_token, &found));
    assert_false(credentials_find(iam, arena, keys.access_key_id, (struct slice){NULL, 0}, &found));
    assert_false(credentials_find(iam, arena, keys.access_key_id, S("IQoJb3JpZ2luX2Vj"), &found));
    assert_false(credentials_find(iam, arena, keys.access_key_id, S("x"), &found));
    assert_false(credentials_find(iam, arena, S("any"), keys.session_token, &found));
}

static void one_letter_is_no_session_name(void **state)
{
    struct session_keys keys;
    struct principal found;
    assert_true(credentials_for_function(iam, arena, S(ROLE), S("000000000000"), S("f"), 1, &keys));
    assert_true(credentials_find(iam, arena, keys.access_key_id, keys.session_token, &found));
    check(found.arn, "arn:aws:sts::123456789012:assumed-role/worker/f@lambda_function");
}

static void what_is_no_role_gets_no_credentials(void **state)
{
    static const char *const arns[] = {"",
                                       "role",
                                       "arn:aws:iam::123456789012:user/u",
                                       "arn:aws:iam::123456789012:role/",
                                       "arn:aws:iam::123456789012:root",
                                       "arn:aws:sts::123456789012:assumed-role/r/s"};
    struct session_keys keys;
    for (size_t i = 0; i < COUNT_OF(arns); i++)
        assert_false(credentials_for_function(iam, arena, slice_str(arns[i]), S("000000000000"),
                                              S("f"), 1, &keys));
}

static void sessions_end_and_live_through_a_restart(void **state)
{
    struct principal found;
    char id[21] = {0};
    char token[2048] = {0};
    clock_freeze(1, 1000000);
    struct principal root = credentials_root(arena, S("123456789012"));
    struct session_keys keys = credentials_issue(iam, arena, &root, 2000000);
    memcpy(id, keys.access_key_id.p, keys.access_key_id.n);
    must(keys.session_token.n < sizeof token);
    memcpy(token, keys.session_token.p, keys.session_token.n);
    end();
    begin();
    assert_true(credentials_find(iam, arena, slice_str(id), slice_str(token), &found));
    assert_true(found.kind == PRINCIPAL_ROOT && !found.expired);
    check(found.arn, "arn:aws:iam::123456789012:root");
    check(found.user_id, "123456789012");
    clock_freeze(1, 1999999);
    assert_true(credentials_find(iam, arena, slice_str(id), slice_str(token), &found));
    assert_false(found.expired);
    clock_freeze(1, 2000000);
    assert_true(credentials_find(iam, arena, slice_str(id), slice_str(token), &found));
    assert_true(found.expired);
}

static void a_users_key_is_the_users(void **state)
{
    struct principal found;
    struct slice id = credentials_key_id(arena, "AKIA", S("123456789012"));
    struct iam_User user = {.Path = S("/p/"),
                            .UserName = S("Ann"),
                            .UserId = S("AIDAX"),
                            .Arn = S("arn:aws:iam::123456789012:user/p/Ann")};
    const struct iam_Entity entity = {.User = &user};
    struct iam_Key key = {
        .Account = S("123456789012"), .UserName = S("Ann"), .Status = S("Active")};
    assert_false(credentials_find(iam, arena, id, (struct slice){NULL, 0}, &found));
    struct table_write *write = table_write_new(tables);
    table_put(write, iam->users, iam_key(arena, S("123456789012"), S("Ann")), &entity);
    table_put(write, iam->keys, id, &key);
    commit(write);
    assert_true(credentials_find(iam, arena, id, (struct slice){NULL, 0}, &found));
    assert_true(found.kind == PRINCIPAL_USER && !found.session);
    check(found.arn, "arn:aws:iam::123456789012:user/p/Ann");
    check(found.user_id, "AIDAX");
    check(found.user_name, "Ann");
    check(found.account, "123456789012");
    assert_false(found.inactive);
    key.Status = S("Inactive");
    write = table_write_new(tables);
    table_put(write, iam->keys, id, &key);
    commit(write);
    assert_true(credentials_find(iam, arena, id, (struct slice){NULL, 0}, &found));
    assert_true(found.inactive);
}

static void key_ids_hold_their_account(void **state)
{
    static const char *const accounts[] = {"000000000000", "000000000001", "123456789012",
                                           "999999999999", "549755813888"};
    for (size_t i = 0; i < COUNT_OF(accounts); i++) {
        struct slice id = credentials_key_id(arena, "AKIA", slice_str(accounts[i]));
        assert_int_equal(id.n, 20);
        check(credentials_account_of(arena, id), accounts[i]);
    }
    /* AWS's own example of a key of such an id */
    check(credentials_account_of(arena, S("ASIAQNZGKIQY56JQ7WML")), "029608264753");
    assert_null(credentials_account_of(arena, S("AKIA")).p);
    assert_null(credentials_account_of(arena, S("AKIA1111111111111111")).p);
}

struct arn_row {
    const char *arn;
    const char *parts; /* account kind path name; NULL: none */
};

static const struct arn_row arns[] = {
    {"arn:aws:iam::123456789012:role/r", "123456789012 role / r"},
    {"arn:aws:iam::aws:policy/service-role/P", "aws policy /service-role/ P"},
    {"arn:aws-cn:iam::123456789012:user/a/b/c", "123456789012 user /a/b/ c"},
    {"arn:aws:iam::123456789012:root", "123456789012 root  "},
    {"arn:aws:iam::123456789012:role", NULL},
    {"arn:aws:iam::123456789012:role/", NULL},
    {"arn:aws:iam::123456789012:", NULL},
    {"arn:aws:iam::123456789012", NULL},
    {"arn:aws:iam:us-east-1:123456789012:role/r", NULL},
    {"arn:aws:s3::123456789012:role/r", NULL},
    {"arn::iam::123456789012:role/r", NULL},
    {"x", NULL},
    {"", NULL},
};

static void arns_are_taken_apart(void **state)
{
    for (size_t i = 0; i < COUNT_OF(arns); i++) {
        struct iam_arn parts;
        bool good = iam_arn_parse(slice_str(arns[i].arn), &parts);
        if (good != (arns[i].parts != NULL))
            fail_msg("row %zu: %s", i, arns[i].arn);
        if (good)
            check(arena_printf(arena, "%.*s %.*s %.*s %.*s", FMT(parts.account), FMT(parts.kind),
                               FMT(parts.path), FMT(parts.name)),
                  arns[i].parts);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_function_is_a_session_of_its_role),
        TEST(one_letter_is_no_session_name),
        TEST(what_is_no_role_gets_no_credentials),
        TEST(sessions_end_and_live_through_a_restart),
        TEST(a_users_key_is_the_users),
        TEST(key_ids_hold_their_account),
        TEST(arns_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
