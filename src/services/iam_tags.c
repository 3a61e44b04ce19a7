/* Tags of roles, users and managed policies. Their keys differ by more than case. */
#include "aws/codec.h"
#include "services/iam.h"

enum { TAGS_MAX = 50 };

static struct iam_Tag *tag_at(struct aws_list list, size_t i)
{
    return *AWS_ITEM(list, struct iam_Tag *, i);
}

static size_t position(struct aws_list list, struct slice key)
{
    size_t i = 0;
    while (i < list.n && !slice_eq_nocase(tag_at(list, i)->Key, key))
        i++;
    return i;
}

static bool check(struct call *call, struct aws_list tags)
{
    for (size_t i = 0; i < tags.n; i++) {
        if (position(tags, tag_at(tags, i)->Key) < i) {
            call_fail(call, "InvalidInput",
                      "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
            return false;
        }
        if (slice_eq_nocase(slice_sub(tag_at(tags, i)->Key, 0, 4), S("aws:"))) {
            call_fail(call, "InvalidInput",
                      "aws: prefixed tag key names are not allowed for external use.");
            return false;
        }
    }
    return true;
}

bool iam_tags_merge(struct call *call, struct aws_list have, struct aws_list add,
                    struct aws_list *out)
{
    if (!check(call, add))
        return false;
    struct aws_list all = have;
    if (have.n) { /* a copy: places in it are replaced */
        struct aws_list copy = {true, have.n, arena_array(call->arena, have.n, sizeof(void *))};
        memcpy(copy.items, have.items, have.n * sizeof(void *));
        all = copy;
    }
    for (size_t i = 0; i < add.n; i++) {
        struct iam_Tag *tag = tag_at(add, i);
        size_t at = position(all, tag->Key);
        if (at < all.n)
            *AWS_ITEM(all, struct iam_Tag *, at) = tag;
        else
            all = iam_list_add(call->arena, all, &tag, sizeof tag);
    }
    if (all.n > TAGS_MAX) {
        call_fail(call, "LimitExceeded", "The number of tags has reached the maximum limit.");
        return false;
    }
    *out = all;
    return true;
}

struct aws_list iam_tags_without(struct call *call, struct aws_list have, struct aws_list keys)
{
    for (size_t i = 0; i < keys.n; i++) {
        size_t at = position(have, *AWS_ITEM(keys, struct slice, i));
        if (at < have.n)
            have = iam_list_remove(call->arena, have, at, sizeof(void *));
    }
    if (!have.n)
        have.set = false;
    return have;
}

static bool list(struct call *call, struct aws_list tags, struct slice marker,
                 struct opt_i64 max_items, struct iam_page *page, struct aws_list *out)
{
    struct slice *names = arena_array(call->arena, tags.n + 1, sizeof *names);
    for (size_t i = 0; i < tags.n; i++)
        names[i] = tag_at(tags, i)->Key;
    if (!iam_page(call, marker, max_items, names, tags.n, page))
        return false;
    *out = (struct aws_list){true, page->to - page->from, (struct iam_Tag **)tags.items};
    if (tags.n)
        out->items = (struct iam_Tag **)tags.items + page->from;
    return true;
}

/* ---- of roles and users ---- */

/* The entity with other tags, put back. */
static void put(struct call *call, enum iam_kind kind, struct slice name,
                const struct iam_Entity *found, struct aws_list tags)
{
    struct iam_Entity entity = *found;
    struct iam_Role role;
    struct iam_User user;
    if (found->Role) {
        role = *found->Role;
        role.Tags = tags;
        entity.Role = &role;
    } else {
        user = *found->User;
        user.Tags = tags;
        entity.User = &user;
    }
    iam_put(call, kind, name, &entity, NULL);
}

#define TAG_OPERATIONS(kind, Kind, KIND)                                                           \
    static void tag_##kind(struct call *call)                                                      \
    {                                                                                              \
        const struct iam_Tag##Kind##Request *in = call->input;                                     \
        const struct iam_Entity *found = iam_find(call, KIND, in->Kind##Name);                     \
        struct aws_list tags;                                                                      \
        if (found && iam_tags_merge(call, found->Kind->Tags, in->Tags, &tags))                     \
            put(call, KIND, in->Kind##Name, found, tags);                                          \
    }                                                                                              \
    static void untag_##kind(struct call *call)                                                    \
    {                                                                                              \
        const struct iam_Untag##Kind##Request *in = call->input;                                   \
        const struct iam_Entity *found = iam_find(call, KIND, in->Kind##Name);                     \
        if (found)                                                                                 \
            put(call, KIND, in->Kind##Name, found,                                                 \
                iam_tags_without(call, found->Kind->Tags, in->TagKeys));                           \
    }                                                                                              \
    static void list_##kind(struct call *call)                                                     \
    {                                                                                              \
        const struct iam_List##Kind##TagsRequest *in = call->input;                                \
        const struct iam_Entity *found = iam_find(call, KIND, in->Kind##Name);                     \
        struct iam_List##Kind##TagsResponse answer = {0};                                          \
        struct iam_page page;                                                                      \
        if (!found ||                                                                              \
            !list(call, found->Kind->Tags, in->Marker, in->MaxItems, &page, &answer.Tags))         \
            return;                                                                                \
        answer.IsTruncated = page.truncated;                                                       \
        answer.Marker = page.marker;                                                               \
        call_ok(call, 0, &answer);                                                                 \
    }

TAG_OPERATIONS(role, Role, IAM_ROLE)
TAG_OPERATIONS(user, User, IAM_USER)

/* ---- of managed policies ---- */

static void put_policy(struct call *call, const struct iam_ManagedPolicy *found,
                       struct aws_list tags)
{
    const struct iam *iam = call->context;
    struct iam_Policy policy = *found->Policy;
    struct iam_ManagedPolicy document = *found;
    policy.Tags = tags;
    document.Policy = &policy;
    struct table_write *write = table_write_new(iam->tables);
    table_put(write, iam->policies, iam_key(call->arena, call->account, policy.PolicyName),
              &document);
    iam_commit(call, write, NULL);
}

static void tag_policy(struct call *call)
{
    const struct iam_TagPolicyRequest *in = call->input;
    const struct iam_ManagedPolicy *found = iam_policy_find(call, in->PolicyArn, IAM_NOT_FOUND);
    struct aws_list tags;
    if (found && iam_is_own_policy(call, found) &&
        iam_tags_merge(call, found->Policy->Tags, in->Tags, &tags))
        put_policy(call, found, tags);
}

static void untag_policy(struct call *call)
{
    const struct iam_UntagPolicyRequest *in = call->input;
    const struct iam_ManagedPolicy *found = iam_policy_find(call, in->PolicyArn, IAM_NOT_FOUND);
    if (found && iam_is_own_policy(call, found))
        put_policy(call, found, iam_tags_without(call, found->Policy->Tags, in->TagKeys));
}

static void list_policy(struct call *call)
{
    const struct iam_ListPolicyTagsRequest *in = call->input;
    const struct iam_ManagedPolicy *found = iam_policy_find(call, in->PolicyArn, IAM_NOT_FOUND);
    struct iam_ListPolicyTagsResponse answer = {0};
    struct iam_page page;
    if (!found || !list(call, found->Policy->Tags, in->Marker, in->MaxItems, &page, &answer.Tags))
        return;
    answer.IsTruncated = page.truncated;
    answer.Marker = page.marker;
    call_ok(call, 0, &answer);
}

void iam_tags_register(struct front *front, struct iam *iam)
{
    front_handle(front, &iam_op_TagRole, tag_role, iam);
    front_handle(front, &iam_op_UntagRole, untag_role, iam);
    front_handle(front, &iam_op_ListRoleTags, list_role, iam);
    front_handle(front, &iam_op_TagUser, tag_user, iam);
    front_handle(front, &iam_op_UntagUser, untag_user, iam);
    front_handle(front, &iam_op_ListUserTags, list_user, iam);
    front_handle(front, &iam_op_TagPolicy, tag_policy, iam);
    front_handle(front, &iam_op_UntagPolicy, untag_policy, iam);
    front_handle(front, &iam_op_ListPolicyTags, list_policy, iam);
}
