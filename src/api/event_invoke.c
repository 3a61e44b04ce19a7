/* PutFunctionEventInvokeConfig, Update-, Get-, Delete-, ListFunctionEventInvokeConfigs
 * (controlplane.md section 10). */
#include "api/internal.h"

#include "base/clock.h"

/* A qualifier is always part of key and ARN here. */
static struct slice qualifier_of(const struct target *target)
{
    return target->qualifier.p ? target->qualifier : S("$LATEST");
}

static struct slice key_of(const struct call *call, const struct target *target)
{
    return api_key(call, target, qualifier_of(target));
}

static bool exists(struct call *call, struct slice name, struct slice qualifier,
                   struct target *target)
{
    if (!api_target(call, name, qualifier, target))
        return false;
    if (api_lookup(call, target))
        return true;
    call_fail(call, "ResourceNotFoundException", "The function doesn't exist.");
    return false;
}

static bool find(struct call *call, struct slice name, struct slice qualifier,
                 struct target *target, const struct lambda_FunctionEventInvokeConfig **out)
{
    if (!api_target(call, name, qualifier, target))
        return false;
    *out = table_get(api_resources(call)->async, key_of(call, target));
    if (*out)
        return true;
    call_fail(call, "ResourceNotFoundException",
              "The function %.*s doesn't have an EventInvokeConfig",
              FMT(target_arn(call->arena, target, qualifier_of(target))));
    return false;
}

/* ---- destinations (fact 88) ---- */

static struct slice destination_text(const struct call *call, const char *type, const char *kind,
                                     struct slice destination)
{
    return destination.p
               ? arena_printf(call->arena, "%s=%s(destination=%.*s)", type, kind, FMT(destination))
               : arena_printf(call->arena, "%s=null", type);
}

static struct slice service_of(struct slice arn)
{
    struct slice part = {NULL, 0};
    for (int i = 0; i < 3; i++)
        slice_cut(&arn, ':', &part);
    return part;
}

static bool is_supported(struct slice arn)
{
    static const struct slice services[] = {S_INIT("lambda"), S_INIT("sqs"), S_INIT("sns"),
                                            S_INIT("events"), S_INIT("s3")};
    struct slice service = service_of(arn);
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        if (slice_eq(service, services[i]))
            return true;
    }
    return false;
}

static bool check_function(struct call *call, const struct target *target, struct slice arn)
{
    const struct slice none = {NULL, 0};
    const struct api_context *api = call->context;
    struct target named;
    bool parsed = target_parse(arn, none, target->account, target->region, &named) == TARGET_OK;
    if (!parsed || !functions_find(api->functions, named.account, named.region, named.name, none)) {
        call_fail(call, "InvalidParameterValueException", "The destination ARN %.*s is invalid.",
                  FMT(arn));
        return false;
    }
    if (slice_eq(named.name, target->name)) {
        call_fail(call, "InvalidParameterValueException",
                  "You can't specify the function as a destination for itself.");
        return false;
    }
    return true;
}

static bool check_destinations(struct call *call, const struct target *target,
                               const struct lambda_DestinationConfig *config)
{
    struct slice arns[2] = {{NULL, 0}, {NULL, 0}};
    if (config && config->OnSuccess)
        arns[0] = config->OnSuccess->Destination;
    if (config && config->OnFailure)
        arns[1] = config->OnFailure->Destination;
    for (size_t i = 0; i < COUNT_OF(arns); i++) {
        if (!arns[i].n)
            continue;
        if (!is_supported(arns[i])) {
            call_fail(call, "InvalidParameterValueException",
                      "The provided destination config DestinationConfig(%.*s, %.*s) is invalid.",
                      FMT(destination_text(call, "onSuccess", "OnSuccess", arns[0])),
                      FMT(destination_text(call, "onFailure", "OnFailure", arns[1])));
            return false;
        }
        if (slice_eq(service_of(arns[i]), S("lambda")) && !check_function(call, target, arns[i]))
            return false;
    }
    return true;
}

/* {"OnSuccess":{},"OnFailure":{}} where nothing is set (fact 86). */
static struct lambda_DestinationConfig *destinations(struct call *call,
                                                     const struct lambda_DestinationConfig *given)
{
    struct lambda_DestinationConfig *config = ARENA_NEW(call->arena, lambda_DestinationConfig);
    if (given)
        *config = *given;
    if (!config->OnSuccess)
        config->OnSuccess = ARENA_NEW(call->arena, lambda_OnSuccess);
    if (!config->OnFailure)
        config->OnFailure = ARENA_NEW(call->arena, lambda_OnFailure);
    return config;
}

/* ---- operations ---- */

/* Both requests have the same members: the generated structs are one in all but name. */
struct wanted {
    struct opt_i64 attempts;
    struct opt_i64 age;
    const struct lambda_DestinationConfig *destinations;
};

static bool check(struct call *call, struct slice name, struct slice qualifier,
                  const struct wanted *wanted, struct target *target)
{
    if (!wanted->attempts.set && !wanted->age.set && !wanted->destinations) {
        call_fail(call, "InvalidParameterValueException",
                  "You must specify at least one of error handling or destination setting.");
        return false;
    }
    return exists(call, name, qualifier, target) &&
           check_destinations(call, target, wanted->destinations);
}

static void save(struct call *call, const struct target *target, const struct wanted *wanted,
                 const struct lambda_FunctionEventInvokeConfig *old)
{
    struct lambda_FunctionEventInvokeConfig *config =
        ARENA_NEW(call->arena, lambda_FunctionEventInvokeConfig);
    if (old)
        *config = *old;
    config->LastModified = OPT_F64((double)clock_wall_ms() / 1000);
    config->FunctionArn = target_arn(call->arena, target, qualifier_of(target));
    if (wanted->attempts.set)
        config->MaximumRetryAttempts = wanted->attempts;
    if (wanted->age.set)
        config->MaximumEventAgeInSeconds = wanted->age;
    if (wanted->destinations || !old)
        config->DestinationConfig = destinations(call, wanted->destinations);
    struct table_write *write = api_write(call);
    table_put(write, api_resources(call)->async, key_of(call, target), config);
    api_commit(call, write, 0, config);
}

void api_put_event_invoke(struct call *call)
{
    const struct lambda_PutFunctionEventInvokeConfigRequest *input = call->input;
    const struct wanted wanted = {input->MaximumRetryAttempts, input->MaximumEventAgeInSeconds,
                                  input->DestinationConfig};
    struct target target;
    if (check(call, input->FunctionName, input->Qualifier, &wanted, &target))
        save(call, &target, &wanted, NULL);
}

void api_update_event_invoke(struct call *call)
{
    const struct lambda_UpdateFunctionEventInvokeConfigRequest *input = call->input;
    const struct wanted wanted = {input->MaximumRetryAttempts, input->MaximumEventAgeInSeconds,
                                  input->DestinationConfig};
    const struct lambda_FunctionEventInvokeConfig *old = NULL;
    struct target target;
    if (check(call, input->FunctionName, input->Qualifier, &wanted, &target) &&
        find(call, input->FunctionName, input->Qualifier, &target, &old))
        save(call, &target, &wanted, old);
}

void api_get_event_invoke(struct call *call)
{
    const struct lambda_GetFunctionEventInvokeConfigRequest *input = call->input;
    const struct lambda_FunctionEventInvokeConfig *config = NULL;
    struct target target;
    if (find(call, input->FunctionName, input->Qualifier, &target, &config))
        call_ok(call, 0, config);
}

void api_delete_event_invoke(struct call *call)
{
    const struct lambda_DeleteFunctionEventInvokeConfigRequest *input = call->input;
    const struct lambda_FunctionEventInvokeConfig *config = NULL;
    struct target target;
    if (!find(call, input->FunctionName, input->Qualifier, &target, &config))
        return;
    struct table_write *write = api_write(call);
    table_delete(write, api_resources(call)->async, key_of(call, &target));
    api_commit(call, write, 204, NULL);
}

void api_list_event_invoke(struct call *call)
{
    const struct lambda_ListFunctionEventInvokeConfigsRequest *input = call->input;
    const struct slice none = {NULL, 0};
    const struct table_row *rows = NULL;
    struct target target;
    if (!exists(call, input->FunctionName, none, &target))
        return;
    struct lambda_ListFunctionEventInvokeConfigsResponse answer = {.NextMarker = none};
    size_t n =
        api_rows(call, api_resources(call)->async, api_key(call, &target, none), input->Marker,
                 api_limit(input->MaxItems, API_PAGE_MAX), &rows, &answer.NextMarker);
    answer.FunctionEventInvokeConfigs = api_values(call, rows, n);
    call_ok(call, 0, &answer);
}
