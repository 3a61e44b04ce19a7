#include "api/config.h"
#include "api/internal.h"

enum { PAGE_MAX = 50 }; /* AWS answers no more, whatever MaxItems says */

/* The ARN carries the qualifier that was asked for (controlplane.md fact 51). */
static struct lambda_FunctionConfiguration *shown(struct call *call, const struct function *fn,
                                                  const struct target *target)
{
    struct lambda_FunctionConfiguration *config =
        ARENA_NEW(call->arena, lambda_FunctionConfiguration);
    *config = *fn->config;
    if (target->qualifier.p)
        config->FunctionArn =
            arena_printf(call->arena, "%.*s:%.*s", FMT(fn->arn), FMT(target->qualifier));
    return config;
}

static bool find(struct call *call, struct slice name, struct slice qualifier,
                 struct target *out_target, const struct function **out)
{
    return api_target(call, name, qualifier, out_target) && api_find(call, out_target, out);
}

void api_get_function(struct call *call)
{
    const struct lambda_GetFunctionRequest *input = call->input;
    const struct function *fn = NULL;
    struct target target;
    if (!find(call, input->FunctionName, input->Qualifier, &target, &fn))
        return;
    struct lambda_FunctionCodeLocation code = {.RepositoryType = S("S3"),
                                               .Location = api_code_url(call, fn)};
    struct lambda_GetFunctionResponse answer = {.Configuration = shown(call, fn, &target),
                                                .Code = &code};
    if (fn->tags.n)
        answer.Tags = fn->tags;
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

void api_list_functions(struct call *call)
{
    const struct api_context *api = call->context;
    const struct lambda_ListFunctionsRequest *input = call->input;
    const struct function **all = NULL;
    size_t n = functions_list(api->functions, call->arena, call->account, call->region, &all);
    size_t max =
        input->MaxItems.set && input->MaxItems.v < PAGE_MAX ? (size_t)input->MaxItems.v : PAGE_MAX;
    size_t at = 0;
    /* The marker is the last name of the page before: pages stay right when functions come and go
     * between them. */
    while (input->Marker.n && at < n && slice_cmp(all[at]->name, input->Marker) <= 0)
        at++;
    struct lambda_FunctionConfiguration *page = arena_array(call->arena, max, sizeof *page);
    struct lambda_ListFunctionsResponse answer = {.NextMarker = {NULL, 0}};
    size_t count = 0;
    for (; at < n && count < max; at++) {
        struct lambda_FunctionConfiguration *entry = &page[count++];
        *entry = config_reduced(all[at]->config);
        if (input->FunctionVersion.p)
            entry->FunctionArn = arena_printf(call->arena, "%.*s:$LATEST", FMT(all[at]->arn));
    }
    answer.Functions = aws_list_of(call->arena, page, count, sizeof *page);
    if (at < n)
        answer.NextMarker = all[at - 1]->name;
    call_ok(call, 0, &answer);
}
