#include "api/check.h"

#include "base/mem.h"
#include "env/runtime_names.h"

static bool refuse(struct aws_fault *fault, const char *code, struct slice message)
{
    *fault = (struct aws_fault){code, message};
    return false;
}

static bool invalid(struct aws_fault *fault, struct slice message)
{
    return refuse(fault, "InvalidParameterValueException", message);
}

static bool among(struct slice s, const struct slice *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_eq(s, list[i]))
            return true;
    }
    return false;
}

/* ---- runtimes (controlplane.md facts 6-8) ---- */

bool check_runtime(struct arena *arena, struct slice runtime, bool retired, struct aws_fault *fault)
{
    AUTO(buf) struct buf list = BUF_INIT(4096);
    const struct runtime_name *found = runtime_name_find(runtime);
    if (found && (!found->retired || retired))
        return true;
    if (found)
        return invalid(fault, arena_printf(arena,
                                           "The runtime parameter of %.*s is no longer supported "
                                           "for creating or updating AWS Lambda functions. We "
                                           "recommend you use a supported runtime while creating "
                                           "or updating functions.",
                                           FMT(runtime)));
    for (size_t i = 0; i < RUNTIME_NAMES && !runtime_names[i].retired; i++)
        buf_printf(&list, "%s%.*s", i ? ", " : "", FMT(runtime_names[i].name));
    return invalid(fault,
                   arena_printf(arena,
                                "Value %.*s at 'runtime' failed to satisfy constraint: Member must "
                                "satisfy enum value set: [%.*s] or be a valid ARN",
                                FMT(runtime), FMT(buf_all(&list))));
}

/* ---- variables (fact 33, dataplane.md 2.7) ---- */

static const struct slice reserved[] = {
    S_INIT("_HANDLER"),
    S_INIT("_X_AMZN_TRACE_ID"),
    S_INIT("AWS_DEFAULT_REGION"),
    S_INIT("AWS_REGION"),
    S_INIT("AWS_EXECUTION_ENV"),
    S_INIT("AWS_LAMBDA_FUNCTION_NAME"),
    S_INIT("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
    S_INIT("AWS_LAMBDA_FUNCTION_VERSION"),
    S_INIT("AWS_LAMBDA_INITIALIZATION_TYPE"),
    S_INIT("AWS_LAMBDA_LOG_GROUP_NAME"),
    S_INIT("AWS_LAMBDA_LOG_STREAM_NAME"),
    S_INIT("AWS_ACCESS_KEY"),
    S_INIT("AWS_ACCESS_KEY_ID"),
    S_INIT("AWS_SECRET_ACCESS_KEY"),
    S_INIT("AWS_SESSION_TOKEN"),
    S_INIT("AWS_LAMBDA_RUNTIME_API"),
    S_INIT("LAMBDA_TASK_ROOT"),
    S_INIT("LAMBDA_RUNTIME_DIR"),
    S_INIT("AWS_LAMBDA_MAX_CONCURRENCY"),
    S_INIT("AWS_LAMBDA_METADATA_API"),
    S_INIT("AWS_LAMBDA_METADATA_TOKEN"),
};

static void reserved_keys(const struct aws_map *map, struct buf *out)
{
    for (size_t i = 0; i < map->n; i++) {
        if (among(map->keys[i], reserved, COUNT_OF(reserved)))
            buf_printf(out, "%s%.*s", out->n ? ", " : "", FMT(map->keys[i]));
    }
}

static bool has_zero_byte(const struct aws_map *map)
{
    for (size_t i = 0; i < map->n; i++) {
        if (slice_find(((const struct slice *)map->values)[i], '\0') != SIZE_MAX)
            return true;
    }
    return false;
}

bool check_environment(struct arena *arena, const struct lambda_Environment *environment,
                       struct aws_fault *fault)
{
    AUTO(buf) struct buf keys = BUF_INIT(4096);
    AUTO(buf) struct buf json = BUF_INIT(SIZE_MAX);
    if (!environment || !environment->Variables.set)
        return true;
    const struct aws_map *map = &environment->Variables;
    reserved_keys(map, &keys);
    if (keys.n)
        return invalid(fault,
                       arena_printf(arena,
                                    "Lambda was unable to configure your environment variables "
                                    "because the environment variables you have provided contains "
                                    "reserved keys that are currently not supported for "
                                    "modification. Reserved keys used in this request: %.*s",
                                    FMT(buf_all(&keys))));
    if (has_zero_byte(map))
        return invalid(fault, S("Lambda was unable to configure your environment variables because "
                                "a value contains a null character."));
    buf_char(&json, '{');
    for (size_t i = 0; i < map->n; i++) {
        if (i)
            buf_char(&json, ',');
        aws_json_string(&json, map->keys[i]);
        buf_char(&json, ':');
        aws_json_string(&json, ((const struct slice *)map->values)[i]);
    }
    buf_char(&json, '}');
    if (json.n <= CHECK_VARIABLES_MAX)
        return true;
    return invalid(fault, arena_printf(arena,
                                       "Lambda was unable to configure your environment variables "
                                       "because the environment variables you have provided "
                                       "exceeded the 4KB limit. String measured: %.*s",
                                       FMT(buf_all(&json))));
}

/* ---- single values ---- */

bool check_name_length(struct arena *arena, struct slice given, struct slice name,
                       struct aws_fault *fault)
{
    if (name.n <= CHECK_NAME_MAX)
        return true;
    return invalid(fault, arena_printf(arena,
                                       "1 validation error detected: Value '%.*s' at "
                                       "'functionName' failed to satisfy constraint: Member must "
                                       "have length less than or equal to 64",
                                       FMT(given)));
}

struct slice check_host_architecture(void)
{
#if defined(__x86_64__)
    return S("x86_64");
#else
    return S("arm64");
#endif
}

bool check_logging(struct arena *arena, const struct lambda_LoggingConfig *given,
                   struct slice format_before, struct aws_fault *fault)
{
    if (!given)
        return true;
    bool json = slice_eq(given->LogFormat.p ? given->LogFormat : format_before, S("JSON"));
    if (!json && (given->ApplicationLogLevel.p || given->SystemLogLevel.p))
        return invalid(fault, S("LogLevel is not supported when LogFormat is set to \"Text\". "
                                "Remove LogLevel from your request or change the LogFormat to "
                                "\"JSON\" and try again."));
    if (slice_starts(given->LogGroup, S("aws/")))
        return invalid(fault, S("Log group names starting with 'aws/' are reserved for AWS."));
    return true;
}

bool check_zip_size(struct arena *arena, struct slice zip, struct aws_fault *fault)
{
    if (zip.n > CHECK_ZIP_MAX)
        return refuse(fault, "RequestEntityTooLargeException",
                      S("Zipped size must be smaller than 52428800 bytes"));
    if (zip.n == 0 || slice_starts(zip, S("PK\5\6")))
        return invalid(fault, S("Uploaded file must be a non-empty zip"));
    return true;
}

/* ---- not built yet ---- */

static bool not_built(struct arena *arena, const char *what, struct aws_fault *fault)
{
    return refuse(fault, "NotImplementedException",
                  arena_printf(arena, "Not implemented by lambkin yet: %s", what));
}

/* A package is a zip unless it says otherwise: an ImageUri alone is then no source. */
static bool check_image(struct arena *arena, const struct lambda_CreateFunctionRequest *input,
                        struct aws_fault *fault)
{
    if (!slice_eq(input->PackageType, S("Image"))) {
        if (input->ImageConfig)
            return invalid(fault, S("Please don't provide ImageConfig when creating a function "
                                    "with packageType Zip."));
        return !input->Code->ImageUri.p || !input->Code->ZipFile.p ||
               invalid(fault, S("Please don't provide ImageUri when creating a function with "
                                "packageType Zip."));
    }
    if (input->Handler.p || input->Runtime.p || input->Layers.n)
        return invalid(fault, S("Please don't provide Handler or Runtime or Layer when the "
                                "intended function PackageType is Image."));
    return not_built(arena, "container images (PackageType Image)", fault);
}

bool check_create_built(struct arena *arena, const struct lambda_CreateFunctionRequest *input,
                        struct aws_fault *fault)
{
    const struct lambda_FunctionCode *code = input->Code;
    const char *what = NULL;
    if (!check_image(arena, input, fault))
        return false;
    if (code && (code->S3Bucket.p || code->S3Key.p || code->S3ObjectStorageMode.p))
        what = "code from S3 (use Code.ZipFile)";
    else if (code && code->SourceKMSKeyArn.n)
        what = "SourceKMSKeyArn";
    else if (input->PublishTo.n)
        what = "PublishTo";
    else if (input->TenancyConfig)
        what = "TenancyConfig";
    else if (input->CapacityProviderConfig)
        what = "CapacityProviderConfig";
    else if (input->DurableConfig)
        what = "DurableConfig";
    return !what || not_built(arena, what, fault);
}

bool check_update_code_built(struct arena *arena,
                             const struct lambda_UpdateFunctionCodeRequest *input,
                             struct aws_fault *fault)
{
    const char *what = NULL;
    if (input->ImageUri.p)
        return invalid(fault, S("Please don't provide ImageUri when updating a function with "
                                "packageType Zip."));
    if (input->S3Bucket.p || input->S3Key.p || input->S3ObjectStorageMode.p)
        what = "code from S3 (use ZipFile)";
    else if (input->SourceKMSKeyArn.n)
        what = "SourceKMSKeyArn";
    else if (input->PublishTo.n)
        what = "PublishTo";
    return !what || not_built(arena, what, fault);
}

bool check_update_config_built(struct arena *arena,
                               const struct lambda_UpdateFunctionConfigurationRequest *input,
                               struct aws_fault *fault)
{
    const char *what = NULL;
    if (input->ImageConfig)
        return invalid(fault, S("Please don't provide ImageConfig when updating a function with "
                                "packageType Zip."));
    if (input->CapacityProviderConfig)
        what = "CapacityProviderConfig";
    else if (input->DurableConfig)
        what = "DurableConfig";
    return !what || not_built(arena, what, fault);
}
