#include "api/internal.h"

/* Of all layer versions (controlplane.md fact 101). */
static int64_t layer_bytes(const struct call *call)
{
    const struct table_row *rows = NULL;
    struct slice prefix =
        arena_printf(call->arena, "%.*s %.*s ", FMT(call->account), FMT(call->region));
    size_t n = table_list(api_resources(call)->layer_versions, call->arena, prefix, &rows);
    int64_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += ((const struct store_LayerVersion *)rows[i].value)->CodeSize.v;
    return bytes;
}

void api_get_account_settings(struct call *call)
{
    const struct api_context *api = call->context;
    const struct function_usage used = functions_usage(api->functions, call->account, call->region);
    struct lambda_AccountLimit limit = {.TotalCodeSize = OPT_I64(INT64_C(80530636800)),
                                        .CodeSizeUnzipped = OPT_I64(262144000),
                                        .CodeSizeZipped = OPT_I64(52428800),
                                        .ConcurrentExecutions = OPT_I64(api->account_concurrency),
                                        .UnreservedConcurrentExecutions =
                                            OPT_I64(api_unreserved(call))};
    struct lambda_AccountUsage usage = {.TotalCodeSize =
                                            OPT_I64(used.code_bytes + layer_bytes(call)),
                                        .FunctionCount = OPT_I64((int64_t)used.functions)};
    const struct lambda_GetAccountSettingsResponse answer = {&limit, &usage};
    call_ok(call, 0, &answer);
}
