/* Code signing configurations and which function has one (controlplane.md fact 100). Signatures are
 * not checked: lambkin knows no signing profiles. */
#include "api/check.h"
#include "api/internal.h"

#include "model/stamp.h"

enum { ID_RANDOM_LEN = 17 };

/* ---- configurations ---- */

static struct slice region_prefix(const struct call *call)
{
    return arena_printf(call->arena, "%.*s %.*s", FMT(call->account), FMT(call->region));
}

/* Behind the last colon of an ARN; also what the key ends in. */
static struct slice key_of(const struct call *call, struct slice arn)
{
    size_t at = arn.n;
    while (at > 0 && arn.p[at - 1] != ':')
        at--;
    return arena_printf(call->arena, "%.*s %.*s", FMT(region_prefix(call)),
                        FMT(slice_sub(arn, at, arn.n)));
}

static const struct lambda_CodeSigningConfig *lookup(const struct call *call, struct slice arn)
{
    const struct lambda_CodeSigningConfig *config =
        table_get(api_resources(call)->signing_configs, key_of(call, arn));
    return config && slice_eq(config->CodeSigningConfigArn, arn) ? config : NULL;
}

const struct lambda_CodeSigningConfig *api_find_signing(struct call *call, struct slice arn)
{
    const struct lambda_CodeSigningConfig *config = lookup(call, arn);
    if (!config)
        api_fail_untyped(
            call, "ResourceNotFoundException",
            arena_printf(call->arena,
                         "The Lambda code signing configuration %.*s can not be found.", FMT(arn)));
    return config;
}

static void new_id(char id[ID_RANDOM_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[ID_RANDOM_LEN];
    id_random(bytes, sizeof bytes);
    for (size_t i = 0; i < ID_RANDOM_LEN; i++)
        id[i] = digits[bytes[i] % 16];
    id[ID_RANDOM_LEN] = '\0';
}

static struct lambda_CodeSigningPolicies *policies(struct call *call,
                                                   const struct lambda_CodeSigningPolicies *given)
{
    struct lambda_CodeSigningPolicies *out = ARENA_NEW(call->arena, lambda_CodeSigningPolicies);
    out->UntrustedArtifactOnDeployment = given && given->UntrustedArtifactOnDeployment.p
                                             ? given->UntrustedArtifactOnDeployment
                                             : S("Warn");
    return out;
}

static void warn_if_enforced(struct call *call, const struct lambda_CodeSigningConfig *config)
{
    if (slice_eq(config->CodeSigningPolicies->UntrustedArtifactOnDeployment, S("Enforce")))
        call->warning = S("lambkin checks no signatures: Enforce is kept and shown, and unsigned "
                          "code is deployed all the same");
}

static void put(struct call *call, struct lambda_CodeSigningConfig *config,
                const struct aws_map *tags)
{
    struct table_write *write = api_write(call);
    struct lambda_CreateCodeSigningConfigResponse *answer =
        ARENA_NEW(call->arena, lambda_CreateCodeSigningConfigResponse);
    config->LastModified = stamp_now(call->arena);
    warn_if_enforced(call, config);
    answer->CodeSigningConfig = config;
    table_put(write, api_resources(call)->signing_configs,
              key_of(call, config->CodeSigningConfigArn), config);
    if (tags && tags->n) {
        const struct lambda_ListTagsResponse row = {*tags};
        table_put(write, api_resources(call)->tags, config->CodeSigningConfigArn, &row);
    }
    api_commit(call, write, 0, answer);
}

void api_create_signing(struct call *call)
{
    const struct lambda_CreateCodeSigningConfigRequest *input = call->input;
    char id[ID_RANDOM_LEN + 1];
    struct lambda_CodeSigningConfig *config = ARENA_NEW(call->arena, lambda_CodeSigningConfig);
    new_id(id);
    config->CodeSigningConfigId = arena_printf(call->arena, "csc-%s", id);
    config->CodeSigningConfigArn =
        arena_printf(call->arena, "arn:aws:lambda:%.*s:%.*s:code-signing-config:csc-%s",
                     FMT(call->region), FMT(call->account), id);
    config->Description = input->Description.p ? input->Description : S("");
    config->AllowedPublishers = input->AllowedPublishers;
    config->CodeSigningPolicies = policies(call, input->CodeSigningPolicies);
    put(call, config, &input->Tags);
}

void api_update_signing(struct call *call)
{
    const struct lambda_UpdateCodeSigningConfigRequest *input = call->input;
    const struct lambda_CodeSigningConfig *old =
        api_find_signing(call, input->CodeSigningConfigArn);
    if (!old)
        return;
    struct lambda_CodeSigningConfig *config = ARENA_NEW(call->arena, lambda_CodeSigningConfig);
    *config = *old;
    if (input->Description.p)
        config->Description = input->Description;
    if (input->AllowedPublishers)
        config->AllowedPublishers = input->AllowedPublishers;
    if (input->CodeSigningPolicies)
        config->CodeSigningPolicies = policies(call, input->CodeSigningPolicies);
    put(call, config, NULL);
}

void api_get_signing(struct call *call)
{
    const struct lambda_GetCodeSigningConfigRequest *input = call->input;
    const struct lambda_CodeSigningConfig *config =
        api_find_signing(call, input->CodeSigningConfigArn);
    const struct lambda_GetCodeSigningConfigResponse answer = {
        (struct lambda_CodeSigningConfig *)(uintptr_t)config};
    if (config)
        call_ok(call, 0, &answer);
}

void api_list_signing(struct call *call)
{
    const struct lambda_ListCodeSigningConfigsRequest *input = call->input;
    const struct table_row *rows = NULL;
    struct lambda_ListCodeSigningConfigsResponse answer = {.NextMarker = {NULL, 0}};
    size_t n =
        api_rows(call, api_resources(call)->signing_configs, region_prefix(call), input->Marker,
                 api_limit(input->MaxItems, API_PAGE_MAX), &rows, &answer.NextMarker);
    answer.CodeSigningConfigs = api_values(call, rows, n);
    call_ok(call, 0, &answer);
}

/* ---- functions that have one ---- */

/* Of this account and region, by name: keys of their rows. */
static size_t users(const struct call *call, struct slice arn, const struct table_row **out)
{
    const struct table_row *rows = NULL;
    size_t n = table_list(api_resources(call)->signing, call->arena,
                          arena_printf(call->arena, "%.*s ", FMT(region_prefix(call))), &rows);
    struct table_row *found = arena_array(call->arena, n + 1, sizeof *found);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (slice_eq(((const struct store_Reference *)rows[i].value)->Target, arn))
            found[count++] = rows[i];
    }
    *out = found;
    return count;
}

void api_delete_signing(struct call *call)
{
    const struct lambda_DeleteCodeSigningConfigRequest *input = call->input;
    const struct table_row *rows = NULL;
    if (!api_find_signing(call, input->CodeSigningConfigArn))
        return;
    if (users(call, input->CodeSigningConfigArn, &rows)) {
        call_fail(call, "ResourceConflictException",
                  "The code signing configuration %.*s is used by a function: remove it there "
                  "first.",
                  FMT(input->CodeSigningConfigArn));
        return;
    }
    struct table_write *write = api_write(call);
    table_delete(write, api_resources(call)->signing_configs,
                 key_of(call, input->CodeSigningConfigArn));
    table_delete(write, api_resources(call)->tags, input->CodeSigningConfigArn);
    api_commit(call, write, 204, NULL);
}

void api_list_functions_by_signing(struct call *call)
{
    const struct lambda_ListFunctionsByCodeSigningConfigRequest *input = call->input;
    const struct table_row *rows = NULL;
    struct lambda_ListFunctionsByCodeSigningConfigResponse answer = {.NextMarker = {NULL, 0}};
    if (!api_find_signing(call, input->CodeSigningConfigArn))
        return;
    size_t n = users(call, input->CodeSigningConfigArn, &rows);
    size_t max = api_limit(input->MaxItems, API_PAGE_MAX);
    struct slice *arns = arena_array(call->arena, n + 1, sizeof *arns);
    size_t prefix = region_prefix(call).n + 1;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct slice name = slice_sub(rows[i].key, prefix, rows[i].key.n);
        if (input->Marker.n && slice_cmp(name, input->Marker) <= 0)
            continue;
        if (count == max) {
            answer.NextMarker = slice_sub(rows[i - 1].key, prefix, rows[i - 1].key.n);
            break;
        }
        const struct target target = {
            .account = call->account, .region = call->region, .name = name};
        arns[count++] = target_arn(call->arena, &target, (struct slice){NULL, 0});
    }
    answer.FunctionArns = (struct aws_list){true, count, arns};
    call_ok(call, 0, &answer);
}

bool api_signing_exists(struct call *call, struct slice arn)
{
    const struct lambda_CodeSigningConfig *config = lookup(call, arn);
    if (config) {
        warn_if_enforced(call, config);
        return true;
    }
    call_fail(call, "CodeSigningConfigNotFoundException",
              "The code signing configuration cannot be found. Check that the provided "
              "configuration is not deleted: %.*s.",
              FMT(arn));
    return false;
}

static bool find_function(struct call *call, struct slice name, struct target *target)
{
    const struct slice none = {NULL, 0};
    const struct function *fn = NULL;
    return api_target(call, name, none, target) && api_find(call, target, &fn);
}

void api_put_function_signing(struct call *call)
{
    const struct lambda_PutFunctionCodeSigningConfigRequest *input = call->input;
    struct target target;
    if (!api_signing_exists(call, input->CodeSigningConfigArn) ||
        !find_function(call, input->FunctionName, &target))
        return;
    struct lambda_PutFunctionCodeSigningConfigResponse *answer =
        ARENA_NEW(call->arena, lambda_PutFunctionCodeSigningConfigResponse);
    *answer = (struct lambda_PutFunctionCodeSigningConfigResponse){input->CodeSigningConfigArn,
                                                                   target.name};
    struct table_write *write = api_write(call);
    const struct store_Reference row = {input->CodeSigningConfigArn};
    table_put(write, api_resources(call)->signing, api_key(call, &target, (struct slice){NULL, 0}),
              &row);
    api_commit(call, write, 0, answer);
}

/* Of a function without one the body is empty (fact 100). */
void api_get_function_signing(struct call *call)
{
    const struct lambda_GetFunctionCodeSigningConfigRequest *input = call->input;
    struct target target;
    if (!find_function(call, input->FunctionName, &target))
        return;
    const struct store_Reference *row =
        table_get(api_resources(call)->signing, api_key(call, &target, (struct slice){NULL, 0}));
    struct lambda_GetFunctionCodeSigningConfigResponse answer = {{NULL, 0}, {NULL, 0}};
    if (row) {
        answer.CodeSigningConfigArn = row->Target;
        answer.FunctionName = target.name;
    }
    call_ok(call, 0, &answer);
}

void api_delete_function_signing(struct call *call)
{
    const struct lambda_DeleteFunctionCodeSigningConfigRequest *input = call->input;
    struct target target;
    if (!find_function(call, input->FunctionName, &target))
        return;
    struct table_write *write = api_write(call);
    table_delete(write, api_resources(call)->signing,
                 api_key(call, &target, (struct slice){NULL, 0}));
    api_commit(call, write, 204, NULL);
}
