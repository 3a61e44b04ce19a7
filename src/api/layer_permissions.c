/* AddLayerVersionPermission, GetLayerVersionPolicy, RemoveLayerVersionPermission (controlplane.md
 * fact 98). */
#include "api/layers.h"
#include "api/policy.h"

static bool find(struct call *call, struct slice name, int64_t version, struct layer_name *layer)
{
    bool parsed = layer_parse(call, name, layer);
    layer->version = version;
    if (parsed && !layer_is_own(call, layer))
        return false;
    if (parsed && version < 1) {
        call_fail(call, "InvalidParameterValueException", "Layer Version Cannot be less than 1");
        return false;
    }
    if (parsed && layer_find(api_resources(call), call, layer))
        return true;
    call_fail(call, "ResourceNotFoundException", "Layer version %.*s does not exist.",
              FMT(layer_arn(call, layer)));
    return false;
}

static const struct store_Policy *policy_of(const struct call *call, const struct layer_name *layer)
{
    return table_get(api_resources(call)->layer_policies, layer_key(call, layer));
}

static bool check(struct call *call, const struct lambda_AddLayerVersionPermissionRequest *input,
                  const struct store_Policy *old)
{
    if (!policy_knows(input->Principal) ||
        (input->OrganizationId.p && !slice_eq(input->Principal, S("*")))) {
        call_fail(call, "InvalidParameterValueException",
                  "The provided principal was invalid. Please check the principal and try again.");
        return false;
    }
    return api_policy_accepts(call, old, input->StatementId, input->RevisionId, "GetLayerPolicy");
}

void api_add_layer_permission(struct call *call)
{
    const struct lambda_AddLayerVersionPermissionRequest *input = call->input;
    struct layer_name layer;
    if (!find(call, input->LayerName, input->VersionNumber.v, &layer))
        return;
    const struct store_Policy *old = policy_of(call, &layer);
    if (!check(call, input, old))
        return;
    const struct policy_grant grant = {.sid = input->StatementId,
                                       .principal = input->Principal,
                                       .action = input->Action,
                                       .resource = layer_arn(call, &layer),
                                       .organization = input->OrganizationId};
    struct slice statement = policy_statement(call->arena, &grant);
    struct store_Policy *policy = policy_with(call->arena, old, input->StatementId, statement);
    policy->RevisionId = api_revision(call);
    if (!api_policy_fits(call, policy))
        return;
    struct lambda_AddLayerVersionPermissionResponse *answer =
        ARENA_NEW(call->arena, lambda_AddLayerVersionPermissionResponse);
    *answer = (struct lambda_AddLayerVersionPermissionResponse){statement, policy->RevisionId};
    struct table_write *write = api_write(call);
    table_put(write, api_resources(call)->layer_policies, layer_key(call, &layer), policy);
    api_commit(call, write, 0, answer);
}

void api_get_layer_policy(struct call *call)
{
    const struct lambda_GetLayerVersionPolicyRequest *input = call->input;
    struct layer_name layer;
    if (!find(call, input->LayerName, input->VersionNumber.v, &layer))
        return;
    const struct store_Policy *policy = policy_of(call, &layer);
    if (!policy) {
        call_fail(call, "ResourceNotFoundException",
                  "No policy is associated with the given resource.");
        return;
    }
    const struct lambda_GetLayerVersionPolicyResponse answer = {policy_render(call->arena, policy),
                                                                policy->RevisionId};
    call_ok(call, 0, &answer);
}

void api_remove_layer_permission(struct call *call)
{
    const struct lambda_RemoveLayerVersionPermissionRequest *input = call->input;
    struct layer_name layer;
    if (!find(call, input->LayerName, input->VersionNumber.v, &layer))
        return;
    const struct store_Policy *old = policy_of(call, &layer);
    size_t at = policy_find(old, input->StatementId);
    if (!old)
        call_fail(call, "ResourceNotFoundException",
                  "No policy is associated with the given resource.");
    else if (!api_revision_matches(call, input->RevisionId, old->RevisionId, "GetLayerPolicy"))
        return;
    else if (at == old->Statements.n)
        call_fail(call, "ResourceNotFoundException",
                  "Statement %.*s is not found in resource policy.", FMT(input->StatementId));
    else
        api_policy_remove(call, api_resources(call)->layer_policies, layer_key(call, &layer), at);
}
