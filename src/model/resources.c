#include "model/resources.h"

#include "base/mem.h"
#include "lambda_api.h"
#include "store_api.h"

bool resources_open(struct resources *r, struct tables *tables, struct err *err)
{
    const struct {
        struct table **table;
        const char *name;
        const struct aws_shape *shape;
    } rows[] = {
        {&r->states, "function_states", store_shape_FunctionState},
        {&r->concurrency, "concurrency", lambda_shape_Concurrency},
        {&r->recursion, "recursion", lambda_shape_GetFunctionRecursionConfigResponse},
        {&r->signing, "function_signing", store_shape_Reference},
        {&r->aliases, "aliases", lambda_shape_AliasConfiguration},
        {&r->policies, "policies", store_shape_Policy},
        {&r->urls, "urls", lambda_shape_FunctionUrlConfig},
        {&r->async, "event_invoke_configs", lambda_shape_FunctionEventInvokeConfig},
        {&r->provisioned, "provisioned", lambda_shape_ProvisionedConcurrencyConfigListItem},
        {&r->management, "runtime_management", lambda_shape_GetRuntimeManagementConfigResponse},
        {&r->scaling, "scaling", lambda_shape_FunctionScalingConfig},
        {&r->signing_configs, "signing_configs", lambda_shape_CodeSigningConfig},
        {&r->layers, "layers", store_shape_Counter},
        {&r->layer_versions, "layer_versions", store_shape_LayerVersion},
        {&r->layer_policies, "layer_policies", store_shape_Policy},
        {&r->tags, "tags", lambda_shape_ListTagsResponse},
    };
    _Static_assert(sizeof(*r) == (COUNT_OF(rows) + 1) * sizeof(void *), "a row for each table");
    r->tables = tables;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        *rows[i].table = table_open(tables, rows[i].name, rows[i].shape, err);
        if (!*rows[i].table)
            return false;
    }
    return true;
}

void resources_forget(const struct resources *r, struct table_write *write, struct slice key)
{
    struct table *const of_functions[] = {r->states,      r->concurrency, r->recursion, r->signing,
                                          r->aliases,     r->policies,    r->urls,      r->async,
                                          r->provisioned, r->management,  r->scaling};
    AUTO(arena) struct arena *arena = arena_new();
    struct slice below = arena_printf(arena, "%.*s ", FMT(key));
    for (size_t i = 0; i < COUNT_OF(of_functions); i++) {
        if (table_has(of_functions[i], key))
            table_delete(write, of_functions[i], key);
        table_delete_below(write, of_functions[i], below);
    }
}
