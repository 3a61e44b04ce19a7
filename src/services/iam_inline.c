/* Inline policies of roles, users and groups. */
#include "aws/codec.h"
#include "services/iam.h"

static struct iam_PolicyDetail *policy_at(struct aws_list list, size_t i)
{
    return *AWS_ITEM(list, struct iam_PolicyDetail *, i);
}

/* The position of a policy, or where it belongs: they are kept in the order of their names. */
static size_t position(struct aws_list list, struct slice name, bool *out_found)
{
    size_t i = 0;
    while (i < list.n && slice_cmp(policy_at(list, i)->PolicyName, name) < 0)
        i++;
    *out_found = i < list.n && slice_eq(policy_at(list, i)->PolicyName, name);
    return i;
}

static const struct iam_PolicyDetail *find(struct call *call, enum iam_kind kind,
                                           const struct iam_Entity *entity, struct slice name)
{
    bool found = false;
    size_t at = position(entity->Inline, name, &found);
    if (found)
        return policy_at(entity->Inline, at);
    call_fail(call, "NoSuchEntity", "The %s policy with name %.*s cannot be found.", iam_word(kind),
              FMT(name));
    return NULL;
}

/* With the policy in its place, instead of the one of that name. */
static struct aws_list with(struct arena *arena, struct aws_list list,
                            struct iam_PolicyDetail *policy)
{
    bool found = false;
    size_t at = position(list, policy->PolicyName, &found);
    struct iam_PolicyDetail **items = arena_array(arena, list.n + 1, sizeof *items);
    size_t n = 0;
    for (size_t i = 0; i <= list.n; i++) {
        if (i == at)
            items[n++] = policy;
        if (i < list.n && !(i == at && found))
            items[n++] = policy_at(list, i);
    }
    return (struct aws_list){true, n, items};
}

static bool within_limit(struct call *call, enum iam_kind kind, struct slice owner,
                         struct aws_list policies)
{
    static const size_t limits[] = {[IAM_ROLE] = 10240, [IAM_USER] = 2048, [IAM_GROUP] = 5120};
    size_t size = 0;
    for (size_t i = 0; i < policies.n; i++)
        size += iam_document_size(policy_at(policies, i)->PolicyDocument);
    if (size > limits[kind])
        call_fail(call, "LimitExceeded", "Maximum policy size of %zu bytes exceeded for %s %.*s",
                  limits[kind], iam_word(kind), FMT(owner));
    return size <= limits[kind];
}

static void put_on(struct call *call, enum iam_kind kind, struct slice owner, struct slice name,
                   struct slice document)
{
    const struct iam_Entity *found = iam_find(call, kind, owner);
    struct iam_PolicyDetail policy = {name, document};
    if (!found || !iam_document_check(call, document, IAM_IDENTITY_POLICY))
        return;
    struct iam_Entity entity = *found;
    entity.Inline = with(call->arena, found->Inline, &policy);
    if (within_limit(call, kind, owner, entity.Inline))
        iam_put(call, kind, owner, &entity, NULL);
}

static void take_off(struct call *call, enum iam_kind kind, struct slice owner, struct slice name)
{
    const struct iam_Entity *found = iam_find(call, kind, owner);
    bool there = false;
    if (!found || !find(call, kind, found, name))
        return;
    struct iam_Entity entity = *found;
    entity.Inline = iam_list_remove(call->arena, found->Inline,
                                    position(found->Inline, name, &there), sizeof(void *));
    iam_put(call, kind, owner, &entity, NULL);
}

/* The document as answers have it; absent: answered. */
static struct slice get(struct call *call, enum iam_kind kind, struct slice owner,
                        struct slice name)
{
    const struct iam_Entity *entity = iam_find(call, kind, owner);
    const struct iam_PolicyDetail *policy = entity ? find(call, kind, entity, name) : NULL;
    return policy ? iam_document_encode(call->arena, policy->PolicyDocument)
                  : (struct slice){NULL, 0};
}

static bool list(struct call *call, enum iam_kind kind, struct slice owner, struct slice marker,
                 struct opt_i64 max_items, struct iam_page *page, struct aws_list *out)
{
    const struct iam_Entity *entity = iam_find(call, kind, owner);
    if (!entity)
        return false;
    struct slice *names = arena_array(call->arena, entity->Inline.n + 1, sizeof *names);
    for (size_t i = 0; i < entity->Inline.n; i++)
        names[i] = policy_at(entity->Inline, i)->PolicyName;
    if (!iam_page(call, marker, max_items, names, entity->Inline.n, page))
        return false;
    *out = (struct aws_list){true, page->to - page->from, names + page->from};
    return true;
}

/* ---- the operations: the same four for each of the three ---- */

#define INLINE_OPERATIONS(kind, Kind, KIND)                                                        \
    static void put_##kind##_policy(struct call *call)                                             \
    {                                                                                              \
        const struct iam_Put##Kind##PolicyRequest *in = call->input;                               \
        put_on(call, KIND, in->Kind##Name, in->PolicyName, in->PolicyDocument);                    \
    }                                                                                              \
    static void delete_##kind##_policy(struct call *call)                                          \
    {                                                                                              \
        const struct iam_Delete##Kind##PolicyRequest *in = call->input;                            \
        take_off(call, KIND, in->Kind##Name, in->PolicyName);                                      \
    }                                                                                              \
    static void get_##kind##_policy(struct call *call)                                             \
    {                                                                                              \
        const struct iam_Get##Kind##PolicyRequest *in = call->input;                               \
        const struct iam_Get##Kind##PolicyResponse answer = {                                      \
            in->Kind##Name, in->PolicyName, get(call, KIND, in->Kind##Name, in->PolicyName)};      \
        if (answer.PolicyDocument.p)                                                               \
            call_ok(call, 0, &answer);                                                             \
    }                                                                                              \
    static void list_##kind##_policies(struct call *call)                                          \
    {                                                                                              \
        const struct iam_List##Kind##PoliciesRequest *in = call->input;                            \
        struct iam_List##Kind##PoliciesResponse answer = {0};                                      \
        struct iam_page page;                                                                      \
        if (!list(call, KIND, in->Kind##Name, in->Marker, in->MaxItems, &page,                     \
                  &answer.PolicyNames))                                                            \
            return;                                                                                \
        answer.IsTruncated = page.truncated;                                                       \
        answer.Marker = page.marker;                                                               \
        call_ok(call, 0, &answer);                                                                 \
    }                                                                                              \
    static void register_##kind(struct front *front, struct iam *iam)                              \
    {                                                                                              \
        front_handle(front, &iam_op_Put##Kind##Policy, put_##kind##_policy, iam);                  \
        front_handle(front, &iam_op_Delete##Kind##Policy, delete_##kind##_policy, iam);            \
        front_handle(front, &iam_op_Get##Kind##Policy, get_##kind##_policy, iam);                  \
        front_handle(front, &iam_op_List##Kind##Policies, list_##kind##_policies, iam);            \
    }

INLINE_OPERATIONS(role, Role, IAM_ROLE)
INLINE_OPERATIONS(user, User, IAM_USER)
INLINE_OPERATIONS(group, Group, IAM_GROUP)

void iam_inline_register(struct front *front, struct iam *iam)
{
    register_role(front, iam);
    register_user(front, iam);
    register_group(front, iam);
}
