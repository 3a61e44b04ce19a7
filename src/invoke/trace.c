#include "invoke/trace.h"

#include "base/clock.h"
#include "base/id.h"

enum { ROOT_LEN = 35 };

static bool is_hex(struct slice s, size_t n)
{
    if (s.n != n)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return true;
}

/* 1-5bef4de7-ad49b0e87f6ef6c87fc2e700 */
static bool is_root(struct slice s)
{
    return s.n == ROOT_LEN && slice_starts(s, S("1-")) && is_hex(slice_sub(s, 2, 8), 8) &&
           s.p[10] == '-' && is_hex(slice_sub(s, 11, 24), 24);
}

static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c <= ' ' || c > '~' || c == ';')
            return false;
    }
    return s.n > 0;
}

/* The value of `key` among "Key=value;Key=value"; absent if there is none. */
static struct slice member(struct slice header, struct slice key)
{
    struct slice part;
    while (slice_cut(&header, ';', &part)) {
        part = slice_trim(part);
        if (part.n > key.n && slice_eq_nocase(slice_sub(part, 0, key.n), key) &&
            part.p[key.n] == '=')
            return slice_sub(part, key.n + 1, part.n);
    }
    return (struct slice){NULL, 0};
}

static void put(char to[TRACE_MAX], size_t *n, struct slice text)
{
    must(text.n <= TRACE_MAX - *n);
    if (!text.n)
        return;
    memcpy(to + *n, text.p, text.n);
    *n += text.n;
}

/* 1-<8 hex digits: seconds>-<24 random ones> */
static struct slice new_root(char to[ROOT_LEN + 1])
{
    uint64_t seconds = clock_wall_ms() / 1000;
    memcpy(to, "1-", 2);
    for (size_t i = 0; i < 8; i++)
        to[2 + i] = "0123456789abcdef"[seconds >> (28 - 4 * i) & 15];
    to[10] = '-';
    id_hex(to + 11, 24);
    return (struct slice){to, ROOT_LEN};
}

struct slice trace_header(char to[TRACE_MAX], struct slice sent)
{
    char made_root[ROOT_LEN + 1];
    char made_parent[16 + 1];
    struct slice root = member(sent, S("Root"));
    struct slice parent = member(sent, S("Parent"));
    struct slice lineage = member(sent, S("Lineage"));
    bool sampled = slice_eq(member(sent, S("Sampled")), S("1"));
    size_t n = 0;
    if (!is_root(root))
        root = new_root(made_root);
    if (!is_hex(parent, 16)) {
        id_hex(made_parent, 16);
        parent = (struct slice){made_parent, 16};
    }
    put(to, &n, S("Root="));
    put(to, &n, root);
    put(to, &n, S(";Parent="));
    put(to, &n, parent);
    put(to, &n, sampled ? S(";Sampled=1") : S(";Sampled=0"));
    if (is_plain(lineage) && lineage.n < 64) {
        put(to, &n, S(";Lineage="));
        put(to, &n, lineage);
    }
    return (struct slice){to, n};
}
