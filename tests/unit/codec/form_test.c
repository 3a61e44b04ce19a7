#include "test.h"

#include "base/buf.h"
#include "base/mem.h"
#include "codec/form.h"

struct row {
    const char *text;
    const char *pairs; /* name=value| each, decoded; NULL: refused */
};

static const struct row rows[] = {
    {"", ""},
    {"a=b", "a=b|"},
    {"a=b&c=d", "a=b|c=d|"},
    {"a", "a=|"},
    {"a=", "a=|"},
    {"=b", "=b|"},
    {"&&a=b&", "a=b|"},
    {"a=b=c", "a=b=c|"},
    {"a+b=c+d", "a b=c d|"},
    {"a%20b=%3D%26%2b", "a b==&+|"},
    {"Tags.member.1.Key=x", "Tags.member.1.Key=x|"},
    {"a=%c3%A9", "a=\xc3\xa9|"},
    {"a=\xc3\xa9", "a=\xc3\xa9|"},
    {"a=%", NULL},
    {"a=%4", NULL},
    {"a=%4g", NULL},
    {"%zz=1", NULL},
    {"a=%00", NULL},
    {"a=%ff", NULL},
    {"a=\xc3", NULL},
    {"a=%ed%a0%80", NULL}, /* a surrogate */
    {"1&2&3&4&5&6", NULL}, /* more than the five that this test allows */
};

static void forms_are_taken_apart(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        AUTO(buf) struct buf got = BUF_INIT(1024);
        struct form form;
        bool good = form_parse(slice_str(rows[i].text), 5, arena, &form);
        for (size_t k = 0; good && k < form.n; k++)
            buf_printf(&got, "%.*s=%.*s|", FMT(form.pairs[k].name), FMT(form.pairs[k].value));
        if (good != (rows[i].pairs != NULL) ||
            (good && !slice_eq(buf_all(&got), slice_str(rows[i].pairs))))
            fail_msg("row %zu: %s became %.*s", i, rows[i].text, FMT(buf_all(&got)));
    }
}

static void the_first_of_a_name_counts(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct form form;
    assert_true(form_parse(S("a=1&b=&a=2"), 10, arena, &form));
    assert_true(slice_eq(form_get(&form, S("a")), S("1")));
    assert_true(form_get(&form, S("b")).p != NULL);
    assert_null(form_get(&form, S("c")).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_taken_apart),
        cmocka_unit_test(the_first_of_a_name_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
