#include "test.h"

#include "base/mem.h"
#include "codec/json_check.h"

#include <jansson.h>
#include <stdio.h>

static bool ok(const char *text, size_t n)
{
    struct json_fault fault;
    return json_check((struct slice){text, n}, &fault);
}

static void accepts_every_kind_of_value(void **state)
{
    const char *good[] = {"{}",
                          "[]",
                          " [ ] ",
                          "null",
                          "true",
                          "false",
                          "0",
                          "-0",
                          "-12.5e+10",
                          "1E-2",
                          "\"\"",
                          "\"\\u00e4\\n\\\"\\/\"",
                          "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
                          "{\"a\":[1,{\"b\":{}},[]],\"c\":\"long enough for the fast path\"}",
                          "\r\n\t {\"a\" : 1 , \"b\" : [ 1 , 2 ] }\n"};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (!ok(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    }
}

static void refuses_what_is_not_json(void **state)
{
    const char *bad[] = {"",
                         " ",
                         "{",
                         "[",
                         "]",
                         "{]",
                         "[1,]",
                         "{,}",
                         "{\"a\"}",
                         "{\"a\":}",
                         "{a:1}",
                         "{\"a\":1,}",
                         "01",
                         "+1",
                         "1.",
                         ".5",
                         "1e",
                         "-",
                         "nul",
                         "True",
                         "'a'",
                         "\"a",
                         "\"\\x\"",
                         "\"\\u12g4\"",
                         "\"\n\"",
                         "\"\x01\"",
                         "1 2",
                         "{} {}",
                         "NaN",
                         "Infinity",
                         "\xef\xbb\xbf{}",
                         "\"\xc0\x80\"",
                         "\"\xed\xa0\x80\"",
                         "\"\xf4\x90\x80\x80\"",
                         "\"\xe2\x82\"",
                         "\"\x87\"",
                         "[1 2]",
                         "{\"a\" 1}",
                         "\"12345678\x02\"",
                         "//x\n1"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (ok(bad[i], strlen(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    }
    assert_false(ok("\"a\0b\"", 5));
    assert_false(ok("1\0", 2));
}

static void says_where(void **state)
{
    struct json_fault fault;
    assert_false(json_check(S("{\n  \"a\": \x87}"), &fault));
    assert_int_equal(fault.line, 2);
    assert_int_equal(fault.column, 8);
    assert_false(json_check(S("\"\x87\""), &fault));
    assert_string_equal(fault.what, "Invalid UTF-8 start byte 0x87");
    assert_int_equal(fault.at, 1);
}

static void depth_is_bounded(void **state)
{
    char deep[2 * JSON_DEPTH_MAX + 2];
    memset(deep, '[', JSON_DEPTH_MAX);
    memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_true(ok(deep, 2 * JSON_DEPTH_MAX));
    memset(deep, '[', JSON_DEPTH_MAX + 1);
    memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_false(ok(deep, 2 * JSON_DEPTH_MAX + 2));
}

/* Cuts and changes of a document are judged as jansson judges them. */
static void agrees_with_another_parser(void **state)
{
    const char *document = "{\"k\":[1,-2.5e3,true,null,\"\\u0041 \xc3\xa9\"],\"o\":{\"e\":{}}}";
    const char bytes[] = {0,   ' ', '"', ',', ':',  '{',    '}',
                          '[', ']', '0', 'e', '\\', '\x80', '\xc3'};
    size_t n = strlen(document);
    AUTO(free) char *copy = mem_new(n + 1);
    for (size_t at = 0; at < n; at++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            memcpy(copy, document, n);
            copy[at] = bytes[i];
            json_t *root = json_loadb(copy, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
            bool want = root != NULL;
            json_decref(root);
            if (ok(copy, n) != want)
                fail_msg("byte %d at %zu: jansson says %d", bytes[i], at, want);
        }
        assert_false(ok(document, at));
    }
}

static void weight_counts_values_outside_strings(void **state)
{
    assert_int_equal(json_weight(S("[[],[],[1,2]]"), 100), 8);
    assert_int_equal(json_weight(S("{\"a\":\"[,[,{\\\",\\\\\",\"b\":1}"), 100), 3);
    assert_int_equal(json_weight(S("\"not closed [[["), 100), 1);
    assert_int_equal(json_weight(S(""), 100), 1);
    assert_int_equal(json_weight(S("[[[[[[[["), 4), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_every_kind_of_value),
        cmocka_unit_test(refuses_what_is_not_json),
        cmocka_unit_test(says_where),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(agrees_with_another_parser),
        cmocka_unit_test(weight_counts_values_outside_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
