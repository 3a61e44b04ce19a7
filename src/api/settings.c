/* Small settings of functions: recursion, runtime management, scaling. */
#include "api/internal.h"

static bool find(struct call *call, struct slice name, struct slice qualifier,
                 struct target *target, const struct function **out)
{
    return api_target(call, name, qualifier, target) && api_find(call, target, out);
}

static void put(struct call *call, struct table *table, struct slice key, const void *row,
                const void *answer)
{
    struct table_write *write = api_write(call);
    table_put(write, table, key, row);
    api_commit(call, write, 0, answer);
}

/* ---- recursion (controlplane.md fact 41) ---- */

void api_put_recursion(struct call *call)
{
    const struct lambda_PutFunctionRecursionConfigRequest *input = call->input;
    const struct slice none = {NULL, 0};
    const struct function *fn = NULL;
    struct target target;
    if (!find(call, input->FunctionName, none, &target, &fn))
        return;
    struct lambda_GetFunctionRecursionConfigResponse *row =
        ARENA_NEW(call->arena, lambda_GetFunctionRecursionConfigResponse);
    row->RecursiveLoop = input->RecursiveLoop;
    struct lambda_PutFunctionRecursionConfigResponse *answer =
        ARENA_NEW(call->arena, lambda_PutFunctionRecursionConfigResponse);
    answer->RecursiveLoop = input->RecursiveLoop;
    put(call, api_resources(call)->recursion, api_key(call, &target, none), row, answer);
}

void api_get_recursion(struct call *call)
{
    static const struct lambda_GetFunctionRecursionConfigResponse usual = {S_INIT("Terminate")};
    const struct lambda_GetFunctionRecursionConfigRequest *input = call->input;
    const struct slice none = {NULL, 0};
    const struct function *fn = NULL;
    struct target target;
    if (!find(call, input->FunctionName, none, &target, &fn))
        return;
    const struct lambda_GetFunctionRecursionConfigResponse *row =
        table_get(api_resources(call)->recursion, api_key(call, &target, none));
    call_ok(call, 0, row ? row : &usual);
}

/* ---- runtime management: kept; the runtime is always the host's ---- */

/* $LATEST is what a call without a qualifier means. */
static struct slice management_key(struct call *call, const struct target *target)
{
    const struct slice none = {NULL, 0};
    return api_key(call, target,
                   slice_eq(target->qualifier, S("$LATEST")) ? none : target->qualifier);
}

void api_put_management(struct call *call)
{
    const struct lambda_PutRuntimeManagementConfigRequest *input = call->input;
    const struct function *fn = NULL;
    struct target target;
    bool manual = slice_eq(input->UpdateRuntimeOn, S("Manual"));
    if (!find(call, input->FunctionName, input->Qualifier, &target, &fn))
        return;
    if (manual != (input->RuntimeVersionArn.n > 0)) {
        call_fail(call, "InvalidParameterValueException", "%s",
                  manual ? "You must specify a runtime version ARN when UpdateRuntimeOn is Manual."
                         : "A runtime version ARN is only for UpdateRuntimeOn Manual.");
        return;
    }
    struct lambda_GetRuntimeManagementConfigResponse *row =
        ARENA_NEW(call->arena, lambda_GetRuntimeManagementConfigResponse);
    *row = (struct lambda_GetRuntimeManagementConfigResponse){
        .UpdateRuntimeOn = input->UpdateRuntimeOn,
        .FunctionArn = target_arn(call->arena, &target, target.qualifier),
        .RuntimeVersionArn = input->RuntimeVersionArn};
    struct lambda_PutRuntimeManagementConfigResponse *answer =
        ARENA_NEW(call->arena, lambda_PutRuntimeManagementConfigResponse);
    *answer = (struct lambda_PutRuntimeManagementConfigResponse){
        row->UpdateRuntimeOn, row->FunctionArn, row->RuntimeVersionArn};
    put(call, api_resources(call)->management, management_key(call, &target), row, answer);
}

void api_get_management(struct call *call)
{
    const struct lambda_GetRuntimeManagementConfigRequest *input = call->input;
    const struct function *fn = NULL;
    struct target target;
    if (!find(call, input->FunctionName, input->Qualifier, &target, &fn))
        return;
    struct lambda_GetRuntimeManagementConfigResponse answer = {.UpdateRuntimeOn = S("Auto")};
    const struct lambda_GetRuntimeManagementConfigResponse *row =
        table_get(api_resources(call)->management, management_key(call, &target));
    if (row)
        answer = *row;
    answer.FunctionArn = target_arn(call->arena, &target, target.qualifier);
    call_ok(call, 0, &answer);
}

/* ---- scaling ---- */

static bool check_scaling(struct call *call, const struct lambda_FunctionScalingConfig *config)
{
    if (!config || !config->MinExecutionEnvironments.set || !config->MaxExecutionEnvironments.set ||
        config->MinExecutionEnvironments.v <= config->MaxExecutionEnvironments.v)
        return true;
    call_fail(call, "InvalidParameterValueException",
              "MinExecutionEnvironments must not be greater than MaxExecutionEnvironments.");
    return false;
}

void api_put_scaling(struct call *call)
{
    const struct lambda_PutFunctionScalingConfigRequest *input = call->input;
    static const struct lambda_FunctionScalingConfig empty;
    const struct function *fn = NULL;
    struct target target;
    if (!find(call, input->FunctionName, input->Qualifier, &target, &fn) ||
        !check_scaling(call, input->FunctionScalingConfig))
        return;
    struct lambda_PutFunctionScalingConfigResponse *answer =
        ARENA_NEW(call->arena, lambda_PutFunctionScalingConfigResponse);
    answer->FunctionState = arena_dup(call->arena, fn->config->State);
    put(call, api_resources(call)->scaling, api_key(call, &target, target.qualifier),
        input->FunctionScalingConfig ? input->FunctionScalingConfig : &empty, answer);
}

void api_get_scaling(struct call *call)
{
    const struct lambda_GetFunctionScalingConfigRequest *input = call->input;
    const struct function *fn = NULL;
    struct target target;
    if (!find(call, input->FunctionName, input->Qualifier, &target, &fn))
        return;
    const struct lambda_FunctionScalingConfig *row =
        table_get(api_resources(call)->scaling, api_key(call, &target, target.qualifier));
    struct lambda_FunctionScalingConfig *config =
        (struct lambda_FunctionScalingConfig *)(uintptr_t)row;
    const struct lambda_GetFunctionScalingConfigResponse answer = {
        target_arn(call->arena, &target, target.qualifier), config, config};
    call_ok(call, 0, &answer);
}
