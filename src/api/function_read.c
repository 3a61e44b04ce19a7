#include "api/config.h"
#include "api/internal.h"

/* The ARN carries the qualifier that was asked for (controlplane.md fact 51). */
static struct lambda_FunctionConfiguration *shown(struct call *call, const struct function *fn,
                                                  const struct target *target)
{
    struct lambda_FunctionConfiguration *config =
        ARENA_NEW(call->arena, lambda_FunctionConfiguration);
    *config = *fn->config;
    config->FunctionArn = target->qualifier.p ? arena_printf(call->arena, "%.*s:%.*s", FMT(fn->arn),
                                                             FMT(target->qualifier))
                                              : fn->arn;
    return config;
}

static bool find(struct call *call, struct slice name, struct slice qualifier,
                 struct target *out_target, const struct function **out)
{
    return api_target(call, name, qualifier, out_target) && api_find(call, out_target, out);
}

void api_get_function(struct call *call)
{
    const struct api_context *api = call->context;
    const struct lambda_GetFunctionRequest *input = call->input;
    const struct function *fn = NULL;
    struct target target;
    if (!find(call, input->FunctionName, input->Qualifier, &target, &fn))
        return;
    struct lambda_FunctionCodeLocation code = {.RepositoryType = S("S3"),
                                               .Location = api_code_url(call, slice_str(fn->code))};
    struct lambda_GetFunctionResponse answer = {.Configuration = shown(call, fn, &target),
                                                .Code = &code};
    const struct slice latest = {NULL, 0};
    const struct function *tagged =
        functions_find(api->functions, target.account, target.region, target.name, latest);
    if (tagged && tagged->tags.n)
        answer.Tags = tagged->tags;
    answer.Concurrency = (struct lambda_Concurrency *)(uintptr_t)table_get(
        api_resources(call)->concurrency, api_key(call, &target, latest));
    call_ok(call, 0, &answer);
}

void api_get_function_configuration(struct call *call)
{
    const struct lambda_GetFunctionConfigurationRequest *input = call->input;
    const struct function *fn = NULL;
    struct target target;
    if (find(call, input->FunctionName, input->Qualifier, &target, &fn))
        call_ok(call, 0, shown(call, fn, &target));
}

/* The marker is the last entry of the page before, "NAME" or "NAME:VERSION": pages stay right when
 * functions come and go between them. */
static void resume(struct function_page *page, struct slice marker)
{
    struct slice version = marker;
    if (!marker.n || !slice_cut(&version, ':', &page->after_name))
        return;
    if (!slice_u64(version, &page->after_version))
        page->after_version = 0;
}

struct aws_list api_function_page(struct call *call, const struct function_page *wanted,
                                  struct slice marker, struct slice *out_next)
{
    const struct api_context *api = call->context;
    const struct function **found = NULL;
    struct function_page page = *wanted;
    page.account = call->account;
    page.region = call->region;
    page.limit++; /* is there more? */
    resume(&page, marker);
    size_t n = functions_list(api->functions, call->arena, &page, &found);
    size_t count = n < wanted->limit ? n : wanted->limit;
    struct lambda_FunctionConfiguration *entries =
        arena_array(call->arena, count + 1, sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        const struct function *fn = found[i];
        entries[i] = config_reduced(fn->config);
        if (page.all_versions)
            entries[i].FunctionArn =
                arena_printf(call->arena, "%.*s:%.*s", FMT(fn->arn), FMT(fn->version));
    }
    if (n > count) {
        const struct function *last = found[count - 1];
        *out_next = page.all_versions ? arena_printf(call->arena, "%.*s:%.*s", FMT(last->name),
                                                     FMT(last->version))
                                      : last->name;
    }
    return aws_list_of(call->arena, entries, count, sizeof *entries);
}

void api_list_functions(struct call *call)
{
    const struct lambda_ListFunctionsRequest *input = call->input;
    struct lambda_ListFunctionsResponse answer = {.NextMarker = {NULL, 0}};
    answer.Functions = api_function_page(
        call,
        &(struct function_page){.all_versions = input->FunctionVersion.p != NULL,
                                .limit = api_limit(input->MaxItems, API_PAGE_MAX)},
        input->Marker, &answer.NextMarker);
    call_ok(call, 0, &answer);
}
