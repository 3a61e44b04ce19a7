#include "api/check.h"
#include "api/config.h"
#include "api/layers.h"
#include "model/change.h"
#include "model/code.h"

#include <stdio.h>

enum { CREATION_MAGIC = 0x63726561 };

struct creation { /* in the call's arena */
    uint32_t magic;
    struct call *call;
    struct api_context *api;
    const struct lambda_CreateFunctionRequest *input;
    struct slice name;
    struct function_change *change;
    char digest[BLOB_DIGEST_LEN + 1];
};

static bool check(struct call *call, const struct lambda_CreateFunctionRequest *input,
                  struct slice name, struct aws_fault *fault)
{
    const struct api_context *api = call->context;
    struct arena *arena = call->arena;
    const struct slice text = S("Text");
    if (!check_name_length(arena, input->FunctionName, name, fault) ||
        !check_create_built(arena, input, fault))
        return false;
    if (!input->Runtime.p || !input->Handler.p) {
        *fault = (struct aws_fault){"InvalidParameterValueException",
                                    S("Runtime and Handler are mandatory parameters for functions "
                                      "created with deployment packages.")};
        return false;
    }
    if (!input->Code->ZipFile.p) {
        *fault = (struct aws_fault){"InvalidParameterValueException",
                                    S("Please provide a source for function code.")};
        return false;
    }
    if (input->Tags.n > CHECK_TAGS_MAX) {
        *fault = (struct aws_fault){"InvalidParameterValueException",
                                    S("Number of tags exceeds resource tag limit.")};
        return false;
    }
    return check_zip_size(arena, input->Code->ZipFile, fault) &&
           check_runtime(arena, input->Runtime, api->retired, fault) &&
           check_environment(arena, input->Environment, fault) &&
           check_logging(arena, input->LoggingConfig, text, fault);
}

static void exists(struct call *call, struct slice name)
{
    call_fail(call, "ResourceConflictException", "Function already exist: %.*s", FMT(name));
}

/* A version that was published with it answers, under the ARN of the function (fact 46). */
static void answer(struct call *call, const struct function *now, const struct function *version)
{
    struct lambda_FunctionConfiguration config = *(version ? version : now)->config;
    config.FunctionArn = now->arn;
    call_ok(call, 0, &config);
}

static void on_saved(void *arg, const struct function *now, const struct function *version,
                     const struct err *err)
{
    struct creation *creation = CAST(creation, arg, CREATION_MAGIC);
    struct codes *codes = functions_codes(creation->api->functions);
    struct call *call = creation->call;
    char digest[BLOB_DIGEST_LEN + 1];
    memcpy(digest, creation->digest, sizeof digest);
    if (err)
        api_store_failed(call, err);
    else
        answer(call, now, version);
    code_release(codes, digest); /* the snapshot has a use of its own */
}

/* False: answered. */
static bool parts_exist(struct call *call, const struct lambda_CreateFunctionRequest *input,
                        struct layers *layers)
{
    return layers_find(call, &input->Layers, layers) &&
           (!input->CodeSigningConfigArn.n ||
            api_signing_exists(call, input->CodeSigningConfigArn));
}

/* With its code at hand. Layers may have gone while that came, and their files with them. False:
 * answered. */
static bool may_save(struct call *call, const struct lambda_CreateFunctionRequest *input,
                     const char *digest, struct layers *layers, struct slice *out_made_of)
{
    if (!parts_exist(call, input, layers))
        return false;
    *out_made_of = layers_under(call, slice_str(digest), layers);
    return api_sizes_fit(call, *out_made_of);
}

static void on_uploaded(void *arg, const char *digest, const struct err *err)
{
    struct creation *creation = CAST(creation, arg, CREATION_MAGIC);
    struct call *call = creation->call;
    struct function_change *change = creation->change;
    struct codes *codes = functions_codes(creation->api->functions);
    struct layers layers;
    struct slice made_of;
    if (err) {
        change_abort(change);
        api_upload_failed(call, err);
        return;
    }
    memcpy(creation->digest, digest, sizeof creation->digest);
    if (!may_save(call, creation->input, digest, &layers, &made_of)) {
        /* the call and what it owned are gone */
        change_abort(change);
        code_release(codes, digest);
        return;
    }
    struct lambda_FunctionConfiguration *config =
        config_create(call->arena, creation->input, creation->name, call->region);
    config_set_code(call->arena, config, digest, creation->input->Code->ZipFile.n);
    const struct function_draft draft = {.config = config,
                                         .tags = creation->input->Tags,
                                         .made_of = made_of,
                                         .publish = creation->input->Publish.set &&
                                                    creation->input->Publish.v,
                                         .signing = creation->input->CodeSigningConfigArn};
    config->Layers = layers.shown;
    api_warn_unserved(call, config);
    change_save(change, &draft, on_saved, creation);
}

void api_create_function(struct call *call)
{
    struct api_context *api = call->context;
    const struct lambda_CreateFunctionRequest *input = call->input;
    const struct slice no_qualifier = {NULL, 0};
    struct target target;
    struct aws_fault fault;
    struct err err;
    if (!api_target(call, input->FunctionName, no_qualifier, &target))
        return;
    if (!check(call, input, target.name, &fault)) {
        api_fault(call, &fault);
        return;
    }
    struct layers layers;
    if (!api_role_trusts(call, input->Role) ||
        !api_host_runs(call, target.name, input->Runtime, &input->Architectures) ||
        !parts_exist(call, input, &layers))
        return;
    if (functions_find(api->functions, target.account, target.region, target.name, no_qualifier)) {
        exists(call, target.name);
        return;
    }
    struct creation *creation = ARENA_NEW(call->arena, creation);
    *creation = (struct creation){
        .magic = CREATION_MAGIC, .call = call, .api = api, .input = input, .name = target.name};
    creation->change =
        change_begin(api->functions, target.account, target.region, target.name, &err);
    if (!creation->change) { /* another creation of the name is on its way */
        exists(call, target.name);
        return;
    }
    api_upload(call, input->Code->ZipFile, on_uploaded, creation);
}
