#include "../test.h"

#include "base/mem.h"
#include "front/marker.h"
#include "lambda_api.h"

static struct arena *arena;

static int setup(void **state)
{
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

static struct slice given(const char *key)
{
    const struct lambda_ListFunctionsResponse plain = {.NextMarker = slice_str(key)};
    const struct lambda_ListFunctionsResponse *out =
        marker_wrap(&lambda_op_ListFunctions, &plain, arena);
    assert_true(slice_eq(plain.NextMarker, slice_str(key)));
    return out->NextMarker;
}

static bool takes(struct slice marker, const char *key)
{
    struct lambda_ListFunctionsRequest input = {.Marker = marker};
    return marker_unwrap(&lambda_op_ListFunctions, &input, arena) &&
           slice_eq(input.Marker, slice_str(key));
}

static void test_round_trip(void **state)
{
    static const char *const keys[] = {
        "a", "ab", "abc", "name:12", "\xc3\xa4 \xf0\x9f\x98\x80", "~~~\x7f\x7f"};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct slice marker = given(keys[i]);
        for (size_t n = 0; n < marker.n; n++)
            assert_null(strchr("+/=&?% ", marker.p[n])); /* as it stands in a query */
        assert_true(takes(marker, keys[i]));
    }
}

static void test_none(void **state)
{
    struct lambda_ListFunctionsRequest input = {.Marker = {NULL, 0}};
    const struct lambda_ListFunctionsResponse last = {.NextMarker = {NULL, 0}};
    struct lambda_GetFunctionRequest other = {.FunctionName = S("f")};
    assert_true(marker_unwrap(&lambda_op_ListFunctions, &input, arena));
    input.Marker = S("");
    assert_true(marker_unwrap(&lambda_op_ListFunctions, &input, arena));
    assert_ptr_equal(marker_wrap(&lambda_op_ListFunctions, &last, arena), &last);
    assert_null(marker_wrap(&lambda_op_ListFunctions, NULL, arena));
    assert_true(marker_unwrap(&lambda_op_GetFunction, &other, arena)); /* has no pages */
}

static void test_what_was_not_given_out(void **state)
{
    struct slice marker = given("name");
    struct lambda_ListVersionsByFunctionRequest other = {.Marker = marker};
    assert_false(marker_unwrap(&lambda_op_ListVersionsByFunction, &other, arena));
    for (size_t i = 0; i < marker.n; i++) {
        char *changed = mem_str(marker);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_false(takes(slice_str(changed), "name"));
        assert_false(takes(slice_sub(marker, 0, i), "name") && i > 0);
        free(changed);
    }
    static const char *const bad[] = {"x", "AAAA", "AAAAAAAAAAA", "=", "%", "\xff", "name", " "};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(takes(slice_str(bad[i]), "name"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_none),
                                       cmocka_unit_test(test_what_was_not_given_out)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
