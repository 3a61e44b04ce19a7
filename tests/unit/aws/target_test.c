#include "test.h"

#include "aws/target.h"
#include "base/mem.h"

#define A "123456789012"
#define R "us-east-1"
#define ARN "arn:aws:lambda:" R ":" A ":function"

struct row {
    const char *name;
    const char *qualifier; /* the parameter; NULL: not given */
    enum target_fault fault;
    const char *want_account; /* NULL: the caller's */
    const char *want_name;
    const char *want_qualifier;
};

static const struct row rows[] = {
    {"f", NULL, TARGET_OK, NULL, "f", NULL},
    {"f:1", NULL, TARGET_OK, NULL, "f", "1"},
    {"f:$LATEST", NULL, TARGET_OK, NULL, "f", "$LATEST"},
    {"f:$latest", NULL, TARGET_OK, NULL, "f", "$latest"}, /* legal, but nothing has it */
    {"f", "blue", TARGET_OK, NULL, "f", "blue"},
    {"f:blue", "blue", TARGET_OK, NULL, "f", "blue"},
    {"f:blue", "green", TARGET_CONFLICT, NULL, "f", NULL},
    {"function", NULL, TARGET_OK, NULL, "function", NULL},
    {"function:f", NULL, TARGET_OK, NULL, "f", NULL},
    {"function:f:1", NULL, TARGET_OK, NULL, "f", "1"},
    {A ":function:f", NULL, TARGET_OK, A, "f", NULL},
    {A ":function:f:1", NULL, TARGET_OK, A, "f", "1"},
    {A ":function:f:1", "1", TARGET_OK, A, "f", "1"},
    {A ":function:f:1", "2", TARGET_CONFLICT, A, "f", NULL},
    {"210987654321:function:f", NULL, TARGET_OK, "210987654321", "f", NULL},
    {ARN ":f", NULL, TARGET_OK, A, "f", NULL},
    {ARN ":f:1", NULL, TARGET_OK, A, "f", "1"},
    {ARN ":f:$LATEST", NULL, TARGET_OK, A, "f", "$LATEST"},
    {ARN ":f", "x", TARGET_OK, A, "f", "x"},
    {ARN ":f:1", "x", TARGET_CONFLICT, A, "f", NULL},
    {ARN, NULL, TARGET_OK, A, "function", NULL},
    {"arn:aws:lambda:eu-west-1:" A ":function:f", NULL, TARGET_REGION, A, "f", NULL},
    {"arn:aws:lambda:eu-west-1:" A ":function:f:1", "2", TARGET_REGION, A, "f", NULL},
    {"", NULL, TARGET_BAD_NAME, NULL, NULL, NULL},
    {":1", NULL, TARGET_BAD_NAME, NULL, NULL, NULL},
    {"f:1:2:3", NULL, TARGET_BAD_NAME, NULL, NULL, NULL},
    {ARN ":", NULL, TARGET_BAD_NAME, NULL, NULL, NULL},
    {ARN ":f:1:2", NULL, TARGET_BAD_NAME, NULL, NULL, NULL},
    {"arn:aws:sqs:" R ":" A ":function:f", NULL, TARGET_BAD_NAME, NULL, NULL, NULL},
    {"arn:aws:lambda:" R ":" A ":layer:l", NULL, TARGET_BAD_NAME, NULL, NULL, NULL},
    {":::::::::::::", NULL, TARGET_BAD_NAME, NULL, NULL, NULL},
};

static bool same(struct slice got, const char *want)
{
    return want ? slice_eq(got, slice_str(want)) : got.p == NULL;
}

static void every_form_of_a_name_is_read(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct target target;
        enum target_fault fault = target_parse(slice_str(row->name), slice_str(row->qualifier),
                                               S("000000000000"), S(R), &target);
        if (fault != row->fault)
            fail_msg("row %zu: %s gave %d", i, row->name, (int)fault);
        if (fault == TARGET_REGION)
            assert_true(slice_eq(target.region, S("eu-west-1")));
        if (fault != TARGET_OK)
            continue;
        if (!same(target.name, row->want_name) || !same(target.qualifier, row->want_qualifier) ||
            !same(target.account, row->want_account ? row->want_account : "000000000000"))
            fail_msg("row %zu: %s: %.*s %.*s %.*s", i, row->name, FMT(target.account),
                     FMT(target.name), FMT(target.qualifier));
    }
}

static void arns_carry_the_qualifier_as_given(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct target target;
    assert_int_equal(target_parse(S("f:1"), (struct slice){NULL, 0}, S(A), S(R), &target),
                     TARGET_OK);
    assert_true(slice_eq(target_arn(arena, &target, target.qualifier), S(ARN ":f:1")));
    assert_true(slice_eq(target_arn(arena, &target, (struct slice){NULL, 0}), S(ARN ":f")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_name_is_read),
        cmocka_unit_test(arns_carry_the_qualifier_as_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
