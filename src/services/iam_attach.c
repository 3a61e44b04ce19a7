/* Managed policies attached to roles, users and groups. The entity lists what it has; a row in the
 * table of attachments says the same from the policy's side. Both change together. */
#include "aws/codec.h"
#include "services/iam.h"

enum { ATTACHED_MAX = 10 };

struct slice iam_attachments_of(struct arena *arena, struct slice account, struct slice arn)
{
    return arena_printf(arena, "%.*s %.*s ", FMT(account), FMT(arn));
}

struct slice iam_attachment_key(struct arena *arena, struct slice account, struct slice arn,
                                enum iam_kind kind, struct slice name)
{
    struct slice key = iam_key(arena, account, name);
    struct slice lower = slice_sub(key, account.n + 1, key.n);
    return arena_printf(arena, "%.*s %.*s %s/%.*s", FMT(account), FMT(arn), iam_word(kind),
                        FMT(lower));
}

static const struct iam_AttachedPolicy *policy_at(struct aws_list list, size_t i)
{
    return *AWS_ITEM(list, struct iam_AttachedPolicy *, i);
}

static size_t position(struct aws_list list, struct slice arn)
{
    size_t i = 0;
    while (i < list.n && !slice_eq(policy_at(list, i)->PolicyArn, arn))
        i++;
    return i;
}

/* The name as it was given at first: callers may write it in another case. */
static struct slice name_of(const struct iam_Entity *entity)
{
    return entity->Role   ? entity->Role->RoleName
           : entity->User ? entity->User->UserName
                          : entity->Group->GroupName;
}

static void attach(struct call *call, enum iam_kind kind, struct slice owner, struct slice arn)
{
    static const char *const quotas[] = {[IAM_ROLE] = "PoliciesPerRole",
                                         [IAM_USER] = "PoliciesPerUser",
                                         [IAM_GROUP] = "PoliciesPerGroup"};
    const struct iam *iam = call->context;
    const struct iam_Entity *found = iam_find(call, kind, owner);
    const struct iam_ManagedPolicy *policy =
        found ? iam_policy_find(call, arn, IAM_NOT_ATTACHABLE) : NULL;
    if (!policy)
        return;
    if (position(found->Attached, arn) < found->Attached.n) { /* it has it: nothing to do */
        call_ok(call, 0, NULL);
        return;
    }
    if (found->Attached.n >= ATTACHED_MAX) {
        call_fail(call, "LimitExceeded", "Cannot exceed quota for %s: %d", quotas[kind],
                  ATTACHED_MAX);
        return;
    }
    struct iam_AttachedPolicy *item = ARENA_NEW(call->arena, iam_AttachedPolicy);
    *item = (struct iam_AttachedPolicy){policy->Policy->PolicyName, arn};
    struct iam_Entity entity = *found;
    entity.Attached = iam_list_add(call->arena, found->Attached, &item, sizeof item);
    const struct iam_Attachment row = {slice_str(iam_word(kind)), name_of(found)};
    struct table_write *write = table_write_new(iam->tables);
    table_put(write, iam_table(iam, kind), iam_key(call->arena, call->account, owner), &entity);
    table_put(write, iam->attachments,
              iam_attachment_key(call->arena, call->account, arn, kind, owner), &row);
    iam_commit(call, write, NULL);
}

static void detach(struct call *call, enum iam_kind kind, struct slice owner, struct slice arn)
{
    const struct iam *iam = call->context;
    const struct iam_Entity *found = iam_find(call, kind, owner);
    struct iam_arn parts;
    if (!found)
        return;
    if (!iam_arn_parse(arn, &parts)) {
        call_fail(call, "InvalidInput", "ARN %.*s is not valid.", FMT(arn));
        return;
    }
    size_t at = position(found->Attached, arn);
    if (at == found->Attached.n) {
        call_fail(call, "NoSuchEntity", "Policy %.*s was not found.", FMT(arn));
        return;
    }
    struct iam_Entity entity = *found;
    entity.Attached = iam_list_remove(call->arena, found->Attached, at, sizeof(void *));
    struct table_write *write = table_write_new(iam->tables);
    table_put(write, iam_table(iam, kind), iam_key(call->arena, call->account, owner), &entity);
    table_delete(write, iam->attachments,
                 iam_attachment_key(call->arena, call->account, arn, kind, owner));
    iam_commit(call, write, NULL);
}

static bool below_path(struct slice arn, struct slice prefix)
{
    struct iam_arn parts;
    return !prefix.p || (iam_arn_parse(arn, &parts) && slice_starts(parts.path, prefix));
}

struct listing { /* of the members that the three requests have in common */
    struct slice owner;
    struct slice prefix;
    struct slice marker;
    struct opt_i64 max_items;
};

static bool list(struct call *call, enum iam_kind kind, struct listing in, struct iam_page *page,
                 struct aws_list *out)
{
    const struct iam_Entity *entity = iam_find(call, kind, in.owner);
    size_t n = 0;
    if (!entity)
        return false;
    struct slice *names = arena_array(call->arena, entity->Attached.n + 1, sizeof *names);
    const struct iam_AttachedPolicy **items =
        arena_array(call->arena, entity->Attached.n + 1, sizeof *items);
    for (size_t i = 0; i < entity->Attached.n; i++) {
        const struct iam_AttachedPolicy *one = policy_at(entity->Attached, i);
        if (!below_path(one->PolicyArn, in.prefix))
            continue;
        names[n] = one->PolicyArn;
        items[n++] = one;
    }
    if (!iam_page(call, in.marker, in.max_items, names, n, page))
        return false;
    *out = (struct aws_list){true, page->to - page->from, items + page->from};
    return true;
}

/* ---- the operations: the same three for each of the three ---- */

#define ATTACH_OPERATIONS(kind, Kind, KIND)                                                        \
    static void attach_##kind(struct call *call)                                                   \
    {                                                                                              \
        const struct iam_Attach##Kind##PolicyRequest *in = call->input;                            \
        attach(call, KIND, in->Kind##Name, in->PolicyArn);                                         \
    }                                                                                              \
    static void detach_##kind(struct call *call)                                                   \
    {                                                                                              \
        const struct iam_Detach##Kind##PolicyRequest *in = call->input;                            \
        detach(call, KIND, in->Kind##Name, in->PolicyArn);                                         \
    }                                                                                              \
    static void list_##kind(struct call *call)                                                     \
    {                                                                                              \
        const struct iam_ListAttached##Kind##PoliciesRequest *in = call->input;                    \
        struct iam_ListAttached##Kind##PoliciesResponse answer = {0};                              \
        const struct listing listing = {in->Kind##Name, in->PathPrefix, in->Marker, in->MaxItems}; \
        struct iam_page page;                                                                      \
        if (!list(call, KIND, listing, &page, &answer.AttachedPolicies))                           \
            return;                                                                                \
        answer.IsTruncated = page.truncated;                                                       \
        answer.Marker = page.marker;                                                               \
        call_ok(call, 0, &answer);                                                                 \
    }                                                                                              \
    static void register_##kind(struct front *front, struct iam *iam)                              \
    {                                                                                              \
        front_handle(front, &iam_op_Attach##Kind##Policy, attach_##kind, iam);                     \
        front_handle(front, &iam_op_Detach##Kind##Policy, detach_##kind, iam);                     \
        front_handle(front, &iam_op_ListAttached##Kind##Policies, list_##kind, iam);               \
    }

ATTACH_OPERATIONS(role, Role, IAM_ROLE)
ATTACH_OPERATIONS(user, User, IAM_USER)
ATTACH_OPERATIONS(group, Group, IAM_GROUP)

void iam_attach_register(struct front *front, struct iam *iam)
{
    register_role(front, iam);
    register_user(front, iam);
    register_group(front, iam);
}
