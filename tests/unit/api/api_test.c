#include "../test.h"

#include "api/check.h"
#include "api/config.h"
#include "base/mem.h"

#include <stdio.h>

static struct arena *arena;
static struct aws_fault fault;

static int setup(void **state)
{
    arena = arena_new();
    fault = (struct aws_fault){NULL, {NULL, 0}};
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

static bool said(const char *code, const char *start)
{
    return fault.code && !strcmp(fault.code, code) && slice_starts(fault.message, slice_str(start));
}

#define INVALID "InvalidParameterValueException"

static void test_runtimes(void **state)
{
    assert_true(check_runtime(arena, S("python3.11"), false, &fault));
    assert_true(check_runtime(arena, S("provided.al2023"), false, &fault));
    assert_false(check_runtime(arena, S("PYTHON3.11"), false, &fault));
    assert_true(said(INVALID, "Value PYTHON3.11 at 'runtime' failed to satisfy constraint: Member "
                              "must satisfy enum value set: [nodejs20.x, python3.14, "));
    assert_true(slice_ends(fault.message, S(", java8.al2] or be a valid ARN")));
    assert_false(check_runtime(arena, S("go1.x"), false, &fault));
    assert_true(said(INVALID, "The runtime parameter of go1.x is no longer supported"));
    assert_true(check_runtime(arena, S("go1.x"), true, &fault));
}

static bool environment(size_t n, const char *const *pairs)
{
    struct slice keys[8];
    struct slice values[8];
    for (size_t i = 0; i < n; i++) {
        keys[i] = slice_str(pairs[2 * i]);
        values[i] = slice_str(pairs[2 * i + 1]);
    }
    const struct lambda_Environment given = {{true, n, keys, values}};
    return check_environment(arena, &given, &fault);
}

static void test_environment(void **state)
{
    static char value[5000];
    assert_true(check_environment(arena, NULL, &fault));
    assert_true(environment(0, NULL));
    assert_true(environment(2, (const char *const[]){"A1", "b", "Cc", ""}));
    assert_false(environment(2, (const char *const[]){"A1", "b", "AWS_REGION", "x"}));
    assert_true(said(INVALID, "Lambda was unable to configure"));
    assert_true(slice_ends(fault.message, S("Reserved keys used in this request: AWS_REGION")));
    /* {"KEY":"..."} */
    memset(value, 'x', CHECK_VARIABLES_MAX - 10);
    assert_true(environment(1, (const char *const[]){"KEY", value}));
    value[CHECK_VARIABLES_MAX - 10] = 'x';
    assert_false(environment(1, (const char *const[]){"KEY", value}));
    assert_true(slice_ends(fault.message, S("xxx\"}")));
    struct slice key = S("KEY");
    struct slice zero = S("a\0b");
    const struct lambda_Environment hidden = {{true, 1, &key, &zero}};
    assert_false(check_environment(arena, &hidden, &fault));
}

static void test_single_values(void **state)
{
    char name[66];
    memset(name, 'n', sizeof name);
    assert_true(check_name_length(arena, S("x"), (struct slice){name, 64}, &fault));
    assert_false(check_name_length(arena, S("x"), (struct slice){name, 65}, &fault));
    assert_true(said(INVALID, "1 validation error detected: Value 'x' at 'functionName'"));

    assert_false(check_zip_size(arena, (struct slice){"", CHECK_ZIP_MAX + 1}, &fault));
    assert_true(
        said("RequestEntityTooLargeException", "Zipped size must be smaller than 52428800 bytes"));
    assert_false(check_zip_size(arena, S(""), &fault));
    assert_false(check_zip_size(arena, S("PK\5\6empty"), &fault));
    assert_true(check_zip_size(arena, S("PK\3\4"), &fault));
}

static void test_not_built(void **state)
{
    struct lambda_FunctionCode code = {.ZipFile = S("PK")};
    struct lambda_CreateFunctionRequest input = {.Code = &code};
    assert_true(check_create_built(arena, &input, &fault));
    code.S3Bucket = S("b");
    assert_false(check_create_built(arena, &input, &fault));

    struct lambda_UpdateFunctionCodeRequest update = {.ImageUri = S("x")};
    assert_false(check_update_code_built(arena, &update, &fault));
    assert_true(said(INVALID, "Please don't provide ImageUri when updating"));
}

static struct lambda_FunctionConfiguration *created(void)
{
    const struct lambda_CreateFunctionRequest input = {
        .Runtime = S("python3.11"), .Handler = S("a.b"), .Role = S("r")};
    return config_create(arena, &input, S("f"), S("us-east-1"));
}

static void test_defaults(void **state)
{
    struct lambda_FunctionConfiguration *config = created();
    assert_int_equal(config->MemorySize.v, 128);
    assert_int_equal(config->Timeout.v, 3);
    assert_int_equal(config->EphemeralStorage->Size.v, 512);
    assert_null(config->Environment);
    assert_true(slice_eq(config->Description, S("")));
    assert_true(slice_eq(config->LoggingConfig->LogGroup, S("/aws/lambda/f")));
    assert_true(slice_eq(config->SnapStart->OptimizationStatus, S("Off")));
    assert_true(slice_starts(config->RuntimeVersionConfig->RuntimeVersionArn,
                             S("arn:aws:lambda:us-east-1::runtime:")));
    assert_int_equal(config->RuntimeVersionConfig->RuntimeVersionArn.n, 34 + 64);
    config_set_code(arena, config,
                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 3);
    assert_true(slice_eq(config->CodeSha256, S("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")));
    assert_int_equal(config->CodeSize.v, 3);
}

static void test_merge(void **state)
{
    struct lambda_FunctionConfiguration *before = created();
    struct lambda_Environment variables = {.Variables = {.set = true}};
    struct lambda_UpdateFunctionConfigurationRequest input = {.Description = S("new"),
                                                              .MemorySize = OPT_I64(256)};
    struct lambda_FunctionConfiguration *after =
        config_update(arena, before, &input, S("us-east-1"));
    assert_true(slice_eq(after->Description, S("new")));
    assert_int_equal(after->MemorySize.v, 256);
    assert_int_equal(after->Timeout.v, 3);
    assert_null(after->Environment);
    input.Environment = &variables;
    input.Runtime = S("python3.12");
    after = config_update(arena, before, &input, S("us-east-1"));
    assert_non_null(after->Environment);
    assert_false(slice_eq(after->RuntimeVersionConfig->RuntimeVersionArn,
                          before->RuntimeVersionConfig->RuntimeVersionArn));
    struct lambda_FunctionConfiguration reduced = config_reduced(after);
    assert_null(reduced.RuntimeVersionConfig);
    assert_null(reduced.State.p);
}

static void test_logging(void **state)
{
    struct lambda_FunctionConfiguration *config = created();
    struct lambda_LoggingConfig json = {.LogFormat = S("JSON")};
    struct lambda_LoggingConfig debug = {.ApplicationLogLevel = S("DEBUG")};
    struct lambda_LoggingConfig text = {.LogFormat = S("Text")};
    struct lambda_UpdateFunctionConfigurationRequest input = {.LoggingConfig = &json};
    assert_false(check_logging(arena, &debug, S("Text"), &fault));
    assert_true(check_logging(arena, &debug, S("JSON"), &fault));
    config = config_update(arena, config, &input, S("r"));
    assert_true(slice_eq(config->LoggingConfig->ApplicationLogLevel, S("INFO")));
    input.LoggingConfig = &debug;
    config = config_update(arena, config, &input, S("r"));
    assert_true(slice_eq(config->LoggingConfig->ApplicationLogLevel, S("DEBUG")));
    assert_true(slice_eq(config->LoggingConfig->SystemLogLevel, S("INFO")));
    input.LoggingConfig = &text;
    config = config_update(arena, config, &input, S("r"));
    assert_null(config->LoggingConfig->ApplicationLogLevel.p);
    assert_true(slice_eq(config->LoggingConfig->LogGroup, S("/aws/lambda/f")));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_runtimes), TEST(test_environment), TEST(test_single_values), TEST(test_not_built),
        TEST(test_defaults), TEST(test_merge),       TEST(test_logging)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
