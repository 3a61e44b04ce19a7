#include "api/config.h"

#include "api/check.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "store/blob.h"

static struct lambda_RuntimeVersionConfig *
runtime_version(struct arena *arena, struct slice runtime, struct slice region)
{
    char digest[BLOB_DIGEST_LEN + 1];
    struct lambda_RuntimeVersionConfig *version = ARENA_NEW(arena, lambda_RuntimeVersionConfig);
    blob_digest(runtime, digest);
    version->RuntimeVersionArn =
        arena_printf(arena, "arn:aws:lambda:%.*s::runtime:%s", FMT(region), digest);
    return version;
}

static struct lambda_EnvironmentResponse *environment(struct arena *arena,
                                                      const struct lambda_Environment *given)
{
    if (!given || !given->Variables.set)
        return NULL;
    struct lambda_EnvironmentResponse *out = ARENA_NEW(arena, lambda_EnvironmentResponse);
    out->Variables = given->Variables;
    return out;
}

static struct lambda_TracingConfigResponse *tracing(struct arena *arena, struct slice mode)
{
    struct lambda_TracingConfigResponse *out = ARENA_NEW(arena, lambda_TracingConfigResponse);
    out->Mode = mode.p ? mode : S("PassThrough");
    return out;
}

static struct lambda_SnapStartResponse *snap_start(struct arena *arena, struct slice apply_on)
{
    struct lambda_SnapStartResponse *out = ARENA_NEW(arena, lambda_SnapStartResponse);
    out->ApplyOn = apply_on.p ? apply_on : S("None");
    out->OptimizationStatus = S("Off");
    return out;
}

/* Levels exist with JSON only, INFO by default; what is not given stays (fact 37). */
static struct lambda_LoggingConfig *logging(struct arena *arena,
                                            const struct lambda_LoggingConfig *before,
                                            const struct lambda_LoggingConfig *given)
{
    struct lambda_LoggingConfig *out = ARENA_NEW(arena, lambda_LoggingConfig);
    *out = *before;
    if (given && given->LogFormat.p)
        out->LogFormat = given->LogFormat;
    if (given && given->LogGroup.n)
        out->LogGroup = given->LogGroup;
    if (given && given->ApplicationLogLevel.p)
        out->ApplicationLogLevel = given->ApplicationLogLevel;
    if (given && given->SystemLogLevel.p)
        out->SystemLogLevel = given->SystemLogLevel;
    if (!slice_eq(out->LogFormat, S("JSON"))) {
        out->ApplicationLogLevel = out->SystemLogLevel = (struct slice){NULL, 0};
        return out;
    }
    if (!out->ApplicationLogLevel.p)
        out->ApplicationLogLevel = S("INFO");
    if (!out->SystemLogLevel.p)
        out->SystemLogLevel = S("INFO");
    return out;
}

static struct aws_list architectures(struct arena *arena, const struct aws_list *given)
{
    if (given->set && given->n)
        return *given;
    struct slice *one = arena_array(arena, 1, sizeof *one);
    *one = check_host_architecture();
    return (struct aws_list){true, 1, one};
}

static struct lambda_EphemeralStorage *storage(struct arena *arena, int64_t size)
{
    struct lambda_EphemeralStorage *out = ARENA_NEW(arena, lambda_EphemeralStorage);
    out->Size = OPT_I64(size);
    return out;
}

/* Absent until it is given; emptied it stays, with an empty VpcId (fact 36). There is no EC2 here
 * to ask, so the id is made from the first subnet's. */
static struct lambda_VpcConfigResponse *vpc(struct arena *arena,
                                            const struct lambda_VpcConfigResponse *before,
                                            const struct lambda_VpcConfig *given)
{
    struct lambda_VpcConfigResponse *out = ARENA_NEW(arena, lambda_VpcConfigResponse);
    const struct aws_list none = {true, 0, NULL};
    char digest[BLOB_DIGEST_LEN + 1];
    *out = before ? *before : (struct lambda_VpcConfigResponse){none, none, S(""), OPT_BOOL(false)};
    if (given->SubnetIds.set)
        out->SubnetIds = given->SubnetIds;
    if (given->SecurityGroupIds.set)
        out->SecurityGroupIds = given->SecurityGroupIds;
    if (given->Ipv6AllowedForDualStack.set)
        out->Ipv6AllowedForDualStack = given->Ipv6AllowedForDualStack;
    out->VpcId = S("");
    if (out->SubnetIds.n) {
        blob_digest(*AWS_ITEM(out->SubnetIds, struct slice, 0), digest);
        out->VpcId = arena_printf(arena, "vpc-%.17s", digest);
    }
    return out;
}

/* Members that create and update take alike; an empty text removes. */
static void set_common(struct arena *arena, struct lambda_FunctionConfiguration *config,
                       const struct lambda_VpcConfig *vpc_config,
                       const struct lambda_DeadLetterConfig *queue, struct slice key,
                       const struct aws_list *file_systems)
{
    bool asks = vpc_config && (vpc_config->SubnetIds.n || vpc_config->SecurityGroupIds.n);
    if (vpc_config && (asks || config->VpcConfig))
        config->VpcConfig = vpc(arena, config->VpcConfig, vpc_config);
    if (queue)
        config->DeadLetterConfig =
            queue->TargetArn.n ? (struct lambda_DeadLetterConfig *)(uintptr_t)queue : NULL;
    if (key.p)
        config->KMSKeyArn = key.n ? key : (struct slice){NULL, 0};
    if (file_systems->set)
        config->FileSystemConfigs =
            file_systems->n ? *file_systems : (struct aws_list){.set = false};
}

struct lambda_FunctionConfiguration *config_create(struct arena *arena,
                                                   const struct lambda_CreateFunctionRequest *input,
                                                   struct slice name, struct slice region)
{
    struct lambda_FunctionConfiguration *config = ARENA_NEW(arena, lambda_FunctionConfiguration);
    const struct lambda_LoggingConfig text = {
        .LogFormat = S("Text"), .LogGroup = arena_printf(arena, "/aws/lambda/%.*s", FMT(name))};
    config->Runtime = input->Runtime;
    config->Role = input->Role;
    config->Handler = input->Handler;
    config->Description = input->Description.p ? input->Description : S("");
    config->Timeout = input->Timeout.set ? input->Timeout : OPT_I64(3);
    config->MemorySize = input->MemorySize.set ? input->MemorySize : OPT_I64(128);
    config->Environment = environment(arena, input->Environment);
    config->TracingConfig =
        tracing(arena, input->TracingConfig ? input->TracingConfig->Mode : (struct slice){NULL, 0});
    config->PackageType = S("Zip");
    config->Architectures = architectures(arena, &input->Architectures);
    config->EphemeralStorage =
        storage(arena, input->EphemeralStorage ? input->EphemeralStorage->Size.v : 512);
    config->SnapStart =
        snap_start(arena, input->SnapStart ? input->SnapStart->ApplyOn : (struct slice){NULL, 0});
    config->RuntimeVersionConfig = runtime_version(arena, input->Runtime, region);
    config->LoggingConfig = logging(arena, &text, input->LoggingConfig);
    set_common(arena, config, input->VpcConfig, input->DeadLetterConfig, input->KMSKeyArn,
               &input->FileSystemConfigs);
    return config;
}

struct lambda_FunctionConfiguration *
config_update(struct arena *arena, const struct lambda_FunctionConfiguration *before,
              const struct lambda_UpdateFunctionConfigurationRequest *input, struct slice region)
{
    struct lambda_FunctionConfiguration *config = ARENA_NEW(arena, lambda_FunctionConfiguration);
    *config = *before;
    if (input->Runtime.p) {
        config->Runtime = input->Runtime;
        config->RuntimeVersionConfig = runtime_version(arena, input->Runtime, region);
    }
    if (input->Role.p)
        config->Role = input->Role;
    if (input->Handler.p)
        config->Handler = input->Handler;
    if (input->Description.p)
        config->Description = input->Description;
    if (input->Timeout.set)
        config->Timeout = input->Timeout;
    if (input->MemorySize.set)
        config->MemorySize = input->MemorySize;
    if (input->Environment && input->Environment->Variables.set)
        config->Environment = environment(arena, input->Environment);
    if (input->TracingConfig && input->TracingConfig->Mode.p)
        config->TracingConfig = tracing(arena, input->TracingConfig->Mode);
    if (input->EphemeralStorage)
        config->EphemeralStorage = storage(arena, input->EphemeralStorage->Size.v);
    if (input->SnapStart && input->SnapStart->ApplyOn.p)
        config->SnapStart = snap_start(arena, input->SnapStart->ApplyOn);
    if (input->LoggingConfig)
        config->LoggingConfig = logging(arena, before->LoggingConfig, input->LoggingConfig);
    set_common(arena, config, input->VpcConfig, input->DeadLetterConfig, input->KMSKeyArn,
               &input->FileSystemConfigs);
    return config;
}

static unsigned char hex_digit(char c)
{
    return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

void config_set_code(struct arena *arena, struct lambda_FunctionConfiguration *config,
                     const char *digest, size_t size)
{
    AUTO(buf) struct buf text = BUF_INIT(64);
    char bytes[BLOB_DIGEST_LEN / 2];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(hex_digit(digest[2 * i]) << 4 | hex_digit(digest[2 * i + 1]));
    must(base64_encode(&text, (struct slice){bytes, sizeof bytes}));
    config->CodeSha256 = arena_dup(arena, buf_all(&text));
    config->CodeSize = OPT_I64((int64_t)size);
}

struct lambda_FunctionConfiguration
config_reduced(const struct lambda_FunctionConfiguration *config)
{
    const struct slice absent = {NULL, 0};
    struct lambda_FunctionConfiguration reduced = *config;
    reduced.State = reduced.StateReason = reduced.StateReasonCode = absent;
    reduced.LastUpdateStatus = reduced.LastUpdateStatusReason = absent;
    reduced.LastUpdateStatusReasonCode = absent;
    reduced.RuntimeVersionConfig = NULL;
    return reduced;
}
