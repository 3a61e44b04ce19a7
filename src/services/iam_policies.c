/* Managed policies: what CreatePolicy makes; AWS's own ones are read the same way. */
#include "aws/codec.h"
#include "services/iam.h"

enum { DOCUMENT_MAX = 6144 };

const struct iam_ManagedPolicy *iam_policy_find(struct call *call, struct slice arn,
                                                enum iam_unknown_policy unknown)
{
    const struct iam *iam = call->context;
    const struct iam_ManagedPolicy *found = NULL;
    struct iam_arn parts;
    size_t count = 0;
    if (!iam_arn_parse(arn, &parts) || !slice_eq(parts.kind, S("policy"))) {
        call_fail(call, "InvalidInput", "ARN %.*s is not valid.", FMT(arn));
        return NULL;
    }
    if (slice_eq(parts.account, S("aws"))) {
        const struct iam_ManagedPolicy *const *all = iam_aws_policies(&count);
        for (size_t i = 0; i < count && !found; i++)
            found = slice_eq(all[i]->Policy->Arn, arn) ? all[i] : NULL;
    } else if (slice_eq(parts.account, call->account)) {
        found = table_get(iam->policies, iam_key(call->arena, parts.account, parts.name));
        if (found && !slice_eq(found->Policy->Arn, arn))
            found = NULL;
    }
    if (found)
        return found;
    if (unknown == IAM_NOT_FOUND)
        call_fail(call, "NoSuchEntity", "Policy %.*s was not found.", FMT(arn));
    else
        call_fail(call, "NoSuchEntity", "%s %.*s does not exist or is not attachable.",
                  unknown == IAM_NO_BOUNDARY ? "Scope ARN:" : "Policy", FMT(arn));
    return NULL;
}

bool iam_boundary(struct call *call, struct slice arn, struct iam_AttachedPermissionsBoundary **out)
{
    if (!arn.p)
        return true;
    if (!iam_policy_find(call, arn, IAM_NO_BOUNDARY))
        return false;
    *out = ARENA_NEW(call->arena, iam_AttachedPermissionsBoundary);
    **out = (struct iam_AttachedPermissionsBoundary){S("PermissionsBoundaryPolicy"), arn};
    return true;
}

/* ---- how often it is used ---- */

static struct slice boundary_of(const struct iam_Entity *entity)
{
    const struct iam_AttachedPermissionsBoundary *boundary =
        entity->Role ? entity->Role->PermissionsBoundary : entity->User->PermissionsBoundary;
    return boundary ? boundary->PermissionsBoundaryArn : (struct slice){NULL, 0};
}

struct iam_boundaries iam_boundaries(struct call *call)
{
    const struct iam_rows all[] = {iam_rows(call, IAM_ROLE, (struct slice){NULL, 0}),
                                   iam_rows(call, IAM_USER, (struct slice){NULL, 0})};
    struct slice *arns = arena_array(call->arena, all[0].count + all[1].count + 1, sizeof *arns);
    size_t n = 0;
    for (size_t k = 0; k < COUNT_OF(all); k++) {
        for (size_t i = 0; i < all[k].count; i++) {
            struct slice arn = boundary_of(all[k].entities[i]);
            if (arn.p)
                arns[n++] = arn;
        }
    }
    return (struct iam_boundaries){arns, n};
}

static size_t uses(const struct iam_boundaries *boundaries, struct slice arn)
{
    size_t n = 0;
    for (size_t i = 0; i < boundaries->count; i++)
        n += slice_eq(boundaries->arns[i], arn);
    return n;
}

static size_t attachments(struct call *call, struct slice arn)
{
    const struct iam *iam = call->context;
    return table_count(iam->attachments, iam_attachments_of(call->arena, call->account, arn));
}

struct iam_Policy *iam_policy_shown(struct call *call, const struct iam_Policy *policy,
                                    const struct iam_boundaries *boundaries)
{
    struct iam_Policy *copy = ARENA_NEW(call->arena, iam_Policy);
    *copy = *policy;
    copy->AttachmentCount = OPT_I64((int64_t)attachments(call, policy->Arn));
    copy->PermissionsBoundaryUsageCount = OPT_I64((int64_t)uses(boundaries, policy->Arn));
    return copy;
}

/* ---- the operations ---- */

bool iam_policy_fits(struct call *call, struct slice document)
{
    if (!iam_document_check(call, document, IAM_IDENTITY_POLICY))
        return false;
    if (iam_document_size(document) <= DOCUMENT_MAX)
        return true;
    call_fail(call, "LimitExceeded", "Cannot exceed quota for PolicySize: %d", DOCUMENT_MAX);
    return false;
}

static void create_policy(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_CreatePolicyRequest *in = call->input;
    struct slice key = iam_key(call->arena, call->account, in->PolicyName);
    struct slice path = in->Path.p ? in->Path : S("/");
    struct iam_Policy *policy = ARENA_NEW(call->arena, iam_Policy);
    if (!iam_policy_fits(call, in->PolicyDocument))
        return;
    if (table_has(iam->policies, key)) {
        call_fail(call, "EntityAlreadyExists",
                  "A policy called %.*s already exists. Duplicate names are not allowed.",
                  FMT(in->PolicyName));
        return;
    }
    if (!iam_tags_merge(call, policy->Tags, in->Tags, &policy->Tags))
        return;
    policy->PolicyName = in->PolicyName;
    policy->PolicyId = iam_id(call->arena, "ANPA", IAM_ID_LETTERS);
    policy->Arn = iam_make_arn(call, "policy", path, in->PolicyName);
    policy->Path = path;
    policy->DefaultVersionId = S("v1");
    policy->IsAttachable = OPT_BOOL(true);
    policy->Description = in->Description;
    policy->CreateDate = policy->UpdateDate = iam_now();
    struct iam_PolicyVersion first = {in->PolicyDocument, S("v1"), OPT_BOOL(true),
                                      policy->CreateDate};
    const struct iam_ManagedPolicy document = {
        policy, aws_list_of(call->arena, &first, 1, sizeof first), OPT_I64(1)};
    struct iam_CreatePolicyResponse *answer = ARENA_NEW(call->arena, iam_CreatePolicyResponse);
    const struct iam_boundaries boundaries = iam_boundaries(call);
    answer->Policy = iam_policy_shown(call, policy, &boundaries);
    answer->Policy->Description = (struct slice){NULL, 0}; /* AWS: only GetPolicy tells it */
    struct table_write *write = table_write_new(iam->tables);
    table_put(write, iam->policies, key, &document);
    iam_commit(call, write, answer);
}

static void get_policy(struct call *call)
{
    const struct iam_GetPolicyRequest *in = call->input;
    const struct iam_ManagedPolicy *found = iam_policy_find(call, in->PolicyArn, IAM_NOT_FOUND);
    if (!found)
        return;
    const struct iam_boundaries boundaries = iam_boundaries(call);
    struct iam_GetPolicyResponse answer = {iam_policy_shown(call, found->Policy, &boundaries)};
    if (!answer.Policy->Tags.set)
        answer.Policy->Tags = (struct aws_list){true, 0, NULL};
    call_ok(call, 0, &answer);
}

bool iam_is_own_policy(struct call *call, const struct iam_ManagedPolicy *policy)
{
    bool own = !slice_starts(policy->Policy->Arn, S("arn:aws:iam::aws:"));
    if (!own)
        call_fail(call, "AccessDenied", "Policy is outside your own account.");
    return own;
}

static void delete_policy(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_DeletePolicyRequest *in = call->input;
    const struct iam_ManagedPolicy *found = iam_policy_find(call, in->PolicyArn, IAM_NOT_FOUND);
    if (!found || !iam_is_own_policy(call, found))
        return;
    const struct iam_boundaries boundaries = iam_boundaries(call);
    if (attachments(call, in->PolicyArn) || uses(&boundaries, in->PolicyArn)) {
        call_fail(call, "DeleteConflict", "Cannot delete a policy attached to entities.");
        return;
    }
    if (found->Versions.n > 1) {
        call_fail(call, "DeleteConflict",
                  "This policy has more than one version. Before you delete a policy, you must "
                  "delete the policy's versions. The default version is deleted with the policy.");
        return;
    }
    struct table_write *write = table_write_new(iam->tables);
    table_delete(write, iam->policies,
                 iam_key(call->arena, call->account, found->Policy->PolicyName));
    iam_commit(call, write, NULL);
}

/* ---- ListPolicies ---- */

static bool is_listed(struct call *call, const struct iam_Policy *policy,
                      const struct iam_boundaries *boundaries)
{
    const struct iam_ListPoliciesRequest *in = call->input;
    if (in->PathPrefix.p && !slice_starts(policy->Path, in->PathPrefix))
        return false;
    if (slice_eq(in->PolicyUsageFilter, S("PermissionsBoundary")))
        return uses(boundaries, policy->Arn) > 0;
    return !(in->OnlyAttached.set && in->OnlyAttached.v) || attachments(call, policy->Arn) > 0;
}

static void list_policies(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_ListPoliciesRequest *in = call->input;
    const struct table_row *rows = NULL;
    size_t own = table_list(iam->policies, call->arena,
                            arena_printf(call->arena, "%.*s ", FMT(call->account)), &rows);
    size_t others = 0;
    const struct iam_ManagedPolicy *const *aws = iam_aws_policies(&others);
    const struct iam_boundaries boundaries = iam_boundaries(call);
    const struct iam_Policy **found = arena_array(call->arena, own + others + 1, sizeof *found);
    struct slice *names = arena_array(call->arena, own + others + 1, sizeof *names);
    struct iam_page page;
    size_t n = 0;
    for (size_t i = 0; i < own + others; i++) {
        const struct iam_ManagedPolicy *one = i < own ? rows[i].value : aws[i - own];
        if (slice_eq(in->Scope, i < own ? S("AWS") : S("Local")) ||
            !is_listed(call, one->Policy, &boundaries))
            continue;
        names[n] = one->Policy->Arn;
        found[n++] = one->Policy;
    }
    if (!iam_page(call, in->Marker, in->MaxItems, names, n, &page))
        return;
    struct iam_Policy **listed = arena_array(call->arena, n + 1, sizeof *listed);
    for (size_t i = page.from; i < page.to; i++) {
        listed[i] = iam_policy_shown(call, found[i], &boundaries);
        listed[i]->Description = (struct slice){NULL, 0};
        listed[i]->Tags.set = false;
    }
    const struct iam_ListPoliciesResponse answer = {
        {true, page.to - page.from, listed + page.from}, page.truncated, page.marker};
    call_ok(call, 0, &answer);
}

void iam_policies_register(struct front *front, struct iam *iam)
{
    front_handle(front, &iam_op_CreatePolicy, create_policy, iam);
    front_handle(front, &iam_op_GetPolicy, get_policy, iam);
    front_handle(front, &iam_op_DeletePolicy, delete_policy, iam);
    front_handle(front, &iam_op_ListPolicies, list_policies, iam);
}
