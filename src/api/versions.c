/* PublishVersion, ListVersionsByFunction (controlplane.md section 5). */
#include "api/config.h"
#include "api/internal.h"
#include "model/change.h"

static void on_published(void *arg, const struct function *now, const struct function *version,
                         const struct err *err)
{
    struct call *call = arg;
    if (err)
        api_store_failed(call, err);
    else
        call_ok(call, 0, version->config);
}

static bool code_matches(struct call *call, struct slice given, const struct function *fn)
{
    struct slice actual = fn->config->CodeSha256;
    if (!given.n || slice_eq(given, actual))
        return true;
    call_fail(call, "InvalidParameterValueException",
              "CodeSHA256 (%.*s) is different from current CodeSHA256 in $LATEST (%.*s). Please "
              "try again with the CodeSHA256 in $LATEST.",
              FMT(given), FMT(actual));
    return false;
}

void api_publish_version(struct call *call)
{
    const struct lambda_PublishVersionRequest *input = call->input;
    struct target target;
    if (input->PublishTo.p && !slice_eq(input->PublishTo, S("LATEST_PUBLISHED"))) {
        api_not_built(call, "PublishTo");
        return;
    }
    struct function_change *change = api_begin_change(call, input->FunctionName, &target);
    if (!change)
        return;
    const struct function *latest = change_before(change);
    if (!api_may_update(call, latest, input->RevisionId) ||
        !code_matches(call, input->CodeSha256, latest)) {
        change_abort(change);
        return;
    }
    const struct function *published = change_published(change);
    if (published) { /* nothing has changed since (fact 48) */
        change_abort(change);
        call_ok(call, 0, published->config);
        return;
    }
    change_publish(change, input->Description, on_published, call);
}

void api_list_versions(struct call *call)
{
    const struct lambda_ListVersionsByFunctionRequest *input = call->input;
    const struct slice none = {NULL, 0};
    const struct function *fn = NULL;
    struct target target;
    if (!api_target(call, input->FunctionName, none, &target))
        return;
    target.qualifier = none;
    if (!api_find(call, &target, &fn))
        return;
    struct lambda_ListVersionsByFunctionResponse answer = {.NextMarker = none};
    answer.Versions = api_function_page(
        call,
        &(struct function_page){.name = target.name,
                                .all_versions = true,
                                .limit = api_limit(input->MaxItems, API_PAGE_MAX)},
        input->Marker, &answer.NextMarker);
    call_ok(call, 0, &answer);
}
