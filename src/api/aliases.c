/* CreateAlias, GetAlias, ListAliases, UpdateAlias, DeleteAlias (controlplane.md section 6). */
#include "api/internal.h"

#include "model/alias.h"

/* The map of weights, or NULL where it is not given or empty: that clears it. */
static const struct aws_map *weights_of(const struct lambda_AliasRoutingConfiguration *routing)
{
    return routing && routing->AdditionalVersionWeights.n ? &routing->AdditionalVersionWeights
                                                          : NULL;
}

static bool version_exists(struct call *call, const struct target *target, struct slice version)
{
    const struct api_context *api = call->context;
    if (functions_find(api->functions, target->account, target->region, target->name, version))
        return true;
    call_fail(call, "ResourceNotFoundException", "Function not found: %.*s",
              FMT(target_arn(call->arena, target, version)));
    return false;
}

static bool check_weights(struct call *call, const struct target *target,
                          const struct aws_map *weights, struct slice version)
{
    if (weights->n > 1) {
        call_fail(call, "InvalidParameterValueException",
                  "Number of items in AdditionalVersionWeights cannot be greater than 1");
        return false;
    }
    if (slice_eq(weights->keys[0], version)) {
        call_fail(call, "InvalidParameterValueException",
                  "Invalid function version %.*s. Function version %.*s is already included in "
                  "routing configuration.",
                  FMT(version), FMT(version));
        return false;
    }
    if (slice_eq(version, S("$LATEST"))) {
        api_fail_untyped(
            call, "InvalidParameterValueException",
            S("$LATEST is not supported for an alias pointing to more than 1 version"));
        return false;
    }
    return version_exists(call, target, weights->keys[0]);
}

static bool find_function(struct call *call, struct slice name, struct target *target)
{
    const struct slice none = {NULL, 0};
    const struct function *fn = NULL;
    if (!api_target(call, name, none, target))
        return false;
    target->qualifier = none;
    return api_find(call, target, &fn);
}

static const struct lambda_AliasConfiguration *find(struct call *call, const struct target *target,
                                                    struct slice name)
{
    const struct slice none = {NULL, 0};
    return alias_find(api_resources(call), api_key(call, target, none), name);
}

static void save(struct call *call, const struct target *target,
                 struct lambda_AliasConfiguration *alias, const struct aws_map *weights)
{
    struct table_write *write = api_write(call);
    alias->AliasArn = target_arn(call->arena, target, alias->Name);
    alias->RevisionId = api_revision(call);
    if (weights) {
        alias->RoutingConfig = ARENA_NEW(call->arena, lambda_AliasRoutingConfiguration);
        alias->RoutingConfig->AdditionalVersionWeights = *weights;
    }
    table_put(write, api_resources(call)->aliases, api_key(call, target, alias->Name), alias);
    api_commit(call, write, 0, alias);
}

void api_create_alias(struct call *call)
{
    const struct lambda_CreateAliasRequest *input = call->input;
    const struct aws_map *weights = weights_of(input->RoutingConfig);
    struct target target;
    const struct slice none = {NULL, 0};
    if (!api_target(call, input->FunctionName, none, &target))
        return;
    target.qualifier = none;
    if (!version_exists(call, &target, input->FunctionVersion)) /* or the function does not */
        return;
    const struct lambda_AliasConfiguration *old = find(call, &target, input->Name);
    if (old) {
        call_fail(call, "ResourceConflictException", "Alias already exists: %.*s",
                  FMT(old->AliasArn));
        return;
    }
    if (weights && !check_weights(call, &target, weights, input->FunctionVersion))
        return;
    struct lambda_AliasConfiguration *alias = ARENA_NEW(call->arena, lambda_AliasConfiguration);
    alias->Name = input->Name;
    alias->FunctionVersion = input->FunctionVersion;
    alias->Description = input->Description.p ? input->Description : S("");
    save(call, &target, alias, weights);
}

void api_update_alias(struct call *call)
{
    const struct lambda_UpdateAliasRequest *input = call->input;
    const struct aws_map *weights = weights_of(input->RoutingConfig);
    struct target target;
    if (!find_function(call, input->FunctionName, &target))
        return;
    const struct lambda_AliasConfiguration *old = find(call, &target, input->Name);
    if (!old) {
        call_fail(call, "ResourceNotFoundException", "Alias not found: %.*s",
                  FMT(target_arn(call->arena, &target, input->Name)));
        return;
    }
    if (!api_revision_matches(call, input->RevisionId, old->RevisionId, "GetFunction/GetAlias"))
        return;
    struct lambda_AliasConfiguration *alias = ARENA_NEW(call->arena, lambda_AliasConfiguration);
    *alias = *old;
    if (input->Description.p)
        alias->Description = input->Description;
    if (input->RoutingConfig)
        alias->RoutingConfig = NULL;
    if (input->FunctionVersion.p) {
        if (!version_exists(call, &target, input->FunctionVersion))
            return;
        alias->FunctionVersion = input->FunctionVersion;
    }
    const struct aws_map *kept = weights ? weights : weights_of(alias->RoutingConfig);
    if (kept && !check_weights(call, &target, kept, alias->FunctionVersion))
        return;
    save(call, &target, alias, weights);
}

void api_get_alias(struct call *call)
{
    const struct lambda_GetAliasRequest *input = call->input;
    const struct slice none = {NULL, 0};
    struct target target;
    if (!api_target(call, input->FunctionName, none, &target))
        return;
    const struct lambda_AliasConfiguration *alias = find(call, &target, input->Name);
    if (alias)
        call_ok(call, 0, alias);
    else
        call_fail(call, "ResourceNotFoundException", "Cannot find alias arn: %.*s",
                  FMT(target_arn(call->arena, &target, input->Name)));
}

void api_list_aliases(struct call *call)
{
    const struct lambda_ListAliasesRequest *input = call->input;
    const struct slice none = {NULL, 0};
    const struct table_row *rows = NULL;
    struct target target;
    if (!find_function(call, input->FunctionName, &target))
        return;
    struct slice prefix = arena_printf(call->arena, "%.*s ", FMT(api_key(call, &target, none)));
    struct slice after =
        input->Marker.n ? arena_printf(call->arena, "%.*s%.*s", FMT(prefix), FMT(input->Marker))
                        : none;
    size_t n =
        table_page(api_resources(call)->aliases, call->arena, prefix, after, SIZE_MAX - 1, &rows);
    size_t max = api_limit(input->MaxItems, API_PAGE_MAX);
    void **page = arena_array(call->arena, max, sizeof *page);
    struct lambda_ListAliasesResponse answer = {.Aliases = {true, 0, page}};
    for (size_t i = 0; i < n; i++) {
        const struct lambda_AliasConfiguration *alias = rows[i].value;
        if (input->FunctionVersion.p && !slice_eq(alias->FunctionVersion, input->FunctionVersion))
            continue;
        if (answer.Aliases.n == max) {
            answer.NextMarker = ((const struct lambda_AliasConfiguration *)page[max - 1])->Name;
            break;
        }
        page[answer.Aliases.n++] = (void *)(uintptr_t)alias;
    }
    call_ok(call, 0, &answer);
}

/* Whatever hangs on the alias goes with it; one that is not there is gone already (fact 53). */
void api_delete_alias(struct call *call)
{
    const struct lambda_DeleteAliasRequest *input = call->input;
    struct target target;
    if (!find_function(call, input->FunctionName, &target))
        return;
    struct table_write *write = api_write(call);
    resources_forget(api_resources(call), write, api_key(call, &target, input->Name));
    api_commit(call, write, 204, NULL);
}
