#include "../test.h"

#include "base/mem.h"
#include "services/filter_pattern.h"

static bool matches(const char *pattern, const char *message)
{
    struct err err;
    AUTO(arena) struct arena *arena = arena_new();
    const struct filter_pattern *parsed = filter_pattern_parse(arena, slice_str(pattern), &err);
    assert_non_null(parsed);
    return filter_pattern_matches(parsed, slice_str(message));
}

static enum fault refused(const char *pattern)
{
    struct err err = {0};
    AUTO(arena) struct arena *arena = arena_new();
    assert_null(filter_pattern_parse(arena, slice_str(pattern), &err));
    return err.fault;
}

static void test_terms(void **state)
{
    assert_true(matches("", "anything"));
    assert_true(matches("  ", ""));
    assert_true(matches("ERROR", "an ERROR here"));
    assert_false(matches("ERROR", "an error here"));
    assert_true(matches("one two", "two and one"));
    assert_false(matches("one two", "one alone"));
    assert_true(matches("\"[ERROR] x\"", "a [ERROR] x b"));
    assert_true(matches("\"say \\\"hi\\\"\"", "say \"hi\""));
    assert_true(matches("?a ?b", "b"));
    assert_false(matches("?a ?b", "c"));
    assert_true(matches("x -y", "x z"));
    assert_false(matches("x -y", "x y"));
    assert_false(matches("x -\"y z\"", "x y z"));
}

static void test_refused(void **state)
{
    assert_int_equal(refused("\"open"), FAULT_INVALID);
    assert_int_equal(refused("?"), FAULT_INVALID);
    assert_int_equal(refused("- x"), FAULT_INVALID);
    assert_int_equal(refused("{ $.a = 1 }"), FAULT_UNAVAILABLE);
    assert_int_equal(refused(" [ip, user]"), FAULT_UNAVAILABLE);
    assert_int_equal(refused("%a.b%"), FAULT_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_terms),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
