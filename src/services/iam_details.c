/* GetAccountAuthorizationDetails: all that there is, of all kinds, in one list of pages. */
#include "aws/codec.h"
#include "services/iam.h"

/* Groups, roles and users, then the account's own policies and those of AWS that are attached. */
struct item {
    const struct iam_Entity *entity;
    const struct iam_ManagedPolicy *policy;
};

struct details {
    struct call *call;
    struct item *items;
    struct slice *names; /* "group/name", "policy/arn": also the order of pages */
    size_t n;
    size_t room;
};

static bool is_wanted(const struct details *d, const char *type)
{
    const struct iam_GetAccountAuthorizationDetailsRequest *in = d->call->input;
    for (size_t i = 0; i < in->Filter.n; i++) {
        if (slice_eq(*AWS_ITEM(in->Filter, struct slice, i), slice_str(type)))
            return true;
    }
    return !in->Filter.n;
}

static void add(struct details *d, struct item item, const char *kind, struct slice name)
{
    if (d->n == d->room) {
        size_t room = d->room ? 2 * d->room : 64;
        struct item *items = arena_array(d->call->arena, room, sizeof *items);
        struct slice *names = arena_array(d->call->arena, room, sizeof *names);
        if (d->n) {
            memcpy(items, d->items, d->n * sizeof *items);
            memcpy(names, d->names, d->n * sizeof *names);
        }
        d->items = items;
        d->names = names;
        d->room = room;
    }
    d->items[d->n] = item;
    d->names[d->n++] = arena_printf(d->call->arena, "%s/%.*s", kind, FMT(name));
}

static void add_entities(struct details *d, enum iam_kind kind, const char *type)
{
    struct iam_rows rows = {NULL, NULL, 0};
    if (is_wanted(d, type))
        rows = iam_rows(d->call, kind, (struct slice){NULL, 0});
    for (size_t i = 0; i < rows.count; i++)
        add(d, (struct item){rows.entities[i], NULL}, iam_word(kind), rows.names[i]);
}

static void add_policies(struct details *d)
{
    const struct iam *iam = d->call->context;
    const struct table_row *rows = NULL;
    size_t n = 0;
    if (is_wanted(d, "LocalManagedPolicy"))
        n = table_list(iam->policies, d->call->arena,
                       arena_printf(d->call->arena, "%.*s ", FMT(d->call->account)), &rows);
    for (size_t i = 0; i < n; i++) {
        const struct iam_ManagedPolicy *policy = rows[i].value;
        add(d, (struct item){NULL, policy}, "policy", policy->Policy->Arn);
    }
    const struct iam_ManagedPolicy *const *aws = iam_aws_policies(&n);
    for (size_t i = 0; is_wanted(d, "AWSManagedPolicy") && i < n; i++) {
        struct slice below =
            iam_attachments_of(d->call->arena, d->call->account, aws[i]->Policy->Arn);
        if (table_count(iam->attachments, below))
            add(d, (struct item){NULL, aws[i]}, "policy", aws[i]->Policy->Arn);
    }
}

/* ---- as they are shown ---- */

static struct aws_list inline_policies(struct call *call, struct aws_list from)
{
    struct iam_PolicyDetail *shown = arena_array(call->arena, from.n + 1, sizeof *shown);
    for (size_t i = 0; i < from.n; i++) {
        shown[i] = **AWS_ITEM(from, struct iam_PolicyDetail *, i);
        shown[i].PolicyDocument = iam_document_encode(call->arena, shown[i].PolicyDocument);
    }
    return aws_list_of(call->arena, shown, from.n, sizeof *shown);
}

static struct aws_list present(struct aws_list list)
{
    list.set = true;
    return list;
}

static struct iam_RoleDetail *show_role(struct call *call, const struct iam_Entity *entity)
{
    const struct iam_Role *role = entity->Role;
    struct iam_RoleDetail *shown = ARENA_NEW(call->arena, iam_RoleDetail);
    *shown = (struct iam_RoleDetail){.Path = role->Path,
                                     .RoleName = role->RoleName,
                                     .RoleId = role->RoleId,
                                     .Arn = role->Arn,
                                     .CreateDate = role->CreateDate,
                                     .AssumeRolePolicyDocument = iam_document_encode(
                                         call->arena, role->AssumeRolePolicyDocument),
                                     .InstanceProfileList = {true, 0, NULL},
                                     .RolePolicyList = inline_policies(call, entity->Inline),
                                     .AttachedManagedPolicies = present(entity->Attached),
                                     .PermissionsBoundary = role->PermissionsBoundary,
                                     .Tags = present(role->Tags),
                                     .RoleLastUsed = ARENA_NEW(call->arena, iam_RoleLastUsed)};
    return shown;
}

static struct iam_UserDetail *show_user(struct call *call, const struct iam_Entity *entity)
{
    const struct iam_User *user = entity->User;
    struct iam_UserDetail *shown = ARENA_NEW(call->arena, iam_UserDetail);
    *shown = (struct iam_UserDetail){.Path = user->Path,
                                     .UserName = user->UserName,
                                     .UserId = user->UserId,
                                     .Arn = user->Arn,
                                     .CreateDate = user->CreateDate,
                                     .UserPolicyList = inline_policies(call, entity->Inline),
                                     .GroupList = present(entity->Groups),
                                     .AttachedManagedPolicies = present(entity->Attached),
                                     .PermissionsBoundary = user->PermissionsBoundary,
                                     .Tags = present(user->Tags)};
    return shown;
}

static struct iam_GroupDetail *show_group(struct call *call, const struct iam_Entity *entity)
{
    const struct iam_Group *group = entity->Group;
    struct iam_GroupDetail *shown = ARENA_NEW(call->arena, iam_GroupDetail);
    *shown = (struct iam_GroupDetail){.Path = group->Path,
                                      .GroupName = group->GroupName,
                                      .GroupId = group->GroupId,
                                      .Arn = group->Arn,
                                      .CreateDate = group->CreateDate,
                                      .GroupPolicyList = inline_policies(call, entity->Inline),
                                      .AttachedManagedPolicies = present(entity->Attached)};
    return shown;
}

static struct iam_ManagedPolicyDetail *show_policy(struct call *call,
                                                   const struct iam_ManagedPolicy *from,
                                                   const struct iam_boundaries *boundaries)
{
    const struct iam_Policy *policy = iam_policy_shown(call, from->Policy, boundaries);
    struct iam_ManagedPolicyDetail *shown = ARENA_NEW(call->arena, iam_ManagedPolicyDetail);
    size_t n = from->Versions.n;
    struct iam_PolicyVersion *versions = arena_array(call->arena, n + 1, sizeof *versions);
    for (size_t i = 0; i < n; i++) { /* the newest first */
        versions[i] = **AWS_ITEM(from->Versions, struct iam_PolicyVersion *, n - 1 - i);
        versions[i].Document = iam_document_encode(call->arena, versions[i].Document);
    }
    *shown = (struct iam_ManagedPolicyDetail){
        .PolicyName = policy->PolicyName,
        .PolicyId = policy->PolicyId,
        .Arn = policy->Arn,
        .Path = policy->Path,
        .DefaultVersionId = policy->DefaultVersionId,
        .AttachmentCount = policy->AttachmentCount,
        .PermissionsBoundaryUsageCount = policy->PermissionsBoundaryUsageCount,
        .IsAttachable = policy->IsAttachable,
        .Description = policy->Description,
        .CreateDate = policy->CreateDate,
        .UpdateDate = policy->UpdateDate,
        .PolicyVersionList = aws_list_of(call->arena, versions, n, sizeof *versions)};
    return shown;
}

static void show(struct call *call, const struct item *item,
                 const struct iam_boundaries *boundaries,
                 struct iam_GetAccountAuthorizationDetailsResponse *answer)
{
    const struct iam_Entity *entity = item->entity;
    struct aws_list *list = !entity        ? &answer->Policies
                            : entity->Role ? &answer->RoleDetailList
                            : entity->User ? &answer->UserDetailList
                                           : &answer->GroupDetailList;
    void *shown = NULL;
    if (!entity)
        shown = show_policy(call, item->policy, boundaries);
    else if (entity->Role)
        shown = show_role(call, entity);
    else if (entity->User)
        shown = show_user(call, entity);
    else
        shown = show_group(call, entity);
    *list = iam_list_add(call->arena, *list, &shown, sizeof shown);
}

static void get_details(struct call *call)
{
    const struct iam_GetAccountAuthorizationDetailsRequest *in = call->input;
    struct details d = {.call = call};
    struct iam_page page;
    add_entities(&d, IAM_GROUP, "Group");
    add_policies(&d);
    add_entities(&d, IAM_ROLE, "Role");
    add_entities(&d, IAM_USER, "User");
    if (!iam_page(call, in->Marker, in->MaxItems, d.names, d.n, &page))
        return;
    struct iam_GetAccountAuthorizationDetailsResponse answer = {.UserDetailList = {true, 0, NULL},
                                                                .GroupDetailList = {true, 0, NULL},
                                                                .RoleDetailList = {true, 0, NULL},
                                                                .Policies = {true, 0, NULL},
                                                                .IsTruncated = page.truncated,
                                                                .Marker = page.marker};
    const struct iam_boundaries boundaries = iam_boundaries(call);
    for (size_t i = page.from; i < page.to; i++)
        show(call, &d.items[i], &boundaries, &answer);
    call_ok(call, 0, &answer);
}

void iam_details_register(struct front *front, struct iam *iam)
{
    front_handle(front, &iam_op_GetAccountAuthorizationDetails, get_details, iam);
}
