/* Which parked runtime a function can go on in. */
#include "test.h"

#include "env/spec.h"

#include <stdlib.h>
#include <string.h>

static void add(struct sandbox_spec *spec, const char *const *strings, uint32_t *count)
{
    for (; *strings; strings++, (*count)++) {
        size_t n = strlen(*strings) + 1;
        memcpy(spec->strings + spec->strings_len, *strings, n);
        spec->strings_len += (uint32_t)n;
    }
}

static struct sandbox_spec *make(const char *const *args, const char *const *variables)
{
    struct sandbox_spec *spec = calloc(1, sizeof *spec);
    strcpy(spec->runtime, "python");
    add(spec, args, &spec->argc);
    add(spec, variables, &spec->envc);
    return spec;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ARGS LIST("/usr/bin/python3", "boot.py")

static bool serves(const char *const *args, const char *const *parked, const char *const *wanted)
{
    struct sandbox_spec *one = make(ARGS, parked);
    struct sandbox_spec *other = make(args, wanted);
    bool does = spec_serves(one, other, S("PYTHON* EXACT"));
    free(one);
    free(other);
    return does;
}

static void test_what_is_read_later_may_differ(void **state)
{
    assert_true(serves(ARGS, LIST("TZ=:UTC", "_ROOM=   "), LIST("COLOUR=blue", "TZ=:UTC")));
    assert_true(serves(ARGS, LIST("X=1"), LIST("EXACTLY=1", "MYPYTHON=1", "X=2")));
}

static void test_what_is_read_at_the_start_may_not(void **state)
{
    assert_false(serves(ARGS, LIST("A=1"), LIST("PYTHONHASHSEED=0")));
    assert_false(serves(ARGS, LIST("PYTHONPATH=/a"), LIST("PYTHONPATH=/b")));
    assert_false(serves(ARGS, LIST("PYTHONPATH=/a"), LIST("A=1")));
    assert_false(serves(ARGS, LIST("A=1"), LIST("EXACT=")));
    assert_false(serves(ARGS, LIST("TZ=:UTC"), LIST("TZ=Europe/Berlin")));
    assert_false(serves(ARGS, LIST("A=1"), LIST("LD_PRELOAD=/var/task/x.so")));
}

static void test_other_arguments_or_files(void **state)
{
    assert_false(serves(LIST("/usr/bin/python3", "other.py"), LIST("A=1"), LIST("A=1")));
    assert_false(serves(LIST("/wrap", "/usr/bin/python3", "boot.py"), LIST("A=1"), LIST("A=1")));
    struct sandbox_spec *one = make(ARGS, LIST("A=1"));
    struct sandbox_spec *other = make(ARGS, LIST("A=1"));
    assert_true(spec_serves(one, other, S("")));
    strcpy(other->rootfs, "python3.13");
    assert_false(spec_serves(one, other, S("")));
    strcpy(one->rootfs, "python3.13");
    strcpy(other->runtime, "ruby");
    assert_false(spec_serves(one, other, S("")));
    free(one);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read_later_may_differ),
        cmocka_unit_test(test_what_is_read_at_the_start_may_not),
        cmocka_unit_test(test_other_arguments_or_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
