#include "test.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

static void slice_numbers_are_strict(void **state)
{
    uint64_t u = 7;
    int64_t i = 7;
    const char *bad[] = {"", "+5", " 5", "5 ", "0x5", "-1", "18446744073709551616", "1e3"};
    for (size_t k = 0; k < COUNT_OF(bad); k++)
        assert_false(slice_u64(slice_str(bad[k]), &u));
    assert_int_equal(u, 7);
    assert_true(slice_u64(S("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_true(slice_i64(S("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_false(slice_i64(S("9223372036854775808"), &i));
    assert_false(slice_i64(S("--1"), &i));
}

static void slice_cut_gives_every_part(void **state)
{
    struct slice rest = S("a,,b,"), part;
    const char *want[] = {"a", "", "b", ""};
    size_t n = 0;
    while (slice_cut(&rest, ',', &part)) {
        assert_true(n < COUNT_OF(want));
        assert_true(slice_eq(part, slice_str(want[n++])));
    }
    assert_int_equal(n, COUNT_OF(want));
}

static void slice_parts_and_searches(void **state)
{
    assert_int_equal(slice_find(S("abcabc"), 'b'), 1);
    assert_int_equal(slice_rfind(S("abcabc"), 'b'), 4);
    assert_int_equal(slice_find(S("abc"), 'z'), SIZE_MAX);
    assert_true(slice_eq(slice_trim(S(" \ta b\t ")), S("a b")));
    assert_true(slice_eq(slice_sub(S("abc"), 1, 99), S("bc")));
    assert_int_equal(slice_sub(S("abc"), 9, 9).n, 0);
    assert_true(slice_starts(S("abc"), S("ab")) && slice_ends(S("abc"), S("bc")));
    assert_true(slice_eq_nocase(S("Content-LENGTH"), S("content-length")));
    assert_true(slice_cmp(S("a"), S("ab")) < 0 && slice_cmp(S("b"), S("ab")) > 0);
}

static void slice_knows_utf8(void **state)
{
    const char *const good[] = {"a",
                                "\x7f",
                                "\xc2\x80",
                                "\xdf\xbf",
                                "\xe0\xa0\x80",
                                "\xed\x9f\xbf",
                                "\xee\x80\x80",
                                "\xf0\x90\x80\x80",
                                "\xf4\x8f\xbf\xbf"};
    const char *const bad[] = {"",
                               "\x80",
                               "\xc1\xbf",
                               "\xc2",
                               "\xc2\x7f",
                               "\xc2\xc0",
                               "\xe0\x9f\xbf",
                               "\xed\xa0\x80",
                               "\xe2\x82",
                               "\xe2\x82\xc0",
                               "\xf0\x8f\xbf\xbf",
                               "\xf4\x90\x80\x80",
                               "\xf0\x90\x80",
                               "\xf5\x80\x80\x80",
                               "\xff"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_int_equal(slice_utf8(slice_str(good[i])), strlen(good[i]));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(slice_utf8(slice_str(bad[i])), 0);
    assert_int_equal(slice_utf8(S("\xc3\xa4\xff")), 2);
    assert_int_equal(slice_utf8(S("\0")), 1);
}

static void buf_stops_at_its_limit_and_stays_valid(void **state)
{
    AUTO(buf) struct buf b = BUF_INIT(8);
    assert_true(buf_slice(&b, S("12345")));
    assert_false(buf_slice(&b, S("6789")));
    assert_true(b.over);
    assert_false(buf_char(&b, 'x')); /* what follows a gap is left out too */
    assert_true(slice_eq(buf_all(&b), S("12345")));
    buf_clear(&b);
    assert_true(buf_u64(&b, 90210));
    buf_drop(&b, 2);
    assert_true(slice_eq(buf_all(&b), S("210")));
}

static void buf_prints_long_text(void **state)
{
    AUTO(buf) struct buf b = BUF_INIT(10000);
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_true(buf_printf(&b, "%s|%d", longer, 7));
    assert_int_equal(b.n, sizeof longer - 1 + 2);
    assert_true(slice_ends(buf_all(&b), S("x|7")));
}

static void arena_keeps_everything_until_cleared(void **state)
{
    AUTO(arena) struct arena *a = arena_new();
    struct slice first = arena_printf(a, "%s", "kept");
    for (int i = 0; i < 1000; i++)
        assert_true(((uintptr_t)arena_alloc(a, 100) & 15) == 0);
    assert_non_null(arena_alloc(a, 1 << 20));
    assert_true(slice_eq(first, S("kept")));
    assert_null(arena_dup(a, (struct slice){NULL, 0}).p);
    arena_clear(a);
    assert_non_null(arena_alloc(a, 16));
}

static void map_survives_growth_and_removal(void **state)
{
    enum { N = 2000 };
    static char keys[N][16];
    static int values[N];
    struct map *m = map_new();
    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof keys[i], "key-%d", i);
        assert_null(map_put(m, slice_str(keys[i]), &values[i]));
    }
    for (int i = 0; i < N; i += 2)
        assert_ptr_equal(map_remove(m, slice_str(keys[i])), &values[i]);
    assert_int_equal(map_count(m), N / 2);
    for (int i = 0; i < N; i++)
        assert_ptr_equal(map_get(m, slice_str(keys[i])), i % 2 ? &values[i] : NULL);
    size_t at = 0, seen = 0;
    for (void *v; map_next(m, &at, &v);)
        seen++;
    assert_int_equal(seen, N / 2);
    assert_null(map_remove(m, S("no such key")));
    map_free(m);
}

struct item {
    int n;
    struct list link;
};

static void list_allows_removal_while_walking(void **state)
{
    struct list head;
    struct item items[4];
    list_init(&head);
    for (int i = 0; i < 4; i++) {
        items[i].n = i;
        list_push_back(&head, &items[i].link);
    }
    LIST_EACH(link, &head)
    {
        if (LIST_ITEM(link, item, link)->n % 2 == 0)
            list_remove(link);
    }
    assert_int_equal(LIST_FIRST(&head, item, link)->n, 1);
    assert_int_equal(LIST_LAST(&head, item, link)->n, 3);
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    list_remove(&items[3].link);
    assert_true(list_empty(&head));
}

static void ids_are_well_formed_and_differ(void **state)
{
    char a[ID_UUID_LEN + 1], b[ID_UUID_LEN + 1], h[ID_HEX_LEN + 1];
    id_uuid(a);
    id_uuid(b);
    id_hex(h, ID_HEX_LEN);
    assert_true(id_is_uuid(slice_str(a)) && a[14] == '4');
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(h), ID_HEX_LEN);
    assert_false(id_is_uuid(S("01234567-89ab-cdef-0123-456789abcdeg")));
    assert_false(id_is_uuid(S("0123456789abcdef0123456789abcdef0123")));
}

static void err_tells_the_story_from_outside_in(void **state)
{
    struct err err;
    assert_false(err_os(&err, ENOENT, "open %s", "x"));
    assert_false(err_add(&err, "start"));
    assert_string_equal(err.msg, "start: open x: No such file or directory");
    assert_int_equal(err.os, ENOENT);
}

static void clock_can_stand_still(void **state)
{
    clock_freeze(5, 6);
    assert_int_equal(clock_mono_ns(), 5);
    assert_int_equal(clock_wall_ms(), 6);
    clock_freeze(0, 0);
    assert_true(clock_wall_ms() > UINT64_C(1600000000000));
}

static void clock_reads_rfc3339(void **state)
{
    uint64_t ms = 0;
    assert_true(clock_parse(S("2024-03-04T17:37:38.033Z"), &ms));
    assert_int_equal(ms, UINT64_C(1709573858033));
    assert_true(clock_parse(S("2024-03-04t17:37:38z"), &ms));
    assert_int_equal(ms, UINT64_C(1709573858000));
    assert_true(clock_parse(S("2024-03-04T18:07:38.0339999+00:30"), &ms));
    assert_int_equal(ms, UINT64_C(1709573858033));
    assert_true(clock_parse(S("2024-03-03T23:37:38.5-18:00"), &ms));
    assert_int_equal(ms, UINT64_C(1709573858500));
    const char *const bad[] = {"",
                               "2024-03-04",
                               "2024-03-04T17:37:38",
                               "2024-03-04 17:37:38Z",
                               "2024-03-04T17:37:38.Z",
                               "2024-03-04T17:37:38Zx",
                               "2024-13-04T17:37:38Z",
                               "2024-00-04T17:37:38Z",
                               "2024-03-00T17:37:38Z",
                               "2024-03-04T24:37:38Z",
                               "2024-03-04T17:37:38+01",
                               "2024-03-04T17:37:38+0100",
                               "2024-03-04T17:37:38+24:00",
                               "1969-12-31T23:59:59Z",
                               "+024-03-04T17:37:38Z"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (clock_parse(slice_str(bad[i]), &ms))
            fail_msg("taken: %s", bad[i]);
    }
    assert_false(clock_parse((struct slice){NULL, 0}, &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice_numbers_are_strict),
        cmocka_unit_test(slice_cut_gives_every_part),
        cmocka_unit_test(slice_parts_and_searches),
        cmocka_unit_test(slice_knows_utf8),
        cmocka_unit_test(buf_stops_at_its_limit_and_stays_valid),
        cmocka_unit_test(buf_prints_long_text),
        cmocka_unit_test(arena_keeps_everything_until_cleared),
        cmocka_unit_test(map_survives_growth_and_removal),
        cmocka_unit_test(list_allows_removal_while_walking),
        cmocka_unit_test(ids_are_well_formed_and_differ),
        cmocka_unit_test(err_tells_the_story_from_outside_in),
        cmocka_unit_test(clock_can_stand_still),
        cmocka_unit_test(clock_reads_rfc3339),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
