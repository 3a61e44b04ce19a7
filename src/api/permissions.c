/* AddPermission, GetPolicy, RemovePermission (controlplane.md section 9). */
#include "api/internal.h"
#include "api/policy.h"

#include "model/alias.h"

/* $LATEST, a version or an alias that is there; which error is the operation's. */
static bool qualifier_exists(struct call *call, const struct target *target)
{
    const struct slice none = {NULL, 0};
    const struct api_context *api = call->context;
    struct slice qualifier = target->qualifier;
    if (alias_is_name(qualifier)) {
        if (alias_find(api_resources(call), api_key(call, target, none), qualifier))
            return true;
        call_fail(call, "ResourceNotFoundException", "Cannot find alias arn: %.*s",
                  FMT(target_arn(call->arena, target, qualifier)));
        return false;
    }
    if (functions_find(api->functions, target->account, target->region, target->name, qualifier))
        return true;
    call_fail(call, "ResourceNotFoundException", "Function not found: %.*s",
              FMT(target_arn(call->arena, target, qualifier)));
    return false;
}

static bool is_latest(struct slice qualifier)
{
    return slice_eq(qualifier, S("$LATEST"));
}

static bool resolve(struct call *call, struct slice name, struct slice qualifier,
                    struct target *target)
{
    if (!api_target(call, name, qualifier, target))
        return false;
    if (!is_latest(target->qualifier))
        return true;
    call_fail(call, "InvalidParameterValueException",
              "We currently do not support adding policies for $LATEST.");
    return false;
}

static const struct store_Policy *policy_of(const struct call *call, const struct target *target)
{
    return table_get(api_resources(call)->policies, api_key(call, target, target->qualifier));
}

static bool check(struct call *call, const struct lambda_AddPermissionRequest *input)
{
    const char *why = NULL;
    if (!policy_knows(input->Principal))
        why = "The provided principal was invalid. Please check the principal and try again.";
    else if (input->FunctionUrlAuthType.p &&
             !slice_eq(input->Action, S("lambda:InvokeFunctionUrl")))
        why = "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action";
    if (why)
        call_fail(call, "InvalidParameterValueException", "%s", why);
    return !why;
}

bool api_policy_accepts(struct call *call, const struct store_Policy *policy, struct slice sid,
                        struct slice revision, const char *reader)
{
    if (!api_revision_matches(call, revision, policy ? policy->RevisionId : S(""), reader))
        return false;
    if (!policy || policy_find(policy, sid) == policy->Statements.n)
        return true;
    call_fail(call, "ResourceConflictException",
              "The statement id (%.*s) provided already exists. Please provide a new statement id, "
              "or remove the existing statement.",
              FMT(sid));
    return false;
}

bool api_policy_fits(struct call *call, const struct store_Policy *policy)
{
    size_t size = policy_render(call->arena, policy).n;
    if (size <= POLICY_MAX)
        return true;
    call_fail(call, "PolicyLengthExceededException",
              "The final policy size (%zu) is bigger than the limit (%d).", size, POLICY_MAX);
    return false;
}

void api_add_permission(struct call *call)
{
    const struct lambda_AddPermissionRequest *input = call->input;
    struct target target;
    if (!resolve(call, input->FunctionName, input->Qualifier, &target) ||
        !qualifier_exists(call, &target) || !check(call, input))
        return;
    const struct store_Policy *old = policy_of(call, &target);
    if (!api_policy_accepts(call, old, input->StatementId, input->RevisionId, "GetPolicy"))
        return;
    const struct policy_grant grant = {
        .sid = input->StatementId,
        .principal = input->Principal,
        .action = input->Action,
        .resource = target_arn(call->arena, &target, target.qualifier),
        .source_arn = input->SourceArn,
        .source_account = input->SourceAccount,
        .organization = input->PrincipalOrgID,
        .url_auth_type = input->FunctionUrlAuthType,
        .event_source_token = input->EventSourceToken,
        .via_url_set = input->InvokedViaFunctionUrl.set,
        .via_url = input->InvokedViaFunctionUrl.v,
    };
    struct slice statement = policy_statement(call->arena, &grant);
    struct store_Policy *policy = policy_with(call->arena, old, input->StatementId, statement);
    policy->RevisionId = api_revision(call);
    if (!api_policy_fits(call, policy))
        return;
    struct table_write *write = api_write(call);
    struct lambda_AddPermissionResponse *answer =
        ARENA_NEW(call->arena, lambda_AddPermissionResponse);
    answer->Statement = statement;
    table_put(write, api_resources(call)->policies, api_key(call, &target, target.qualifier),
              policy);
    api_commit(call, write, 0, answer);
}

void api_get_policy(struct call *call)
{
    const struct lambda_GetPolicyRequest *input = call->input;
    struct target target;
    if (!api_target(call, input->FunctionName, input->Qualifier, &target))
        return;
    const struct target whole = {target.account, target.region, target.name, {NULL, 0}};
    const struct function *fn = NULL;
    if (!api_find(call, &whole, &fn))
        return;
    if (is_latest(target.qualifier))
        target.qualifier = (struct slice){NULL, 0};
    const struct store_Policy *policy = policy_of(call, &target);
    if (!policy) {
        call_fail(call, "ResourceNotFoundException", "The resource you requested does not exist.");
        return;
    }
    const struct lambda_GetPolicyResponse answer = {policy_render(call->arena, policy),
                                                    policy->RevisionId};
    call_ok(call, 0, &answer);
}

static bool function_exists(struct call *call, const struct target *target)
{
    const struct slice none = {NULL, 0};
    const struct api_context *api = call->context;
    if (functions_find(api->functions, target->account, target->region, target->name, none))
        return true;
    call_fail(call, "ResourceNotFoundException", "No policy found for: %.*s",
              FMT(target_arn(call->arena, target, none)));
    return false;
}

void api_remove_permission(struct call *call)
{
    const struct lambda_RemovePermissionRequest *input = call->input;
    struct target target;
    if (!api_target(call, input->FunctionName, input->Qualifier, &target) ||
        !function_exists(call, &target))
        return;
    if (is_latest(target.qualifier))
        target.qualifier = (struct slice){NULL, 0};
    if (target.qualifier.p && !qualifier_exists(call, &target))
        return;
    const struct store_Policy *old = policy_of(call, &target);
    size_t at = policy_find(old, input->StatementId);
    if (!old) {
        call_fail(call, "ResourceNotFoundException",
                  "No policy is associated with the given resource.");
    } else if (at == old->Statements.n) {
        call_fail(call, "ResourceNotFoundException",
                  "Statement %.*s is not found in resource policy.", FMT(input->StatementId));
    } else if (api_revision_matches(call, input->RevisionId, old->RevisionId, "GetPolicy")) {
        api_policy_remove(call, api_resources(call)->policies,
                          api_key(call, &target, target.qualifier), at);
    }
}

void api_policy_remove(struct call *call, struct table *table, struct slice key, size_t at)
{
    struct table_write *write = api_write(call);
    struct store_Policy *policy = policy_without(call->arena, table_get(table, key), at);
    policy->RevisionId = api_revision(call);
    if (policy->Statements.n)
        table_put(write, table, key, policy);
    else
        table_delete(write, table, key);
    api_commit(call, write, 204, NULL);
}
