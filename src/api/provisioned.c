/* PutProvisionedConcurrencyConfig, Get-, Delete-, ListProvisionedConcurrencyConfigs
 * (controlplane.md section 8). The pool keeps the environments; what it has of them is looked up
 * when somebody asks. */
#include "api/internal.h"

#include "env/pool.h"
#include "model/alias.h"
#include "model/stamp.h"

#include <stdlib.h>

typedef struct lambda_ProvisionedConcurrencyConfigListItem row_type;

static struct slice own_key(const struct call *call, const struct target *target)
{
    return api_key(call, target, (struct slice){NULL, 0});
}

static struct slice row_key(const struct call *call, const struct target *target)
{
    return api_key(call, target, target->qualifier);
}

/* The version that a qualifier leads to, without its weights. */
static const struct function *find(struct call *call, struct slice name, struct slice qualifier,
                                   const char *latest, struct target *target)
{
    if (!api_target(call, name, qualifier, target))
        return NULL;
    if (!target->qualifier.p || slice_eq(target->qualifier, S("$LATEST"))) {
        call_fail(call, "InvalidParameterValueException", "%s", latest);
        return NULL;
    }
    const struct function *fn = api_lookup(call, target);
    if (!fn)
        call_fail(call, "ResourceNotFoundException",
                  alias_is_name(target->qualifier) ? "Cannot find alias arn: %.*s"
                                                   : "Function not found: %.*s",
                  FMT(target_arn(call->arena, target, target->qualifier)));
    return fn;
}

static bool is_provisioned(const struct call *call, const struct target *target,
                           struct slice qualifier)
{
    return table_has(api_resources(call)->provisioned, api_key(call, target, qualifier));
}

/* Another alias of the same version that has a configuration. */
static bool alias_is_provisioned(struct call *call, const struct target *target,
                                 struct slice version)
{
    const struct table_row *rows = NULL;
    struct slice prefix = arena_printf(call->arena, "%.*s ", FMT(own_key(call, target)));
    size_t n = table_list(api_resources(call)->aliases, call->arena, prefix, &rows);
    for (size_t i = 0; i < n; i++) {
        const struct lambda_AliasConfiguration *alias = rows[i].value;
        if (slice_eq(alias->FunctionVersion, version) &&
            !slice_eq(alias->Name, target->qualifier) && is_provisioned(call, target, alias->Name))
            return true;
    }
    return false;
}

static bool is_free(struct call *call, const struct target *target, const struct function *fn)
{
    bool alias = alias_is_name(target->qualifier);
    const char *why = NULL;
    if (alias && (is_provisioned(call, target, fn->version) ||
                  alias_is_provisioned(call, target, fn->version)))
        why = "Alias can't be used for Provisioned Concurrency configuration on an already "
              "Provisioned version";
    else if (!alias && alias_is_provisioned(call, target, fn->version))
        why = "Version is pointed by a Provisioned Concurrency alias";
    if (why)
        call_fail(call, "ResourceConflictException", "%s", why);
    return !why;
}

static bool fits(struct call *call, const struct target *target, const struct function *fn,
                 int64_t wanted)
{
    const row_type *old = table_get(api_resources(call)->provisioned, row_key(call, target));
    int64_t has = old ? old->RequestedProvisionedConcurrentExecutions.v : 0;
    int64_t others = api_provisioned_sum(call, own_key(call, target)) - has;
    int64_t free = api_unreserved(call) + has;
    struct slice why = {NULL, 0};
    if (fn->load->reserved >= 0 && others + wanted > fn->load->reserved)
        why = S("Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function");
    else if (fn->load->reserved < 0 && wanted > free)
        why = arena_printf(call->arena,
                           "Specified ConcurrentExecutions for function is greater than "
                           "account's unreserved concurrency [%lld].",
                           (long long)free);
    else if (fn->load->reserved < 0 && free - wanted < API_UNRESERVED_MIN)
        why = arena_printf(call->arena,
                           "Specified ConcurrentExecutions for function decreases account's "
                           "UnreservedConcurrentExecution below its minimum value of [%d].",
                           API_UNRESERVED_MIN);
    if (why.p) /* without a Type (fact 3) */
        api_fail_untyped(call, "InvalidParameterValueException", why);
    return !why.p;
}

void api_put_provisioned(struct call *call)
{
    const struct lambda_PutProvisionedConcurrencyConfigRequest *input = call->input;
    int64_t wanted = input->ProvisionedConcurrentExecutions.v;
    struct target target;
    const struct function *fn =
        find(call, input->FunctionName, input->Qualifier,
             "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
             &target);
    if (!fn || !is_free(call, &target, fn) || !fits(call, &target, fn, wanted))
        return;
    struct lambda_PutProvisionedConcurrencyConfigResponse *answer =
        ARENA_NEW(call->arena, lambda_PutProvisionedConcurrencyConfigResponse);
    *answer = (struct lambda_PutProvisionedConcurrencyConfigResponse){
        .RequestedProvisionedConcurrentExecutions = OPT_I64(wanted),
        .AllocatedProvisionedConcurrentExecutions = OPT_I64(0),
        .AvailableProvisionedConcurrentExecutions = OPT_I64(0),
        .Status = S("IN_PROGRESS"),
        .LastModified = stamp_now_seconds(call->arena)};
    const row_type row = {.FunctionArn = target_arn(call->arena, &target, target.qualifier),
                          .RequestedProvisionedConcurrentExecutions = OPT_I64(wanted),
                          .LastModified = answer->LastModified};
    struct table_write *write = api_write(call);
    table_put(write, api_resources(call)->provisioned, row_key(call, &target), &row);
    api_commit(call, write, 0, answer);
}

/* ---- reading ---- */

static row_type shown(const struct call *call, const struct target *target, const row_type *row)
{
    const struct api_context *api = call->context;
    const struct function *fn = api_lookup(call, target);
    struct pool_provisioned now = {0};
    row_type out = *row;
    if (fn)
        now = pool_provisioned(api->pool, fn);
    bool ready = (int64_t)now.allocated >= row->RequestedProvisionedConcurrentExecutions.v;
    out.AllocatedProvisionedConcurrentExecutions = OPT_I64(now.failed ? 0 : (int64_t)now.allocated);
    out.AvailableProvisionedConcurrentExecutions = OPT_I64(now.failed ? 0 : (int64_t)now.available);
    out.Status = now.failed ? S("FAILED") : ready ? S("READY") : S("IN_PROGRESS");
    if (now.failed)
        out.StatusReason = S("FUNCTION_ERROR_INIT_FAILURE");
    return out;
}

void api_get_provisioned(struct call *call)
{
    const struct lambda_GetProvisionedConcurrencyConfigRequest *input = call->input;
    struct target target;
    if (!find(call, input->FunctionName, input->Qualifier,
              "The function resource provided must be an alias or a published version.", &target))
        return;
    const row_type *row = table_get(api_resources(call)->provisioned, row_key(call, &target));
    if (!row) {
        call_fail(call, "ProvisionedConcurrencyConfigNotFoundException",
                  "No Provisioned Concurrency Config found for this function");
        return;
    }
    const row_type now = shown(call, &target, row);
    const struct lambda_GetProvisionedConcurrencyConfigResponse answer = {
        now.RequestedProvisionedConcurrentExecutions,
        now.AvailableProvisionedConcurrentExecutions,
        now.AllocatedProvisionedConcurrentExecutions,
        now.Status,
        now.StatusReason,
        now.LastModified};
    call_ok(call, 0, &answer);
}

void api_list_provisioned(struct call *call)
{
    const struct lambda_ListProvisionedConcurrencyConfigsRequest *input = call->input;
    const struct slice none = {NULL, 0};
    const struct table_row *rows = NULL;
    const struct function *fn = NULL;
    struct target target;
    if (!api_target(call, input->FunctionName, none, &target) || !api_find(call, &target, &fn))
        return;
    struct lambda_ListProvisionedConcurrencyConfigsResponse answer = {.NextMarker = none};
    struct slice key = own_key(call, &target);
    size_t n = api_rows(call, api_resources(call)->provisioned, key, input->Marker,
                        api_limit(input->MaxItems, API_PAGE_MAX), &rows, &answer.NextMarker);
    row_type *items = arena_array(call->arena, n + 1, sizeof *items);
    for (size_t i = 0; i < n; i++) {
        target.qualifier = slice_sub(rows[i].key, key.n + 1, rows[i].key.n);
        items[i] = shown(call, &target, rows[i].value);
    }
    answer.ProvisionedConcurrencyConfigs = aws_list_of(call->arena, items, n, sizeof *items);
    call_ok(call, 0, &answer);
}

/* ---- ending ---- */

void api_delete_provisioned(struct call *call)
{
    const struct lambda_DeleteProvisionedConcurrencyConfigRequest *input = call->input;
    struct target target;
    if (!find(call, input->FunctionName, input->Qualifier,
              "The function resource provided must be an alias or a published version.", &target))
        return;
    struct table_write *write = api_write(call);
    table_delete(write, api_resources(call)->provisioned, row_key(call, &target));
    api_commit(call, write, 204, NULL);
}

/* ---- the pool: provisions what the tables say ---- */

struct place {
    struct slice function; /* its rows' key */
    struct slice account;
    struct slice region;
    struct slice name;
    struct slice qualifier;
};

/* "account region name qualifier" */
static struct place place_of(struct slice key)
{
    struct place place = {.function = slice_sub(key, 0, slice_rfind(key, ' '))};
    slice_cut(&key, ' ', &place.account);
    slice_cut(&key, ' ', &place.region);
    slice_cut(&key, ' ', &place.name);
    place.qualifier = key;
    return place;
}

/* The version that a row provisions; absent: its alias is not there. */
static struct slice version_of(const struct api_context *api, struct slice key)
{
    const struct place place = place_of(key);
    if (!alias_is_name(place.qualifier))
        return place.qualifier;
    const struct lambda_AliasConfiguration *alias =
        alias_find(functions_resources(api->functions), place.function, place.qualifier);
    return alias ? alias->FunctionVersion : (struct slice){NULL, 0};
}

static size_t wanted(const struct api_context *api, struct slice function, struct slice version)
{
    AUTO(arena) struct arena *arena = arena_new();
    const struct table_row *rows = NULL;
    size_t sum = 0;
    size_t n = table_list(functions_resources(api->functions)->provisioned, arena,
                          arena_printf(arena, "%.*s ", FMT(function)), &rows);
    for (size_t i = 0; i < n; i++) {
        const row_type *row = rows[i].value;
        if (slice_eq(version_of(api, rows[i].key), version))
            sum += (size_t)row->RequestedProvisionedConcurrentExecutions.v;
    }
    return sum;
}

/* anew: also where the number is the same, as the last init may have failed */
static void align(const struct api_context *api, struct slice key, struct slice version, bool anew)
{
    const struct place place = place_of(key);
    const struct function *fn =
        version.p ? functions_find(api->functions, place.account, place.region, place.name, version)
                  : NULL;
    if (!fn) /* the pool hears of versions that go from the model */
        return;
    size_t count = wanted(api, place.function, version);
    if (anew || count != pool_provisioned(api->pool, fn).wanted)
        pool_provision(api->pool, fn, count);
}

static void on_row(void *arg, struct slice key, const void *before, const void *now)
{
    const struct api_context *api = arg;
    (void)before;
    align(api, key, version_of(api, key), now != NULL);
}

static void on_alias(void *arg, struct slice key, const void *before, const void *now)
{
    const struct lambda_AliasConfiguration *const values[] = {before, now};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        if (values[i])
            align(arg, key, values[i]->FunctionVersion, false);
    }
}

void api_align_provisioned(struct api_context *api)
{
    AUTO(arena) struct arena *arena = arena_new();
    const struct table_row *rows = NULL;
    const struct resources *resources = functions_resources(api->functions);
    size_t n = table_list(resources->provisioned, arena, S(""), &rows);
    for (size_t i = 0; i < n; i++)
        on_row(api, rows[i].key, NULL, rows[i].value);
    table_on_change(resources->provisioned, on_row, api);
    table_on_change(resources->aliases, on_alias, api);
}
