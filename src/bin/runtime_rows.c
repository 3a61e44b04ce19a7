#include "bin/runtime_rows.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static struct slice letters(struct slice name)
{
    size_t n = 0;
    while (n < name.n && name.p[n] >= 'a' && name.p[n] <= 'z')
        n++;
    return slice_sub(name, 0, n);
}

struct slice runtime_row_language(const struct runtime_row *row)
{
    return letters(row->id->name);
}

const char *runtime_row_state(const struct runtime_row *row)
{
    return !row->runs ? "missing" : row->choice.exact ? "exact" : "nearest";
}

static int by_name(const void *a, const void *b)
{
    const struct runtime_name *x = ((const struct runtime_row *)a)->id;
    const struct runtime_name *y = ((const struct runtime_row *)b)->id;
    return x->retired != y->retired ? x->retired - y->retired : strverscmp(x->name.p, y->name.p);
}

static void fill(struct runtime_row *row, const struct runtimes *runtimes)
{
    struct err err;
    row->runs = runtimes_choose(runtimes, row->id->name, &row->choice, &err);
    if (!row->runs) {
        snprintf(row->why_not, sizeof row->why_not, "%s", err.msg);
        return;
    }
    row->rootfs = slice_str(runtimes_root(runtimes, row->choice.rootfs));
    if (!row->choice.language.n)
        return;
    struct slice prefix = runtimes_conf(runtimes, row->choice.language)->prefix;
    struct slice digits = slice_sub(prefix, letters(prefix).n, prefix.n); /* the "3." of python3. */
    snprintf(row->version, sizeof row->version, "%.*s%llu", FMT(digits),
             (unsigned long long)row->choice.version);
}

bool runtime_rows(const struct settings *s, struct runtime_row out[RUNTIME_NAMES], struct err *err)
{
    static struct env_rootfs rootfs[SETTING_ROOTFS_MAX];
    static struct env_settings env;
    env = env_settings_default;
    env.runtimes_dir = s->runtimes_dir;
    env.runtime_exact = s->runtime_exact;
    env.rootfs = rootfs;
    env.rootfs_count = settings_rootfs(s, rootfs);
    const struct runtimes *runtimes = runtimes_load(&env, err); /* kept: the rows point into it */
    if (!runtimes)
        return false;
    for (size_t i = 0; i < RUNTIME_NAMES; i++) {
        out[i] = (struct runtime_row){.id = &runtime_names[i]};
        fill(&out[i], runtimes);
    }
    qsort(out, RUNTIME_NAMES, sizeof *out, by_name);
    return true;
}
