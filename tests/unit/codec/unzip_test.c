#include "../test.h"

#include "base/buf.h"
#include "base/mem.h"
#include "codec/unzip.h"

#include <stdio.h>
#include <sys/stat.h>

/* ---- plans ---- */

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

static struct unzip_entry file(const char *name)
{
    return (struct unzip_entry){.name = slice_str(name), .size = 1, .mode = S_IFREG | 0644};
}

static enum fault plan(const struct unzip_entry *entries, size_t n, struct unzip_plan *out)
{
    struct err err = {0};
    return unzip_make_plan(arena, entries, n, out, &err) ? FAULT_NONE : err.fault;
}

static enum fault plan_one(struct unzip_entry entry)
{
    struct unzip_plan out;
    return plan(&entry, 1, &out);
}

static void test_good_names(void **state)
{
    static const char *const good[] = {
        "app.py", "a/b/c", "./a",     "a/./b",           "\xc3\xbc \xe2\x98\x83",
        "...",    "a..b",  ".hidden", "\xf0\x9f\x90\x91"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_int_equal(plan_one(file(good[i])), FAULT_NONE);
}

static void test_bad_names(void **state)
{
    static const char *const bad[] = {"",
                                      "/",
                                      "/etc/passwd",
                                      "..",
                                      "../x",
                                      "a/..",
                                      "a/../b",
                                      "a//b",
                                      "a\\b",
                                      "..\\x",
                                      "\xff",
                                      "\xc0\xaf",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "a/\xc3",
                                      "C:\\x",
                                      "."};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(plan_one(file(bad[i])), FAULT_INVALID);
    struct unzip_entry zero = file("x");
    zero.name = S("a\0b");
    assert_int_equal(plan_one(zero), FAULT_INVALID);
}

static void test_long_and_deep_names(void **state)
{
    char name[2 * UNZIP_PATH_MAX];
    memset(name, 'n', sizeof name);
    name[UNZIP_PART_MAX] = '\0';
    assert_int_equal(plan_one(file(name)), FAULT_NONE);
    name[UNZIP_PART_MAX] = 'n';
    name[UNZIP_PART_MAX + 1] = '\0';
    assert_int_equal(plan_one(file(name)), FAULT_INVALID);
    for (size_t i = 0; i < UNZIP_DEPTH_MAX; i++)
        memcpy(name + 2 * i, "d/", 2);
    name[2 * UNZIP_DEPTH_MAX - 1] = '\0';
    assert_int_equal(plan_one(file(name)), FAULT_NONE);
    memcpy(name + 2 * UNZIP_DEPTH_MAX - 1, "/x", 3);
    assert_int_equal(plan_one(file(name)), FAULT_INVALID);
}

static void test_kinds(void **state)
{
    static const struct {
        uint32_t mode;
        const char *name;
        enum fault fault;
    } cases[] = {
        {S_IFREG | 0644, "x", FAULT_NONE},
        {S_IFREG | 0644, "x/", FAULT_INVALID},
        {S_IFDIR | 0755, "x/", FAULT_NONE},
        {S_IFDIR | 0755, "x", FAULT_NONE},
        {0, "x/", FAULT_NONE},
        {0, "x", FAULT_NONE},
        {S_IFLNK | 0777, "x", FAULT_NONE},
        {S_IFLNK | 0777, "x/", FAULT_INVALID},
        {S_IFCHR | 0666, "x", FAULT_INVALID},
        {S_IFBLK | 0666, "x", FAULT_INVALID},
        {S_IFIFO | 0666, "x", FAULT_INVALID},
        {S_IFSOCK | 0666, "x", FAULT_INVALID},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct unzip_entry entry = file(cases[i].name);
        entry.mode = cases[i].mode;
        entry.size = 0;
        assert_int_equal(plan_one(entry), cases[i].fault);
    }
    struct unzip_entry secret = file("x");
    secret.encrypted = true;
    assert_int_equal(plan_one(secret), FAULT_INVALID);
}

static void test_modes(void **state)
{
    static const struct {
        uint32_t mode, becomes;
    } cases[] = {{S_IFREG | 0777, 0755},
                 {S_IFREG | 0666, 0644},
                 {S_IFREG | 06755, 0755},
                 {S_IFREG | 0600, 0600},
                 {0, 0644}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct unzip_plan out;
        struct unzip_entry entry = file("x");
        entry.mode = cases[i].mode;
        assert_int_equal(plan(&entry, 1, &out), FAULT_NONE);
        assert_int_equal(out.items[0].mode, cases[i].becomes);
    }
}

static void test_collisions(void **state)
{
    struct unzip_plan out;
    const struct unzip_entry twice[] = {file("a"), file("./a")};
    const struct unzip_entry both[] = {file("a"), file("a/b")};
    const struct unzip_entry reverse[] = {file("a/b"), file("a")};
    struct unzip_entry through_link[] = {file("a"), file("a/b")};
    struct unzip_entry folders[] = {file("a/"), file("a/b"), file("a/")};
    through_link[0].mode = S_IFLNK | 0777;
    folders[0].mode = folders[2].mode = S_IFDIR | 0755;
    folders[0].size = folders[2].size = 0;
    assert_int_equal(plan(twice, 2, &out), FAULT_INVALID);
    assert_int_equal(plan(both, 2, &out), FAULT_INVALID);
    assert_int_equal(plan(reverse, 2, &out), FAULT_INVALID);
    assert_int_equal(plan(through_link, 2, &out), FAULT_INVALID);
    assert_int_equal(plan(folders, 3, &out), FAULT_NONE);
    assert_int_equal(out.count, 2);
    assert_int_equal(out.items[0].kind, UNZIP_DIR);
    assert_true(slice_eq(out.items[1].path, S("a/b")));
}

static void test_sizes(void **state)
{
    struct unzip_plan out;
    struct unzip_entry two[] = {file("a"), file("b")};
    two[0].size = UNZIP_UNPACKED_LIMIT - 2;
    assert_int_equal(plan(two, 2, &out), FAULT_NONE);
    two[0].size = UNZIP_UNPACKED_LIMIT - 1;
    assert_int_equal(plan(two, 2, &out), FAULT_LIMIT);
    two[0].size = UINT64_MAX;
    assert_int_equal(plan(two, 2, &out), FAULT_LIMIT);
    assert_int_equal(plan(two, 0, &out), FAULT_INVALID);
    assert_int_equal(plan(two, UNZIP_ENTRIES_MAX + 1, &out), FAULT_INVALID);
}

static void test_links(void **state)
{
    static const struct {
        const char *path, *target;
        bool inside;
    } cases[] = {
        {"l", "a", true},
        {"l", "a/b", true},
        {"d/l", "../a", true},
        {"d/e/l", "../../a", true},
        {"l", "./a", true},
        {"l", ".", true},
        {"l", "..", false},
        {"l", "../a", false},
        {"d/l", "../../a", false},
        {"l", "/a", false},
        {"l", "", false},
        {"l", "a/..", false},
        {"d/l", "x/../../..", false},
        {"l", "a\\b", false},
        {"d/l", "..", true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(unzip_link_is_inside(slice_str(cases[i].path), slice_str(cases[i].target)),
                         cases[i].inside);
}

/* ---- reading: zips with one stored entry, byte by byte ---- */

static void put(struct buf *b, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_char(b, (char)(value >> (8 * i)));
}

static uint32_t crc32_of(struct slice s)
{
    uint32_t c = ~0U;
    for (size_t i = 0; i < s.n; i++) {
        c ^= (unsigned char)s.p[i];
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320U : c >> 1;
    }
    return ~c;
}

static void put_head(struct buf *b, struct slice name, struct slice data, uint32_t size)
{
    put(b, 20, 2);
    put(b, 0x800, 2);
    put(b, 0, 2);
    put(b, 0x5a210000, 4);
    put(b, crc32_of(data), 4);
    put(b, data.n, 4);
    put(b, size, 4);
    put(b, name.n, 2);
    put(b, 0, 2);
}

static struct slice make_zip(struct buf *b, struct slice name, struct slice data, uint32_t size)
{
    put(b, 0x04034b50, 4);
    put_head(b, name, data, size);
    buf_slice(b, name);
    buf_slice(b, data);
    size_t directory = b->n;
    put(b, 0x02014b50, 4);
    put(b, 3 << 8 | 20, 2);
    put_head(b, name, data, size);
    put(b, 0, 6);
    put(b, (uint64_t)(S_IFREG | 0640) << 16, 4);
    put(b, 0, 4);
    buf_slice(b, name);
    size_t end = b->n;
    put(b, 0x06054b50, 4);
    put(b, 0, 4);
    put(b, 1, 2);
    put(b, 1, 2);
    put(b, end - directory, 4);
    put(b, directory, 4);
    put(b, 0, 2);
    return buf_all(b);
}

static bool collect(void *arg, struct slice piece, struct err *err)
{
    return buf_slice(arg, piece);
}

/* The content of the only entry, or the fault of whatever step failed. */
static enum fault read_zip(struct slice zip, struct buf *content, struct unzip_entry *out)
{
    struct err err = {0};
    struct unzip_entry *entries = NULL;
    size_t count = 0;
    struct unzip_reader *reader = unzip_reader_open(zip, &err);
    bool ok = reader && unzip_reader_list(reader, arena, &entries, &count, &err) && count == 1 &&
              unzip_reader_extract(reader, 0, collect, content, &err);
    if (ok) {
        *out = entries[0];
        out->name = arena_dup(arena, out->name);
    }
    unzip_reader_close(reader);
    return ok ? FAULT_NONE : err.fault;
}

static void test_read(void **state)
{
    AUTO(buf) struct buf zip = BUF_INIT(10000);
    AUTO(buf) struct buf content = BUF_INIT(10000);
    struct unzip_entry entry;
    struct slice good = make_zip(&zip, S("app.py"), S("print()"), 7);
    assert_int_equal(read_zip(good, &content, &entry), FAULT_NONE);
    assert_true(slice_eq(buf_all(&content), S("print()")));
    assert_true(slice_eq(entry.name, S("app.py")));
    assert_int_equal(entry.mode, S_IFREG | 0640);
    for (size_t n = 0; n < good.n; n++) {
        buf_clear(&content);
        assert_int_equal(read_zip(slice_sub(good, 0, n), &content, &entry), FAULT_INVALID);
    }
}

static void test_lies(void **state)
{
    AUTO(buf) struct buf content = BUF_INIT(10000);
    struct unzip_entry entry;
    for (uint32_t size = 0; size < 20; size++) {
        AUTO(buf) struct buf zip = BUF_INIT(10000);
        struct slice lie = make_zip(&zip, S("x"), S("0123456789"), size);
        buf_clear(&content);
        assert_int_equal(read_zip(lie, &content, &entry), size == 10 ? FAULT_NONE : FAULT_INVALID);
    }
    AUTO(buf) struct buf hidden = BUF_INIT(10000);
    buf_clear(&content);
    assert_int_equal(read_zip(make_zip(&hidden, S("a\0../../x"), S("1"), 1), &content, &entry),
                     FAULT_INVALID);
    AUTO(buf) struct buf damaged = BUF_INIT(10000);
    struct slice zip = make_zip(&damaged, S("x"), S("0123456789"), 10);
    damaged.p[31] ^= 1;
    buf_clear(&content);
    assert_int_equal(read_zip(zip, &content, &entry), FAULT_INVALID);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good_names), TEST(test_bad_names), TEST(test_long_and_deep_names),
        TEST(test_kinds),      TEST(test_modes),     TEST(test_collisions),
        TEST(test_sizes),      TEST(test_links),     TEST(test_read),
        TEST(test_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
