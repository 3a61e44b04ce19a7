#include "api/check.h"
#include "api/config.h"
#include "api/layers.h"
#include "model/change.h"
#include "model/code.h"

enum { UPDATE_MAGIC = 0x75706461 };

struct update { /* in the call's arena */
    uint32_t magic;
    struct call *call;
    struct api_context *api;
    struct function_change *change;
    const struct lambda_UpdateFunctionCodeRequest *code; /* NULL: of the configuration */
    char digest[BLOB_DIGEST_LEN + 1];
};

/* Finds the function, checks that it may change now and takes it. NULL: answered. */
static struct update *begin(struct call *call, struct slice name, struct slice revision)
{
    struct api_context *api = call->context;
    const struct slice no_qualifier = {NULL, 0};
    const struct function *fn = NULL;
    struct target target;
    struct err err;
    if (!api_target(call, name, no_qualifier, &target) || !api_find(call, &target, &fn) ||
        !api_may_update(call, fn, revision))
        return NULL;
    struct update *update = ARENA_NEW(call->arena, update);
    *update = (struct update){.magic = UPDATE_MAGIC, .call = call, .api = api};
    update->change = change_begin(api->functions, target.account, target.region, target.name, &err);
    if (!update->change) {
        call_fail(call, "ResourceConflictException", "%s", err.msg);
        return NULL;
    }
    return update;
}

static void give_up(struct update *update, const struct aws_fault *fault)
{
    change_abort(update->change);
    api_fault(update->call, fault);
}

static void on_saved(void *arg, const struct function *now, const struct function *version,
                     const struct err *err)
{
    struct update *update = CAST(update, arg, UPDATE_MAGIC);
    struct codes *codes = functions_codes(update->api->functions);
    struct call *call = update->call;
    char digest[BLOB_DIGEST_LEN + 1];
    memcpy(digest, update->digest, sizeof digest);
    if (err)
        api_store_failed(call, err);
    else
        call_ok(call, 0, (version ? version : now)->config);
    if (digest[0])
        code_release(codes, digest); /* the snapshot has a use of its own */
}

/* ---- code ---- */

static void answer_dry_run(struct update *update, const struct lambda_FunctionConfiguration *config)
{
    struct codes *codes = functions_codes(update->api->functions);
    char digest[BLOB_DIGEST_LEN + 1];
    struct function_change *change = update->change;
    memcpy(digest, update->digest, sizeof digest);
    call_ok(update->call, 0, config); /* which lies in what the change keeps */
    change_abort(change);
    code_release(codes, digest);
}

static void on_uploaded(void *arg, const char *digest, const struct err *err)
{
    struct update *update = CAST(update, arg, UPDATE_MAGIC);
    struct call *call = update->call;
    if (err) {
        change_abort(update->change);
        api_upload_failed(call, err);
        return;
    }
    const struct function *before = change_before(update->change);
    struct lambda_FunctionConfiguration config = *before->config;
    memcpy(update->digest, digest, sizeof update->digest);
    config_set_code(call->arena, &config, digest, update->code->ZipFile.n);
    if (update->code->Architectures.set && update->code->Architectures.n)
        config.Architectures = update->code->Architectures;
    if (update->code->DryRun.set && update->code->DryRun.v) {
        answer_dry_run(update, &config);
        return;
    }
    struct slice made_of = before->made_of;
    struct slice old;
    slice_cut(&made_of, ' ', &old); /* the layers stay */
    const struct function_draft draft = {
        .config = &config,
        .tags = before->tags,
        .made_of = arena_printf(call->arena, "%s%s%.*s", update->digest, made_of.n ? " " : "",
                                FMT(made_of)),
        .publish = update->code->Publish.set && update->code->Publish.v};
    struct function_change *change = update->change;
    struct codes *codes = functions_codes(update->api->functions);
    if (!api_sizes_fit(call, draft.made_of)) { /* answered: the call and what it owned are gone */
        change_abort(change);
        code_release(codes, digest);
        return;
    }
    change_save(change, &draft, on_saved, update);
}

static bool check_code(struct call *call, const struct lambda_UpdateFunctionCodeRequest *input,
                       struct aws_fault *fault)
{
    if (!check_update_code_built(call->arena, input, fault))
        return false;
    if (!input->ZipFile.p) {
        *fault = (struct aws_fault){"InvalidParameterValueException",
                                    S("Please provide a source for function code.")};
        return false;
    }
    return check_zip_size(call->arena, input->ZipFile, fault);
}

void api_update_function_code(struct call *call)
{
    const struct lambda_UpdateFunctionCodeRequest *input = call->input;
    struct aws_fault fault;
    struct update *update = begin(call, input->FunctionName, input->RevisionId);
    if (!update)
        return;
    const struct slice same = {NULL, 0};
    if (!check_code(call, input, &fault)) {
        give_up(update, &fault);
        return;
    }
    struct function_change *change = update->change;
    if (!api_host_runs(call, change_before(change)->name, same, &input->Architectures)) {
        change_abort(change);
        return;
    }
    update->code = input;
    api_upload(call, input->ZipFile, on_uploaded, update);
}

/* ---- configuration ---- */

static bool check_config(struct call *call,
                         const struct lambda_UpdateFunctionConfigurationRequest *input,
                         const struct function *before, struct aws_fault *fault)
{
    const struct api_context *api = call->context;
    return check_update_config_built(call->arena, input, fault) &&
           (!input->Runtime.p || check_runtime(call->arena, input->Runtime, api->retired, fault)) &&
           check_environment(call->arena, input->Environment, fault) &&
           check_logging(call->arena, input->LoggingConfig,
                         before->config->LoggingConfig->LogFormat, fault);
}

void api_update_function_configuration(struct call *call)
{
    const struct lambda_UpdateFunctionConfigurationRequest *input = call->input;
    struct aws_fault fault;
    struct update *update = begin(call, input->FunctionName, input->RevisionId);
    if (!update)
        return;
    const struct function *before = change_before(update->change);
    if (!check_config(call, input, before, &fault)) {
        give_up(update, &fault);
        return;
    }
    struct function_change *change = update->change;
    struct layers layers;
    if (!api_role_trusts(call, input->Role) ||
        !api_host_runs(call, before->name, input->Runtime, NULL) ||
        !layers_find(call, &input->Layers, &layers)) {
        change_abort(change);
        return;
    }
    struct lambda_FunctionConfiguration *config =
        config_update(call->arena, before->config, input, call->region);
    struct function_draft draft = {
        .config = config, .tags = before->tags, .made_of = before->made_of};
    if (input->Layers.set) {
        config->Layers = layers.shown;
        draft.made_of = layers_under(call, slice_str(before->code), &layers);
    }
    if (!api_sizes_fit(call, draft.made_of)) {
        change_abort(change);
        return;
    }
    api_warn_unserved(call, config);
    change_save(change, &draft, on_saved, update);
}
