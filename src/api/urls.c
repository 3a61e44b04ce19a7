/* CreateFunctionUrlConfig, Get-, Update-, Delete-, ListFunctionUrlConfigs (controlplane.md section
 * 10). They are kept; serving them comes later, and who calls one is told so. */
#include "api/internal.h"

#include "model/alias.h"
#include "model/stamp.h"

enum { URL_ID_LEN = 32 };

static bool function_and_alias_exist(const struct call *call, const struct target *target)
{
    const struct slice none = {NULL, 0};
    const struct api_context *api = call->context;
    return functions_find(api->functions, target->account, target->region, target->name, none) &&
           (!target->qualifier.p ||
            alias_find(api_resources(call), api_key(call, target, none), target->qualifier));
}

static bool find(struct call *call, struct slice name, struct slice qualifier, const char *missing,
                 struct target *target)
{
    if (!api_target(call, name, qualifier, target))
        return false;
    if (function_and_alias_exist(call, target))
        return true;
    call_fail(call, "ResourceNotFoundException", "%s", missing);
    return false;
}

static const struct lambda_FunctionUrlConfig *find_url(struct call *call, struct slice name,
                                                       struct slice qualifier, const char *missing,
                                                       struct target *target)
{
    if (!find(call, name, qualifier, missing, target))
        return NULL;
    const struct lambda_FunctionUrlConfig *url =
        table_get(api_resources(call)->urls, api_key(call, target, target->qualifier));
    if (!url)
        call_fail(call, "ResourceNotFoundException", "The resource you requested does not exist.");
    return url;
}

/* Lower-case letters and digits; 36^32 of them, so none comes twice. */
static struct slice new_url(const struct call *call)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[URL_ID_LEN];
    char id[URL_ID_LEN + 1] = "";
    id_random(bytes, sizeof bytes);
    for (size_t i = 0; i < URL_ID_LEN; i++)
        id[i] = digits[bytes[i] % 32];
    return arena_printf(call->arena, "https://%s.lambda-url.%.*s.on.aws/", id, FMT(call->region));
}

static void put(struct call *call, const struct target *target,
                const struct lambda_FunctionUrlConfig *url, const void *answer)
{
    struct table_write *write = api_write(call);
    table_put(write, api_resources(call)->urls, api_key(call, target, target->qualifier), url);
    api_commit(call, write, 0, answer);
}

void api_create_url(struct call *call)
{
    const struct lambda_CreateFunctionUrlConfigRequest *input = call->input;
    struct target target;
    if (!find(call, input->FunctionName, input->Qualifier, "Function does not exist", &target))
        return;
    struct slice arn = target_arn(call->arena, &target, target.qualifier);
    if (table_has(api_resources(call)->urls, api_key(call, &target, target.qualifier))) {
        call_fail(call, "ResourceConflictException",
                  "Failed to create function url config for [functionArn = %.*s]. Error message:  "
                  "FunctionUrlConfig exists for this Lambda function",
                  FMT(arn));
        return;
    }
    struct slice now = stamp_now(call->arena);
    const struct lambda_FunctionUrlConfig url = {.FunctionUrl = new_url(call),
                                                 .FunctionArn = arn,
                                                 .CreationTime = now,
                                                 .LastModifiedTime = now,
                                                 .Cors = input->Cors,
                                                 .AuthType = input->AuthType,
                                                 .InvokeMode = input->InvokeMode};
    struct lambda_CreateFunctionUrlConfigResponse *answer =
        ARENA_NEW(call->arena, lambda_CreateFunctionUrlConfigResponse);
    *answer = (struct lambda_CreateFunctionUrlConfigResponse){url.FunctionUrl, arn, url.AuthType,
                                                              url.Cors,        now, url.InvokeMode};
    put(call, &target, &url, answer);
}

void api_update_url(struct call *call)
{
    const struct lambda_UpdateFunctionUrlConfigRequest *input = call->input;
    struct target target;
    const struct lambda_FunctionUrlConfig *old =
        find_url(call, input->FunctionName, input->Qualifier, "Function does not exist", &target);
    if (!old)
        return;
    struct lambda_FunctionUrlConfig url = *old;
    url.LastModifiedTime = stamp_now(call->arena);
    if (input->AuthType.p)
        url.AuthType = input->AuthType;
    if (input->Cors)
        url.Cors = input->Cors;
    if (input->InvokeMode.p)
        url.InvokeMode = input->InvokeMode;
    struct lambda_UpdateFunctionUrlConfigResponse *answer =
        ARENA_NEW(call->arena, lambda_UpdateFunctionUrlConfigResponse);
    *answer = (struct lambda_UpdateFunctionUrlConfigResponse){
        url.FunctionUrl,  url.FunctionArn,      url.AuthType,  url.Cors,
        url.CreationTime, url.LastModifiedTime, url.InvokeMode};
    put(call, &target, &url, answer);
}

static struct slice mode_of(const struct lambda_FunctionUrlConfig *url)
{
    return url->InvokeMode.p ? url->InvokeMode : S("BUFFERED");
}

void api_get_url(struct call *call)
{
    const struct lambda_GetFunctionUrlConfigRequest *input = call->input;
    struct target target;
    const struct lambda_FunctionUrlConfig *url =
        find_url(call, input->FunctionName, input->Qualifier,
                 "The resource you requested does not exist.", &target);
    if (!url)
        return;
    const struct lambda_GetFunctionUrlConfigResponse answer = {
        url->FunctionUrl,  url->FunctionArn,      url->AuthType, url->Cors,
        url->CreationTime, url->LastModifiedTime, mode_of(url)};
    call_ok(call, 0, &answer);
}

void api_delete_url(struct call *call)
{
    const struct lambda_DeleteFunctionUrlConfigRequest *input = call->input;
    struct target target;
    if (!find_url(call, input->FunctionName, input->Qualifier,
                  "The resource you requested does not exist.", &target))
        return;
    struct table_write *write = api_write(call);
    table_delete(write, api_resources(call)->urls, api_key(call, &target, target.qualifier));
    api_commit(call, write, 204, NULL);
}

void api_list_urls(struct call *call)
{
    const struct lambda_ListFunctionUrlConfigsRequest *input = call->input;
    const struct slice none = {NULL, 0};
    const struct table_row *rows = NULL;
    struct target target;
    if (!find(call, input->FunctionName, none, "Function does not exist", &target))
        return;
    struct lambda_ListFunctionUrlConfigsResponse answer = {.NextMarker = none};
    size_t n =
        api_rows(call, api_resources(call)->urls, api_key(call, &target, none), input->Marker,
                 api_limit(input->MaxItems, API_PAGE_MAX), &rows, &answer.NextMarker);
    struct lambda_FunctionUrlConfig *urls = arena_array(call->arena, n + 1, sizeof *urls);
    for (size_t i = 0; i < n; i++) {
        urls[i] = *(const struct lambda_FunctionUrlConfig *)rows[i].value;
        urls[i].InvokeMode = mode_of(&urls[i]);
    }
    answer.FunctionUrlConfigs = aws_list_of(call->arena, urls, n, sizeof *urls);
    call_ok(call, 0, &answer);
}

/* ---- who calls one ---- */

static bool exists(const struct call *call, struct slice id)
{
    const struct table_row *rows = NULL;
    struct slice start = arena_printf(call->arena, "https://%.*s.lambda-url.", FMT(id));
    size_t n = table_list(api_resources(call)->urls, call->arena, S(""), &rows);
    for (size_t i = 0; i < n; i++) {
        const struct lambda_FunctionUrlConfig *url = rows[i].value;
        if (slice_starts(url->FunctionUrl, start))
            return true;
    }
    return false;
}

static void on_url(struct call *call)
{
    struct slice host = http_header_get(call->http, S("Host"));
    struct slice id = slice_sub(host, 0, slice_find(host, '.'));
    if (exists(call, id))
        api_not_built(call, "requests to function URLs (invoke the function instead)");
    else
        api_deny(call);
}

void api_register_urls(struct front *front, struct api_context *api)
{
    front_handle_urls(front, on_url, api);
}
