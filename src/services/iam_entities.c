/* ListEntitiesForPolicy: who has a managed policy, or is bounded by it. */
#include "aws/codec.h"
#include "services/iam.h"

/* One that is listed; its name in the page is "kind/name", which is the order, too. */
struct user_of {
    enum iam_kind kind;
    const struct iam_Entity *entity;
};

struct finding {
    struct call *call;
    struct user_of *found;
    struct slice *names;
    size_t n;
};

static bool is_wanted(const struct iam_ListEntitiesForPolicyRequest *in, enum iam_kind kind)
{
    static const char *const filters[] = {
        [IAM_ROLE] = "Role", [IAM_USER] = "User", [IAM_GROUP] = "Group"};
    return !in->EntityFilter.p || slice_eq(in->EntityFilter, slice_str(filters[kind]));
}

static bool is_attached(const struct iam_Entity *entity, struct slice arn)
{
    for (size_t i = 0; i < entity->Attached.n; i++) {
        const struct iam_AttachedPolicy *one =
            *AWS_ITEM(entity->Attached, struct iam_AttachedPolicy *, i);
        if (slice_eq(one->PolicyArn, arn))
            return true;
    }
    return false;
}

static bool is_bounded(const struct iam_Entity *entity, struct slice arn)
{
    const struct iam_AttachedPermissionsBoundary *boundary =
        entity->Role   ? entity->Role->PermissionsBoundary
        : entity->User ? entity->User->PermissionsBoundary
                       : NULL;
    return boundary && slice_eq(boundary->PermissionsBoundaryArn, arn);
}

static void find(struct finding *f, enum iam_kind kind)
{
    const struct iam_ListEntitiesForPolicyRequest *in = f->call->input;
    bool bounded = slice_eq(in->PolicyUsageFilter, S("PermissionsBoundary"));
    struct iam_rows rows = iam_rows(f->call, kind, in->PathPrefix);
    struct user_of *found = arena_array(f->call->arena, f->n + rows.count + 1, sizeof *found);
    struct slice *names = arena_array(f->call->arena, f->n + rows.count + 1, sizeof *names);
    if (f->n) {
        memcpy(found, f->found, f->n * sizeof *found);
        memcpy(names, f->names, f->n * sizeof *names);
    }
    f->found = found;
    f->names = names;
    for (size_t i = 0; i < rows.count; i++) {
        const struct iam_Entity *entity = rows.entities[i];
        if (!(bounded ? is_bounded(entity, in->PolicyArn) : is_attached(entity, in->PolicyArn)))
            continue;
        found[f->n] = (struct user_of){kind, entity};
        names[f->n++] = arena_printf(f->call->arena, "%s/%.*s", iam_word(kind), FMT(rows.names[i]));
    }
}

static void put(struct call *call, struct iam_ListEntitiesForPolicyResponse *answer,
                const struct user_of *one)
{
    struct aws_list *list = one->kind == IAM_ROLE   ? &answer->PolicyRoles
                            : one->kind == IAM_USER ? &answer->PolicyUsers
                                                    : &answer->PolicyGroups;
    /* The three have the same two members: name and id. */
    struct iam_PolicyRole *item = ARENA_NEW(call->arena, iam_PolicyRole);
    if (one->kind == IAM_ROLE)
        *item = (struct iam_PolicyRole){one->entity->Role->RoleName, one->entity->Role->RoleId};
    else if (one->kind == IAM_USER)
        *item = (struct iam_PolicyRole){one->entity->User->UserName, one->entity->User->UserId};
    else
        *item = (struct iam_PolicyRole){one->entity->Group->GroupName, one->entity->Group->GroupId};
    *list = iam_list_add(call->arena, *list, &item, sizeof item);
}

static void list_entities(struct call *call)
{
    static const enum iam_kind order[] = {IAM_GROUP, IAM_ROLE, IAM_USER};
    const struct iam_ListEntitiesForPolicyRequest *in = call->input;
    struct finding finding = {.call = call};
    struct iam_page page;
    if (!iam_policy_find(call, in->PolicyArn, IAM_NOT_FOUND))
        return;
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        if (is_wanted(in, order[i]))
            find(&finding, order[i]);
    }
    if (!iam_page(call, in->Marker, in->MaxItems, finding.names, finding.n, &page))
        return;
    struct iam_ListEntitiesForPolicyResponse answer = {.PolicyGroups = {true, 0, NULL},
                                                       .PolicyUsers = {true, 0, NULL},
                                                       .PolicyRoles = {true, 0, NULL},
                                                       .IsTruncated = page.truncated,
                                                       .Marker = page.marker};
    for (size_t i = page.from; i < page.to; i++)
        put(call, &answer, &finding.found[i]);
    call_ok(call, 0, &answer);
}

void iam_entities_register(struct front *front, struct iam *iam)
{
    front_handle(front, &iam_op_ListEntitiesForPolicy, list_entities, iam);
}
