#include "aws/target.h"

enum { PARTS_MAX = 8 };

static size_t split(struct slice name, struct slice parts[PARTS_MAX])
{
    size_t n = 0;
    struct slice part;
    while (slice_cut(&name, ':', &part)) {
        if (n == PARTS_MAX)
            return 0;
        parts[n++] = part;
    }
    return n;
}

/* parts: NAME [QUALIFIER], behind everything else. */
static bool take_name(const struct slice *parts, size_t n, struct target *out)
{
    if (n < 1 || n > 2 || !parts[0].n)
        return false;
    out->name = parts[0];
    if (n == 2)
        out->qualifier = parts[1];
    return true;
}

static bool parse(struct slice name, struct target *out)
{
    struct slice parts[PARTS_MAX];
    size_t n = split(name, parts);
    size_t at = 0;
    if (n >= 6 && slice_eq(parts[0], S("arn"))) { /* arn:aws:lambda:R:A:function:NAME[:Q] */
        out->region = parts[3];
        out->account = parts[4];
        if (!slice_eq(parts[2], S("lambda")) || !slice_eq(parts[5], S("function")))
            return false;
        at = 6;
        if (n == 6) { /* the name missing: a function called "function" */
            out->name = S("function");
            return true;
        }
    } else if (n >= 3 && slice_eq(parts[1], S("function"))) {
        out->account = parts[0];
        at = 2;
    } else if (n >= 2 && slice_eq(parts[0], S("function"))) {
        at = 1;
    }
    return take_name(parts + at, n - at, out);
}

enum target_fault target_parse(struct slice name, struct slice qualifier, struct slice account,
                               struct slice region, struct target *out)
{
    *out = (struct target){.account = account, .region = region};
    if (!parse(name, out))
        return TARGET_BAD_NAME;
    if (!slice_eq(out->region, region))
        return TARGET_REGION;
    if (qualifier.p && out->qualifier.p && !slice_eq(qualifier, out->qualifier))
        return TARGET_CONFLICT;
    if (qualifier.p)
        out->qualifier = qualifier;
    return TARGET_OK;
}

struct slice target_arn(struct arena *arena, const struct target *target, struct slice qualifier)
{
    return arena_printf(arena, "arn:aws:lambda:%.*s:%.*s:function:%.*s%s%.*s", FMT(target->region),
                        FMT(target->account), FMT(target->name), qualifier.p ? ":" : "",
                        FMT(qualifier));
}
