#include "model/iam.h"

#include "base/id.h"
#include "base/mem.h"
#include "model/secret.h"

struct iam *iam_open(struct tables *tables, const char *dir, struct err *err)
{
    struct iam *iam = NEW(iam);
    const struct {
        struct table **table;
        const char *name;
        const struct aws_shape *shape;
    } all[] = {
        {&iam->roles, "iam_roles", iam_shape_Entity},
        {&iam->users, "iam_users", iam_shape_Entity},
        {&iam->groups, "iam_groups", iam_shape_Entity},
        {&iam->policies, "iam_policies", iam_shape_ManagedPolicy},
        {&iam->attachments, "iam_attachments", iam_shape_Attachment},
        {&iam->keys, "iam_access_keys", iam_shape_Key},
    };
    iam->tables = tables;
    iam->secret = secret_open(dir, err);
    for (size_t i = 0; iam->secret && i < COUNT_OF(all); i++) {
        *all[i].table = table_open(tables, all[i].name, all[i].shape, err);
        if (!*all[i].table)
            break;
    }
    if (iam->keys) /* the last one */
        return iam;
    iam_close(iam);
    return NULL;
}

void iam_close(struct iam *iam)
{
    if (!iam)
        return;
    secret_free(iam->secret);
    free(iam);
}

struct slice iam_key(struct arena *arena, struct slice account, struct slice name)
{
    char *key = arena_alloc(arena, account.n + 1 + name.n);
    size_t n = account.n;
    memcpy(key, account.p, account.n);
    key[n++] = ' ';
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        key[n++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    return (struct slice){key, n};
}

bool iam_arn_parse(struct slice arn, struct iam_arn *out)
{
    struct slice rest = arn;
    struct slice parts[5];
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (!slice_cut(&rest, ':', &parts[i]))
            return false;
    }
    if (!slice_eq(parts[0], S("arn")) || !parts[1].n || !slice_eq(parts[2], S("iam")) ||
        parts[3].n || !rest.n)
        return false;
    size_t first = slice_find(rest, '/');
    size_t last = slice_rfind(rest, '/');
    *out = (struct iam_arn){.partition = parts[1], .account = parts[4], .kind = rest};
    if (first == SIZE_MAX)
        return slice_eq(rest, S("root"));
    out->kind = slice_sub(rest, 0, first);
    out->path = slice_sub(rest, first, last - first + 1);
    out->name = slice_sub(rest, last + 1, rest.n);
    return out->kind.n && out->name.n;
}

const struct iam_Role *iam_role_of(const struct iam *iam, struct arena *arena, struct slice arn)
{
    struct iam_arn parts;
    if (!iam_arn_parse(arn, &parts) || !slice_eq(parts.kind, S("role")))
        return NULL;
    const struct iam_Entity *entity =
        table_get(iam->roles, iam_key(arena, parts.account, parts.name));
    return entity && slice_eq(entity->Role->Arn, arn) ? entity->Role : NULL;
}

struct slice iam_id(struct arena *arena, const char *prefix, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    size_t length = strlen(prefix);
    char *id = arena_alloc(arena, length + n);
    memcpy(id, prefix, length);
    id_random(id + length, n);
    for (size_t i = length; i < length + n; i++)
        id[i] = letters[(unsigned char)id[i] % 32];
    return (struct slice){id, length + n};
}
