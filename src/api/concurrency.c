/* PutFunctionConcurrency, GetFunctionConcurrency, DeleteFunctionConcurrency and the arithmetic of
 * an account's concurrency (controlplane.md section 8). */
#include "api/internal.h"

int64_t api_provisioned_sum(const struct call *call, struct slice key)
{
    const struct table_row *rows = NULL;
    int64_t sum = 0;
    struct slice prefix = arena_printf(call->arena, "%.*s ", FMT(key));
    size_t n = table_list(api_resources(call)->provisioned, call->arena, prefix, &rows);
    for (size_t i = 0; i < n; i++)
        sum += ((const struct lambda_ProvisionedConcurrencyConfigListItem *)rows[i].value)
                   ->RequestedProvisionedConcurrentExecutions.v;
    return sum;
}

int64_t api_unreserved(const struct call *call)
{
    const struct api_context *api = call->context;
    return (int64_t)api->account_concurrency -
           functions_reserved(api->functions, call->account, call->region) -
           functions_provisioned(api->functions, call->account, call->region);
}

static bool find(struct call *call, struct slice name, struct slice shown_qualifier,
                 struct target *target)
{
    const struct slice none = {NULL, 0};
    const struct api_context *api = call->context;
    if (!api_target(call, name, none, target))
        return false;
    if (target->qualifier.p) {
        call_fail(call, "InvalidParameterValueException",
                  "This operation is permitted on Lambda functions only. Aliases and versions do "
                  "not support this operation. Please specify either a function name or an "
                  "unqualified function ARN.");
        return false;
    }
    if (functions_find(api->functions, target->account, target->region, target->name, none))
        return true;
    call_fail(call, "ResourceNotFoundException", "Function not found: %.*s",
              FMT(target_arn(call->arena, target, shown_qualifier)));
    return false;
}

static bool may_reserve(struct call *call, struct slice key, int64_t wanted)
{
    int64_t provisioned = api_provisioned_sum(call, key);
    const struct lambda_Concurrency *now = table_get(api_resources(call)->concurrency, key);
    /* What it has already is its own to use. */
    int64_t left =
        api_unreserved(call) + (now ? now->ReservedConcurrentExecutions.v : provisioned) - wanted;
    if (left < API_UNRESERVED_MIN) {
        api_fail_untyped(
            call, "InvalidParameterValueException",
            arena_printf(call->arena,
                         "Specified ReservedConcurrentExecutions for function decreases account's "
                         "UnreservedConcurrentExecution below its minimum value of [%d].",
                         API_UNRESERVED_MIN));
        return false;
    }
    if (wanted < provisioned) {
        api_fail_untyped(
            call, "InvalidParameterValueException",
            arena_printf(
                call->arena,
                " ReservedConcurrentExecutions  %lld should not be lower than function's total "
                "provisioned concurrency [%lld].",
                (long long)wanted, (long long)provisioned));
        return false;
    }
    return true;
}

void api_put_concurrency(struct call *call)
{
    const struct lambda_PutFunctionConcurrencyRequest *input = call->input;
    const struct slice none = {NULL, 0};
    struct target target;
    if (!find(call, input->FunctionName, S("$LATEST"), &target))
        return;
    struct slice key = api_key(call, &target, none);
    if (!may_reserve(call, key, input->ReservedConcurrentExecutions.v))
        return;
    struct lambda_Concurrency *row = ARENA_NEW(call->arena, lambda_Concurrency);
    row->ReservedConcurrentExecutions = input->ReservedConcurrentExecutions;
    struct table_write *write = api_write(call);
    table_put(write, api_resources(call)->concurrency, key, row);
    api_commit(call, write, 0, row);
}

void api_get_concurrency(struct call *call)
{
    const struct lambda_GetFunctionConcurrencyRequest *input = call->input;
    const struct slice none = {NULL, 0};
    struct target target;
    if (!find(call, input->FunctionName, none, &target))
        return;
    const struct lambda_Concurrency *row =
        table_get(api_resources(call)->concurrency, api_key(call, &target, none));
    struct lambda_GetFunctionConcurrencyResponse answer = {{false, 0}};
    if (row)
        answer.ReservedConcurrentExecutions = row->ReservedConcurrentExecutions;
    call_ok(call, 0, &answer);
}

void api_delete_concurrency(struct call *call)
{
    const struct lambda_DeleteFunctionConcurrencyRequest *input = call->input;
    const struct slice none = {NULL, 0};
    struct target target;
    if (!find(call, input->FunctionName, none, &target))
        return;
    struct table_write *write = api_write(call);
    table_delete(write, api_resources(call)->concurrency, api_key(call, &target, none));
    api_commit(call, write, 204, NULL);
}
