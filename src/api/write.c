#include "api/internal.h"

enum { SAVED_MAGIC = 0x73617665 };

/* The answer of a call whose write is under way; in the call's arena. */
struct saved {
    uint32_t magic;
    struct call *call;
    int status;
    const void *output;
};

static void on_saved(void *arg, const struct err *err)
{
    const struct saved *saved = CAST(saved, arg, SAVED_MAGIC);
    if (err)
        api_store_failed(saved->call, err);
    else
        call_ok(saved->call, saved->status, saved->output);
}

struct table_write *api_write(const struct call *call)
{
    return table_write_new(api_resources(call)->tables);
}

void api_commit(struct call *call, struct table_write *write, int status, const void *output)
{
    struct saved *saved = ARENA_NEW(call->arena, saved);
    *saved = (struct saved){SAVED_MAGIC, call, status, output};
    table_commit(write, on_saved, saved);
}

const struct resources *api_resources(const struct call *call)
{
    const struct api_context *api = call->context;
    return functions_resources(api->functions);
}

struct slice api_key(const struct call *call, const struct target *target, struct slice qualifier)
{
    return arena_printf(call->arena, "%.*s %.*s %.*s%s%.*s", FMT(target->account),
                        FMT(target->region), FMT(target->name), qualifier.p ? " " : "",
                        FMT(qualifier));
}

struct slice api_revision(const struct call *call)
{
    char id[ID_UUID_LEN + 1];
    id_uuid(id);
    return arena_dup(call->arena, slice_str(id));
}

size_t api_rows(struct call *call, const struct table *table, struct slice key, struct slice marker,
                size_t limit, const struct table_row **out, struct slice *next)
{
    struct slice prefix = arena_printf(call->arena, "%.*s ", FMT(key));
    struct slice after =
        marker.n ? arena_printf(call->arena, "%.*s%.*s", FMT(prefix), FMT(marker)) : marker;
    const struct table_row *below = NULL;
    const void *own = marker.n ? NULL : table_get(table, key);
    struct table_row *rows = arena_array(call->arena, limit + 2, sizeof *rows);
    size_t n = 0;
    if (own)
        rows[n++] = (struct table_row){key, own};
    size_t more = table_page(table, call->arena, prefix, after, limit + 1 - n, &below);
    if (more)
        memcpy(rows + n, below, more * sizeof *rows);
    n += more;
    *out = rows;
    if (n <= limit)
        return n;
    struct slice last = rows[limit - 1].key;
    *next = last.n > prefix.n ? slice_sub(last, prefix.n, last.n) : S("$LATEST");
    return limit;
}

struct aws_list api_values(const struct call *call, const struct table_row *rows, size_t n)
{
    void **items = arena_array(call->arena, n + 1, sizeof *items);
    for (size_t i = 0; i < n; i++)
        items[i] = (void *)(uintptr_t)rows[i].value;
    return (struct aws_list){true, n, items};
}

size_t api_limit(struct opt_i64 max_items, size_t most)
{
    return max_items.set && max_items.v < (int64_t)most ? (size_t)max_items.v : most;
}

bool api_revision_matches(struct call *call, struct slice given, struct slice actual,
                          const char *reader)
{
    if (!given.p || slice_eq(given, actual))
        return true;
    call_fail(call, "PreconditionFailedException",
              "The Revision Id provided does not match the latest Revision Id. Call the %s API to "
              "retrieve the latest Revision Id",
              reader);
    return false;
}
