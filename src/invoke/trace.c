#include "invoke/trace.h"

#include "base/clock.h"
#include "base/id.h"

#include <stdio.h>

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
    return s.n == 35 && slice_starts(s, S("1-")) && is_hex(slice_sub(s, 2, 8), 8) &&
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

struct slice trace_header(char to[TRACE_MAX], struct slice sent)
{
    char hex[64];
    struct slice root = member(sent, S("Root"));
    struct slice parent = member(sent, S("Parent"));
    struct slice lineage = member(sent, S("Lineage"));
    bool sampled = slice_eq(member(sent, S("Sampled")), S("1"));
    int n = 0;
    if (is_root(root)) {
        n = snprintf(to, TRACE_MAX, "Root=%.*s", FMT(root));
    } else {
        id_hex(hex, 24);
        n = snprintf(to, TRACE_MAX, "Root=1-%08x-%s", (unsigned)(clock_wall_ms() / 1000), hex);
    }
    if (!is_hex(parent, 16)) {
        id_hex(hex, 16);
        parent = slice_str(hex);
    }
    n += snprintf(to + n, TRACE_MAX - (size_t)n, ";Parent=%.*s;Sampled=%d", FMT(parent), sampled);
    if (is_plain(lineage) && lineage.n < 64)
        n += snprintf(to + n, TRACE_MAX - (size_t)n, ";Lineage=%.*s", FMT(lineage));
    return (struct slice){to, (size_t)n};
}
