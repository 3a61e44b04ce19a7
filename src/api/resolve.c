#include "api/check.h"
#include "api/internal.h"

#include "base/log.h"
#include "env/pool.h"
#include "front/addressed.h"
#include "model/alias.h"
#include "model/iam.h"
#include "model/trust.h"

bool api_target(struct call *call, struct slice name, struct slice qualifier, struct target *out)
{
    enum addressed addressed = call_addressed(call, name, qualifier, out);
    if (addressed == ADDRESSED_BAD_NAME)
        call_fail(call, "InvalidParameterValueException", "Invalid function name: %.*s", FMT(name));
    else if (addressed == ADDRESSED_FOREIGN)
        api_deny(call);
    return addressed == ADDRESSED_OK;
}

const struct function *api_lookup(const struct call *call, const struct target *target)
{
    const struct api_context *api = call->context;
    struct slice version = target->qualifier;
    if (alias_is_name(version)) {
        const struct lambda_AliasConfiguration *alias = alias_find(
            api_resources(call), api_key(call, target, (struct slice){NULL, 0}), version);
        if (alias)
            version = alias->FunctionVersion;
    }
    return functions_find(api->functions, target->account, target->region, target->name, version);
}

bool api_find(struct call *call, const struct target *target, const struct function **out)
{
    *out = api_lookup(call, target);
    if (!*out)
        call_fail(call, "ResourceNotFoundException", "Function not found: %.*s",
                  FMT(target_arn(call->arena, target, target->qualifier)));
    return *out != NULL;
}

struct function_change *api_begin_change(struct call *call, struct slice name,
                                         struct target *out_target)
{
    const struct api_context *api = call->context;
    const struct slice none = {NULL, 0};
    const struct function *fn = NULL;
    struct err err;
    if (!api_target(call, name, none, out_target))
        return NULL;
    out_target->qualifier = none;
    if (!api_find(call, out_target, &fn))
        return NULL;
    struct function_change *change = change_begin(api->functions, out_target->account,
                                                  out_target->region, out_target->name, &err);
    if (!change)
        call_fail(call, "ResourceConflictException", "%s", err.msg);
    return change;
}

bool api_may_update(struct call *call, const struct function *fn, struct slice revision)
{
    if (revision.p && !slice_eq(revision, fn->config->RevisionId)) {
        call_fail(call, "PreconditionFailedException",
                  "The Revision Id provided does not match the latest Revision Id. Call the "
                  "GetFunction/GetAlias API to retrieve the latest Revision Id");
        return false;
    }
    if (fn->pending) {
        call_fail(
            call, "ResourceConflictException",
            "The operation cannot be performed at this time. The function is currently in the "
            "following state: Pending");
        return false;
    }
    if (fn->updating) {
        call_fail(call, "ResourceConflictException",
                  "The operation cannot be performed at this time. An update is in progress for "
                  "resource: %.*s",
                  FMT(fn->arn));
        return false;
    }
    return true;
}

bool api_role_trusts(struct call *call, struct slice role)
{
    const struct api_context *api = call->context;
    if (!role.p || !api->check_roles)
        return true;
    const struct iam_Role *found = iam_role_of(api->iam, call->arena, role);
    if (found && trust_allows_service(found->AssumeRolePolicyDocument, S("lambda.amazonaws.com")))
        return true;
    call_fail(call, "InvalidParameterValueException",
              "The role defined for the function cannot be assumed by Lambda.");
    return false;
}

void api_warn_unserved(struct call *call, const struct lambda_FunctionConfiguration *config)
{
    const char *what = NULL;
    if (config->FileSystemConfigs.n)
        what = "lambkin mounts no file systems: FileSystemConfigs is kept and shown, not served";
    else if (config->VpcConfig && config->VpcConfig->SubnetIds.n)
        what = "functions have no network here: VpcConfig is kept and shown, not served";
    if (what && !call->warning.p)
        call->warning = slice_str(what);
}

/* Why this host does not run it as it is meant; absent: it does. */
static struct slice host_lacks(const struct call *call, struct slice runtime,
                               const struct aws_list *architectures)
{
    const struct api_context *api = call->context;
    struct slice host = check_host_architecture();
    struct runtime_choice choice = {.exact = true};
    struct err err;
    if (runtime.p && !pool_choose_runtime(api->pool, runtime, &choice, &err))
        return arena_printf(call->arena, "the function cannot run here: %s", err.msg);
    if (choice.interpreter.p && !choice.exact)
        return arena_printf(call->arena, "this host has no %.*s: %.*s runs the function",
                            FMT(runtime), FMT(choice.interpreter));
    if (architectures && architectures->n) {
        struct slice asked = *AWS_ITEM(*architectures, struct slice, 0);
        if (!slice_eq(asked, host))
            return arena_printf(call->arena,
                                "this host is %.*s: what is compiled for %.*s does not run here",
                                FMT(host), FMT(asked));
    }
    return (struct slice){NULL, 0};
}

bool api_host_runs(struct call *call, struct slice function, struct slice runtime,
                   const struct aws_list *architectures)
{
    const struct api_context *api = call->context;
    struct slice why = host_lacks(call, runtime, architectures);
    if (!why.p)
        return true;
    if (api->exact) {
        call_fail(call, "InvalidParameterValueException", "%.*s", FMT(why));
        return false;
    }
    call->warning = why;
    log_warn("function.host", "function=%.*s %.*s", FMT(function), FMT(why));
    return true;
}
