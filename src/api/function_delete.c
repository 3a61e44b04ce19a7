#include "api/internal.h"

#include "model/alias.h"

/* A version that an alias leads to stays. */
static bool is_referenced(struct call *call, const struct target *target, struct slice version)
{
    const struct slice none = {NULL, 0};
    const struct table_row *rows = NULL;
    AUTO(buf) struct buf names = BUF_INIT(1 << 20);
    struct slice prefix = arena_printf(call->arena, "%.*s ", FMT(api_key(call, target, none)));
    size_t n = table_list(api_resources(call)->aliases, call->arena, prefix, &rows);
    for (size_t i = 0; i < n; i++) {
        const struct lambda_AliasConfiguration *alias = rows[i].value;
        const struct aws_map *weights =
            alias->RoutingConfig ? &alias->RoutingConfig->AdditionalVersionWeights : NULL;
        if (slice_eq(alias->FunctionVersion, version) ||
            (weights && weights->n && slice_eq(weights->keys[0], version)))
            buf_printf(&names, "%s%.*s", names.n ? ", " : "", FMT(alias->Name));
    }
    if (names.n)
        call_fail(call, "ResourceConflictException",
                  "Unable to delete version because the following aliases reference it: [%.*s]",
                  FMT(buf_all(&names)));
    return names.n > 0;
}

static void delete_version(struct call *call, struct function_change *change,
                           const struct target *target, struct slice qualifier)
{
    const struct api_context *api = call->context;
    uint64_t number = 0;
    bool found = slice_u64(qualifier, &number) &&
                 functions_find(api->functions, target->account, target->region, target->name,
                                qualifier) != NULL;
    if (found && !is_referenced(call, target, qualifier)) {
        change_delete_version(change, number, api_changed, call);
        return;
    }
    change_abort(change);
    if (!found)
        call_ok(call, 204, NULL);
}

/* controlplane.md fact 17 */
static bool may_be_deleted(struct call *call, struct slice qualifier)
{
    if (slice_eq(qualifier, S("$LATEST")))
        call_fail(call, "InvalidParameterValueException",
                  "$LATEST version cannot be deleted without deleting the function.");
    else if (alias_is_name(qualifier))
        call_fail(call, "InvalidParameterValueException",
                  "Deletion of aliases is not currently supported.");
    else
        return true;
    return false;
}

void api_delete_function(struct call *call)
{
    const struct lambda_DeleteFunctionRequest *input = call->input;
    struct target target;
    if (!api_target(call, input->FunctionName, input->Qualifier, &target))
        return;
    struct slice qualifier = target.qualifier;
    struct function_change *change = api_begin_change(call, input->FunctionName, &target);
    if (!change)
        return;
    if (qualifier.p && !may_be_deleted(call, qualifier))
        change_abort(change);
    else if (qualifier.p)
        delete_version(call, change, &target, qualifier);
    else
        change_delete(change, api_changed, call);
}
