/* What the operations of IAM have in common. */
#include "services/iam.h"

#include "aws/codec.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "services/internal.h"

enum { PAGE_DEFAULT = 100, MARKER_MAX = 1024 };

static const char *const words[] = {
    [IAM_ROLE] = "role", [IAM_USER] = "user", [IAM_GROUP] = "group"};

const char *iam_word(enum iam_kind kind)
{
    return words[kind];
}

struct table *iam_table(const struct iam *iam, enum iam_kind kind)
{
    return kind == IAM_ROLE ? iam->roles : kind == IAM_USER ? iam->users : iam->groups;
}

const struct iam_Entity *iam_find(struct call *call, enum iam_kind kind, struct slice name)
{
    const struct iam_Entity *found =
        table_get(iam_table(call->context, kind), iam_key(call->arena, call->account, name));
    if (!found)
        call_fail(call, "NoSuchEntity", "The %s with name %.*s cannot be found.", words[kind],
                  FMT(name));
    return found;
}

bool iam_is_new(struct call *call, enum iam_kind kind, struct slice name)
{
    static const char *const titles[] = {
        [IAM_ROLE] = "Role", [IAM_USER] = "User", [IAM_GROUP] = "Group"};
    bool there =
        table_has(iam_table(call->context, kind), iam_key(call->arena, call->account, name));
    if (there)
        call_fail(call, "EntityAlreadyExists", "%s with name %.*s already exists.", titles[kind],
                  FMT(name));
    return !there;
}

struct slice iam_make_arn(struct call *call, const char *kind, struct slice path, struct slice name)
{
    return arena_printf(call->arena, "arn:aws:iam::%.*s:%s%.*s%.*s", FMT(call->account), kind,
                        FMT(path), FMT(name));
}

struct opt_f64 iam_now(void)
{
    uint64_t seconds = clock_wall_ms() / 1000;
    return OPT_F64((double)seconds);
}

/* ---- changes ---- */

struct change { /* in the call's arena */
    struct call *call;
    const void *output;
};

static void on_written(void *arg, const struct err *err)
{
    const struct change *change = arg;
    if (err)
        call_fail_err(change->call, err);
    else
        call_ok(change->call, 0, change->output);
}

void iam_commit(struct call *call, struct table_write *write, const void *output)
{
    struct change *change = ARENA_NEW(call->arena, change);
    *change = (struct change){call, output};
    table_commit(write, on_written, change);
}

void iam_put(struct call *call, enum iam_kind kind, struct slice name,
             const struct iam_Entity *entity, const void *output)
{
    const struct iam *iam = call->context;
    struct table_write *write = table_write_new(iam->tables);
    table_put(write, iam_table(iam, kind), iam_key(call->arena, call->account, name), entity);
    iam_commit(call, write, output);
}

struct aws_list iam_list_add(struct arena *arena, struct aws_list list, const void *item,
                             size_t size)
{
    char *items = arena_array(arena, list.n + 1, size);
    if (list.n)
        memcpy(items, list.items, list.n * size);
    memcpy(items + list.n * size, item, size);
    return (struct aws_list){true, list.n + 1, items};
}

struct aws_list iam_list_remove(struct arena *arena, struct aws_list list, size_t at, size_t size)
{
    char *items = arena_array(arena, list.n, size);
    memcpy(items, list.items, at * size);
    memcpy(items + at * size, (char *)list.items + (at + 1) * size, (list.n - at - 1) * size);
    return (struct aws_list){true, list.n - 1, items};
}

/* ---- pages ---- */

/* A marker is the last name of the page before, in base64. */
static bool read_marker(struct call *call, struct slice marker, struct slice *out)
{
    struct buf name = BUF_INIT(MARKER_MAX);
    bool ok = base64_decode(&name, marker) && name.n > 0;
    if (ok)
        *out = arena_dup(call->arena, buf_all(&name));
    else
        call_fail(call, "ValidationError", "Invalid Marker.");
    buf_free(&name);
    return ok;
}

bool iam_page(struct call *call, struct slice marker, struct opt_i64 max_items,
              const struct slice *names, size_t count, struct iam_page *out)
{
    struct slice last;
    size_t max = max_items.set ? (size_t)max_items.v : PAGE_DEFAULT;
    *out = (struct iam_page){.truncated = OPT_BOOL(false)};
    if (marker.p) {
        if (!read_marker(call, marker, &last))
            return false;
        size_t at = 0;
        while (at < count && !slice_eq(names[at], last))
            at++;
        if (at < count) {
            out->from = at + 1;
        } else { /* gone meanwhile: what comes behind it */
            while (out->from < count && slice_cmp(names[out->from], last) < 0)
                out->from++;
        }
    }
    out->to = count - out->from > max ? out->from + max : count;
    if (out->to < count) {
        struct buf text = BUF_INIT(2 * MARKER_MAX);
        base64_encode(&text, names[out->to - 1]);
        out->marker = arena_dup(call->arena, buf_all(&text));
        out->truncated.v = true;
        buf_free(&text);
    }
    return true;
}

static struct slice path_of(const struct iam_Entity *entity)
{
    return entity->Role   ? entity->Role->Path
           : entity->User ? entity->User->Path
                          : entity->Group->Path;
}

struct iam_rows iam_rows(struct call *call, enum iam_kind kind, struct slice path_prefix)
{
    const struct table_row *found = NULL;
    struct slice below = arena_printf(call->arena, "%.*s ", FMT(call->account));
    size_t n = table_list(iam_table(call->context, kind), call->arena, below, &found);
    struct iam_rows rows = {arena_array(call->arena, n + 1, sizeof *rows.entities),
                            arena_array(call->arena, n + 1, sizeof *rows.names), 0};
    for (size_t i = 0; i < n; i++) {
        const struct iam_Entity *entity = found[i].value;
        if (path_prefix.p && !slice_starts(path_of(entity), path_prefix))
            continue;
        rows.entities[rows.count] = entity;
        rows.names[rows.count++] = slice_sub(found[i].key, below.n, found[i].key.n);
    }
    return rows;
}

/* ---- documents ---- */

bool iam_document_check(struct call *call, struct slice text, enum iam_document kind)
{
    struct slice fault = iam_document_fault(text, kind, call->arena);
    if (fault.p)
        call_fail(call, "MalformedPolicyDocument", "%.*s", FMT(fault));
    return !fault.p;
}

void iam_register(struct front *front, struct iam *iam)
{
    iam_roles_register(front, iam);
    iam_users_register(front, iam);
    iam_groups_register(front, iam);
    iam_keys_register(front, iam);
    iam_inline_register(front, iam);
    iam_attach_register(front, iam);
    iam_entities_register(front, iam);
    iam_details_register(front, iam);
    iam_policies_register(front, iam);
    iam_versions_register(front, iam);
    iam_tags_register(front, iam);
}
