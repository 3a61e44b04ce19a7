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

static void test_alternatives_beside_others_mean_nothing(void **state)
{
    assert_true(matches("?INFO REQUEST", "ERROR REQUEST"));
    assert_false(matches("?INFO REQUEST", "INFO"));
}

static void test_regex(void **state)
{
    assert_true(matches("%ERR[A-Z]+ \\d{3}%", "an ERROR 404"));
    assert_false(matches("%^ERR%", "an ERROR 404"));
    assert_true(matches("-%^ERR%", "an ERROR 404"));
    assert_true(matches("%a|b$%", "xb"));
    assert_true(matches("{ $.a = %^v\\d% }", "{\"a\": \"v12\"}"));
    assert_false(matches("{ $.a != %^v\\d% }", "{\"a\": \"v12\"}"));
    assert_true(matches("[a, b = %^4%]", "x 404"));
    assert_int_equal(refused("%(a)%"), FAULT_INVALID);
    assert_int_equal(refused("%a"), FAULT_INVALID);
    assert_int_equal(refused("%%"), FAULT_INVALID);
    assert_int_equal(refused("%[a%"), FAULT_INVALID);
    assert_int_equal(refused("%\\1%"), FAULT_INVALID);
}

/* Costs without bound for whoever backtracks without one. */
static void test_regex_that_costs_too_much(void **state)
{
    char text[200];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(matches("%a*a*a*a*a*a*a*a*a*a*b%", text));
}

static const char event[] =
    "{\"eventType\": \"UpdateTrail\", \"sourceIPAddress\": \"111.111.111.111\", \"n\": 3.5,"
    " \"arrayKey\": [\"value\", \"another\"], \"objectList\": [{\"id\": 1}, {\"id\": 2}],"
    " \"SomeObject\": null, \"ThisFlag\": true, \"that\": false, \"a.b\": {\"c d\": \"x\"}}\n";

static void test_json(void **state)
{
    assert_true(matches("{ $.eventType = \"UpdateTrail\" }", event));
    assert_true(matches(" {$.eventType=UpdateTrail} ", event));
    assert_true(matches("{ $.eventType = Upd*Tr* }", event));
    assert_true(matches("{ $.eventType = \"*Trail\" }", event));
    assert_false(matches("{ $.eventType = \"*trail\" }", event));
    assert_true(matches("{ $.sourceIPAddress != 123.123.* }", event));
    assert_true(matches("{ $.arrayKey[0] = \"value\" }", event));
    assert_false(matches("{ $.arrayKey[1] = \"value\" }", event));
    assert_true(matches("{ $.arrayKey[*] = another }", event));
    assert_true(matches("{ $.objectList[1].id = 2 }", event));
    assert_true(matches("{ $.objectList[*].id >= 2 }", event));
    assert_true(matches("{ $.SomeObject IS NULL }", event));
    assert_true(matches("{ $.SomeOther NOT EXISTS }", event));
    assert_false(matches("{ $.n not exists }", event));
    assert_true(matches("{ $.n EXISTS }", event));
    assert_true(matches("{ $.ThisFlag IS TRUE && $.that IS FALSE }", event));
    assert_true(matches("{ $.ThisFlag = true }", event));
    assert_true(matches("{ $.[\"a.b\"][\"c d\"] = \"x\" }", event));
    assert_true(matches("{ $.n > 3 && $.n <= 3.5 && $.n < 1e2 && $.n >= -1 && $.n != 3 }", event));
    assert_false(matches("{ $.n = \"3.5\" }", event));
    assert_false(matches("{ $.missing != 3 }", event));
    assert_false(matches("{ $.eventType > 3 }", event));
}

static void test_json_joined(void **state)
{
    assert_true(matches("{ $.n = 1 && $.n = 2 || $.n = 3.5 }", event));
    assert_true(matches("{ $.n = 3.5 || $.n = 1 && $.n = 2 }", event));
    assert_false(matches("{ ($.n = 3.5 || $.n = 1) && $.n = 2 }", event));
    assert_true(matches("{($.n=3.5)&&(($.that IS FALSE)||($.n=2))}", event));
    assert_false(matches("{ $.n = 3.5 }", "n = 3.5"));
    assert_false(matches("{ $.n = 3.5 }", "{\"n\": 3.5"));
    assert_true(matches("{ $[0] = 7 }", "[7]"));
}

static void test_fields(void **state)
{
    const char *line =
        "127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html\" 404 1534\n";
    assert_true(matches("[ip, id, user, time, request, status, size]", line));
    assert_false(matches("[ip, id, user, time, request, status]", line));
    assert_true(matches("[..., request = \"GET *\", status = 4*, size > 1000]", line));
    assert_true(matches("[ip, ..., size<2000 && size>=1534]", line));
    assert_true(matches("[ip, id, user = frank, ...]", line));
    assert_true(matches("[..., status = 5* || status = 404, size]", line));
    assert_false(matches("[..., (status = 5* || status = 400), size]", line));
    assert_true(matches("[ip != 10.*, ..., time = 10/Oct*, r, s, b]", line));
    assert_true(matches("[...]", ""));
    assert_false(matches("[a]", ""));
    assert_false(matches("[a > 3]", "x"));
    assert_true(matches("[a, b]", "\"open end"));
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"\"open",
                                      "?",
                                      "- x",
                                      "{",
                                      "{}",
                                      "{ $ = 1 }",
                                      "{ $.a }",
                                      "{ $.a = }",
                                      "{ $.a > x }",
                                      "{ $.a = 1",
                                      "{ ($.a = 1 }",
                                      "{ $.a = 1 $.b = 2 }",
                                      "{ $.a = 1 && }",
                                      "{ $.a[x] = 1 }",
                                      "{ a = 1 }",
                                      "{ $. = 1 }",
                                      "{ $.a = \"x }",
                                      "[",
                                      "[a",
                                      "[]",
                                      "[a,]",
                                      "[a b]",
                                      "[a =]",
                                      "[a = 1 &&]",
                                      "[a > x]",
                                      "{ $.a[\"x = 1 }"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(refused(bad[i]), FAULT_INVALID);
    char deep[300];
    memset(deep, '(', sizeof deep);
    deep[0] = '{';
    memcpy(deep + sizeof deep - 2, "}", 2);
    assert_int_equal(refused(deep), FAULT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_alternatives_beside_others_mean_nothing),
        cmocka_unit_test(test_regex),
        cmocka_unit_test(test_regex_that_costs_too_much),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_joined),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
