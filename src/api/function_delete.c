#include "api/internal.h"
#include "model/change.h"

static void on_deleted(void *arg, const struct function *now, const struct err *err)
{
    struct call *call = arg;
    if (err)
        api_store_failed(call, err);
    else
        call_ok(call, 204, NULL);
}

/* Versions and aliases do not exist yet, so a qualifier names none (controlplane.md fact 17). */
static void delete_qualified(struct call *call, struct slice qualifier)
{
    uint64_t number = 0;
    if (slice_eq(qualifier, S("$LATEST")))
        call_fail(call, "InvalidParameterValueException",
                  "$LATEST version cannot be deleted without deleting the function.");
    else if (slice_u64(qualifier, &number))
        call_ok(call, 204, NULL);
    else
        call_fail(call, "InvalidParameterValueException",
                  "Deletion of aliases is not currently supported.");
}

void api_delete_function(struct call *call)
{
    const struct api_context *api = call->context;
    const struct lambda_DeleteFunctionRequest *input = call->input;
    const struct function *fn = NULL;
    struct target target;
    struct err err;
    if (!api_target(call, input->FunctionName, input->Qualifier, &target))
        return;
    struct slice qualifier = target.qualifier;
    target.qualifier = (struct slice){NULL, 0};
    if (!api_find(call, &target, &fn))
        return;
    if (qualifier.p) {
        delete_qualified(call, qualifier);
        return;
    }
    struct function_change *change =
        change_begin(api->functions, target.account, target.region, target.name, &err);
    if (change)
        change_delete(change, on_deleted, call);
    else
        call_fail(call, "ResourceConflictException", "%s", err.msg);
}
