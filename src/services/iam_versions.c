/* Versions of managed policies: at most five, one of them the default. */
#include "aws/codec.h"
#include "services/iam.h"

enum { VERSIONS_MAX = 5 };

static struct iam_PolicyVersion *version_at(const struct iam_ManagedPolicy *policy, size_t i)
{
    return *AWS_ITEM(policy->Versions, struct iam_PolicyVersion *, i);
}

/* SIZE_MAX: NoSuchEntity has been answered. */
static size_t find(struct call *call, const struct iam_ManagedPolicy *policy, struct slice id)
{
    for (size_t i = 0; i < policy->Versions.n; i++) {
        if (slice_eq(version_at(policy, i)->VersionId, id))
            return i;
    }
    call_fail(call, "NoSuchEntity", "Policy %.*s version %.*s does not exist or is not attachable.",
              FMT(policy->Policy->Arn), FMT(id));
    return SIZE_MAX;
}

/* A copy to be changed and put back: the lists are its own, the documents borrowed. */
static struct iam_ManagedPolicy copy_of(struct call *call, const struct iam_ManagedPolicy *from)
{
    struct iam_ManagedPolicy copy = *from;
    struct iam_PolicyVersion *versions =
        arena_array(call->arena, from->Versions.n + 1, sizeof *versions);
    copy.Policy = ARENA_NEW(call->arena, iam_Policy);
    *copy.Policy = *from->Policy;
    for (size_t i = 0; i < from->Versions.n; i++)
        versions[i] = *version_at(from, i);
    copy.Versions = aws_list_of(call->arena, versions, from->Versions.n, sizeof *versions);
    return copy;
}

static void make_default(struct iam_ManagedPolicy *policy, struct slice id)
{
    for (size_t i = 0; i < policy->Versions.n; i++)
        version_at(policy, i)->IsDefaultVersion.v = slice_eq(version_at(policy, i)->VersionId, id);
    policy->Policy->DefaultVersionId = id;
}

static void put(struct call *call, const struct iam_ManagedPolicy *policy, const void *output)
{
    const struct iam *iam = call->context;
    struct table_write *write = table_write_new(iam->tables);
    table_put(write, iam->policies, iam_key(call->arena, call->account, policy->Policy->PolicyName),
              policy);
    iam_commit(call, write, output);
}

/* Of ours, to be changed. NULL: answered. */
static const struct iam_ManagedPolicy *find_own(struct call *call, struct slice arn)
{
    const struct iam_ManagedPolicy *found = iam_policy_find(call, arn, IAM_NOT_FOUND);
    return found && iam_is_own_policy(call, found) ? found : NULL;
}

static void create_version(struct call *call)
{
    const struct iam_CreatePolicyVersionRequest *in = call->input;
    const struct iam_ManagedPolicy *found = find_own(call, in->PolicyArn);
    bool is_default = in->SetAsDefault.set && in->SetAsDefault.v;
    if (!found || !iam_policy_fits(call, in->PolicyDocument))
        return;
    if (found->Versions.n >= VERSIONS_MAX) {
        call_fail(call, "LimitExceeded",
                  "A managed policy can have up to %d versions. Before you create a new version, "
                  "you must delete an existing version.",
                  VERSIONS_MAX);
        return;
    }
    struct iam_ManagedPolicy policy = copy_of(call, found);
    struct iam_PolicyVersion *version = ARENA_NEW(call->arena, iam_PolicyVersion);
    policy.LastVersion.v++;
    *version = (struct iam_PolicyVersion){
        in->PolicyDocument, arena_printf(call->arena, "v%lld", (long long)policy.LastVersion.v),
        OPT_BOOL(false), iam_now()};
    policy.Versions = iam_list_add(call->arena, policy.Versions, &version, sizeof(void *));
    policy.Policy->UpdateDate = version->CreateDate;
    if (is_default)
        make_default(&policy, version->VersionId);
    struct iam_CreatePolicyVersionResponse *answer =
        ARENA_NEW(call->arena, iam_CreatePolicyVersionResponse);
    answer->PolicyVersion = ARENA_NEW(call->arena, iam_PolicyVersion);
    *answer->PolicyVersion = *version;
    answer->PolicyVersion->Document = (struct slice){NULL, 0}; /* AWS does not repeat it */
    put(call, &policy, answer);
}

static void get_version(struct call *call)
{
    const struct iam_GetPolicyVersionRequest *in = call->input;
    const struct iam_ManagedPolicy *found =
        iam_policy_find(call, in->PolicyArn, IAM_NOT_ATTACHABLE);
    size_t at = found ? find(call, found, in->VersionId) : SIZE_MAX;
    if (at == SIZE_MAX)
        return;
    struct iam_PolicyVersion version = *version_at(found, at);
    version.Document = iam_document_encode(call->arena, version.Document);
    const struct iam_GetPolicyVersionResponse answer = {&version};
    call_ok(call, 0, &answer);
}

/* The newest first. */
static void list_versions(struct call *call)
{
    const struct iam_ListPolicyVersionsRequest *in = call->input;
    const struct iam_ManagedPolicy *found = iam_policy_find(call, in->PolicyArn, IAM_NOT_FOUND);
    if (!found)
        return;
    size_t n = found->Versions.n;
    struct iam_PolicyVersion *versions = arena_array(call->arena, n + 1, sizeof *versions);
    struct slice *names = arena_array(call->arena, n + 1, sizeof *names);
    struct iam_page page;
    for (size_t i = 0; i < n; i++) {
        versions[i] = *version_at(found, n - 1 - i);
        versions[i].Document = (struct slice){NULL, 0};
        names[i] = versions[i].VersionId;
    }
    if (!iam_page(call, in->Marker, in->MaxItems, names, n, &page))
        return;
    const struct iam_ListPolicyVersionsResponse answer = {
        aws_list_of(call->arena, versions + page.from, page.to - page.from, sizeof *versions),
        page.truncated, page.marker};
    call_ok(call, 0, &answer);
}

static void delete_version(struct call *call)
{
    const struct iam_DeletePolicyVersionRequest *in = call->input;
    const struct iam_ManagedPolicy *found = find_own(call, in->PolicyArn);
    size_t at = found ? find(call, found, in->VersionId) : SIZE_MAX;
    if (at == SIZE_MAX)
        return;
    if (version_at(found, at)->IsDefaultVersion.v) {
        call_fail(call, "DeleteConflict", "Cannot delete the default version of a policy.");
        return;
    }
    struct iam_ManagedPolicy policy = copy_of(call, found);
    policy.Versions = iam_list_remove(call->arena, policy.Versions, at, sizeof(void *));
    put(call, &policy, NULL);
}

static void set_default(struct call *call)
{
    const struct iam_SetDefaultPolicyVersionRequest *in = call->input;
    const struct iam_ManagedPolicy *found = find_own(call, in->PolicyArn);
    if (!found || find(call, found, in->VersionId) == SIZE_MAX)
        return;
    struct iam_ManagedPolicy policy = copy_of(call, found);
    make_default(&policy, in->VersionId);
    policy.Policy->UpdateDate = iam_now();
    put(call, &policy, NULL);
}

void iam_versions_register(struct front *front, struct iam *iam)
{
    front_handle(front, &iam_op_CreatePolicyVersion, create_version, iam);
    front_handle(front, &iam_op_GetPolicyVersion, get_version, iam);
    front_handle(front, &iam_op_ListPolicyVersions, list_versions, iam);
    front_handle(front, &iam_op_DeletePolicyVersion, delete_version, iam);
    front_handle(front, &iam_op_SetDefaultPolicyVersion, set_default, iam);
}
