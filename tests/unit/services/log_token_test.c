#include "../test.h"

#include "base/mem.h"
#include "services/log_token.h"

static struct arena *arena;

static void test_keys(void **state)
{
    const struct log_key keys[] = {
        {0, 0}, {1700000000000, UINT64_C(1) << 32}, {UINT64_MAX, UINT64_MAX}};
    struct log_key read;
    bool backward = false;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct slice text = log_token_key(arena, keys[i]);
        assert_int_equal(text.n, 56);
        assert_true(log_token_read_key(text, &read));
        assert_true(read.ms == keys[i].ms && read.position == keys[i].position);
        assert_true(log_token_read_page(log_token_page(arena, i % 2, keys[i]), &backward, &read));
        assert_true(read.ms == keys[i].ms && read.position == keys[i].position);
        assert_int_equal(backward, i % 2);
    }
}

static void test_arrival(void **state)
{
    uint64_t created = 0;
    uint64_t position = 0;
    assert_true(log_token_read_arrival(log_token_arrival(arena, 12, 34), &created, &position));
    assert_true(created == 12 && position == 34);
}

static void test_others(void **state)
{
    static const char *const bad[] = {
        "",
        "1",
        "f",
        "f/",
        "f//s",
        "b/s",
        "a",
        "a/",
        "a/1",
        "a/1/",
        "a//1",
        "a/1/x",
        "a/1/2/3",
        "f/99999999999999999999999999999999999999999999999999999999/s",
        "99999999999999999999999999999999999999999999999999999999",
        "f/00000000000000000000000000000000000000000000000000000001",
        "x/1/2"};
    struct log_key key;
    uint64_t created = 0;
    uint64_t position = 0;
    bool backward = false;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(log_token_read_key(slice_str(bad[i]), &key));
        assert_false(log_token_read_page(slice_str(bad[i]), &backward, &key));
        assert_false(log_token_read_arrival(slice_str(bad[i]), &created, &position));
    }
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_arrival),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
