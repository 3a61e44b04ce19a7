#include "test.h"

#include "aws/codec.h"
#include "base/mem.h"
#include "lambda_api.h"
#include "logs_api.h"

#include <stdio.h>

/* Where the parts of a request come from in these tests: "Name=value" pairs. */
struct parts {
    const char *pairs[6];
};

static struct slice get(void *arg, enum aws_where where, struct slice name, size_t nth)
{
    const struct parts *parts = arg;
    (void)where;
    for (size_t i = 0; i < 6 && parts->pairs[i]; i++) {
        struct slice rest = slice_str(parts->pairs[i]);
        struct slice key;
        slice_cut(&rest, '=', &key);
        if (slice_eq(key, name) && !nth--)
            return rest;
    }
    return (struct slice){NULL, 0};
}

struct row {
    const struct aws_operation *op;
    struct parts parts;
    const char *body;
    const char *code;    /* NULL: it is good */
    const char *message; /* begins with this */
};

#define CREATE                                                                                     \
    &lambda_op_CreateFunction,                                                                     \
    {                                                                                              \
        {                                                                                          \
            NULL                                                                                   \
        }                                                                                          \
    }
#define ROLE "\"Role\":\"arn:aws:iam::123456789012:role/r\""
#define CODE "\"Code\":{\"ZipFile\":\"UEs=\"}"
#define V1 "1 validation error detected: Value "
#define V2 "2 validation errors detected: Value "
#define FAILED " failed to satisfy constraint: Member must "
#define NAME_PATTERN                                                                               \
    "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?("   \
    "\\d{12}:)?(function:)?(["                                                                     \
    "a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"

static const struct row rows[] = {
    {CREATE, "{\"FunctionName\":\"f\"," ROLE "," CODE "}", NULL, NULL},
    {CREATE, "{\"FunctionName\":\"f\"," ROLE "}", "ValidationException",
     V1 "null at 'code'" FAILED "not be null"},
    {CREATE, "{" ROLE "," CODE "}", "ValidationException",
     V1 "null at 'functionName'" FAILED "not be null"},
    {CREATE, "{\"FunctionName\":\"f\"," CODE "}", "ValidationException",
     V1 "null at 'role'" FAILED "not be null"},
    {CREATE, "{}", "ValidationException",
     "3 validation errors detected: Value null at 'functionName'" FAILED
     "not be null; Value null at 'role'"},
    {CREATE, "{\"FunctionName\":\"a b\"," ROLE "," CODE "}", "ValidationException",
     V1 "'a b' at 'functionName'" FAILED "satisfy regular expression pattern: " NAME_PATTERN},
    {CREATE, "{\"FunctionName\":\"f\",\"Role\":\"r\"," CODE "}", "ValidationException",
     V1 "'r' at 'role'" FAILED "satisfy regular expression pattern: arn:"},
    {CREATE, "{\"FunctionName\":\"f\",\"MemorySize\":127," ROLE "," CODE "}", "ValidationException",
     V1 "'127' at 'memorySize'" FAILED "have value greater than or equal to 128"},
    {CREATE, "{\"FunctionName\":\"f\",\"MemorySize\":10241," ROLE "," CODE "}",
     "ValidationException",
     V1 "'10241' at 'memorySize'" FAILED "have value less than or equal to 10240"},
    {CREATE, "{\"FunctionName\":\"f\",\"Timeout\":0," ROLE "," CODE "}", "ValidationException",
     V1 "'0' at 'timeout'" FAILED "have value greater than or equal to 1"},
    {CREATE, "{\"FunctionName\":\"f\",\"Timeout\":901,\"MemorySize\":1," ROLE "," CODE "}",
     "ValidationException",
     V2 "'901' at 'timeout'" FAILED
        "have value less than or equal to 900; Value '1' at 'memorySize'"},
    {CREATE, "{\"FunctionName\":\"f\",\"Architectures\":[\"x86_64\",\"arm64\"]," ROLE "," CODE "}",
     "ValidationException",
     V1 "'[x86_64, arm64]' at 'architectures'" FAILED "have length less than or equal to 1"},
    {CREATE, "{\"FunctionName\":\"f\",\"Architectures\":[\"X86\"]," ROLE "," CODE "}",
     "ValidationException",
     V1 "'[X86]' at 'architectures'" FAILED "satisfy constraint: [Member must satisfy enum value "
        "set: [x86_64, arm64], Member must not be null]"},
    {CREATE, "{\"FunctionName\":\"f\",\"EphemeralStorage\":{\"Size\":1}," ROLE "," CODE "}",
     "ValidationException",
     V1 "'1' at 'ephemeralStorage.size'" FAILED "have value greater than or equal to 512"},
    {CREATE, "{\"FunctionName\":\"f\",\"EphemeralStorage\":{}," ROLE "," CODE "}",
     "ValidationException", V1 "null at 'ephemeralStorage.size'" FAILED "not be null"},
    {CREATE, "{\"FunctionName\":\"f\",\"SnapStart\":{\"ApplyOn\":\"x\"}," ROLE "," CODE "}",
     "ValidationException",
     V1 "'x' at 'snapStart.applyOn'" FAILED "satisfy enum value set: [PublishedVersions, None]"},
    {CREATE, "{\"FunctionName\":\"f\",\"Handler\":\"a b\"," ROLE "," CODE "}",
     "ValidationException",
     V1 "'a b' at 'handler'" FAILED "satisfy regular expression pattern: [^\\s]+"},
    {CREATE,
     "{\"FunctionName\":\"f\",\"Environment\":{\"Variables\":{\"2\":\"x\"}}," ROLE "," CODE "}",
     "ValidationException",
     V1 "at 'environment.variables' failed to satisfy constraint: Map keys must satisfy "
        "constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, "
        "Member must not be null]"},
    {CREATE, "{\"FunctionName\":1," ROLE "," CODE "}", "SerializationException",
     "NUMBER_VALUE can not be converted to a String"},
    {CREATE, "{\"FunctionName\":\"f\",\"Timeout\":\"3\"," ROLE "," CODE "}",
     "SerializationException", "STRING_VALUE can not be converted to an Integer"},
    {CREATE, "{\"FunctionName\":\"f\",\"Publish\":\"true\"," ROLE "," CODE "}",
     "SerializationException", "STRING_VALUE can not be converted to a Boolean"},
    {CREATE, "{\"FunctionName\":\"f\",\"Layers\":\"l\"," ROLE "," CODE "}",
     "SerializationException", "STRING_VALUE can not be converted to a List"},
    {CREATE, "{\"FunctionName\":\"f\",\"Tags\":[]," ROLE "," CODE "}", "SerializationException",
     "START_ARRAY_VALUE can not be converted to a Map"},
    {CREATE, "{\"FunctionName\":\"f\",\"Code\":{\"ZipFile\":\"*\"}," ROLE "}",
     "SerializationException", "Blob is not valid base64"},
    {CREATE, "[]", "SerializationException",
     "START_ARRAY_VALUE can not be converted to a Structure"},
    {CREATE, "{", "InvalidRequestContentException", "Could not parse request body into json: "},
    {CREATE, "{\"FunctionName\":\"a b\",\"FunctionName\":\"f\"," ROLE "," CODE "}", NULL,
     NULL}, /* the last one counts */
    {CREATE, "{\"FunctionName\":\"\\ud800\"}", "InvalidRequestContentException",
     "Could not parse request body into json: "},
    {CREATE, "{\"FunctionName\":\"f\",\"FileSystemConfigs\":[null]," ROLE "," CODE "}",
     "ValidationException", V1 "null at 'fileSystemConfigs.1.member'" FAILED "not be null"},
    {&logs_op_PutLogEvents,
     {{NULL}},
     "{\"logGroupName\":\"g\",\"logStreamName\":\"s\",\"logEvents\":"
     "[{\"timestamp\":1,\"message\":\"m\"},null]}",
     "InvalidParameterException",
     V1 "null at 'logEvents.2.member'" FAILED "not be null"},
    {&logs_op_FilterLogEvents,
     {{NULL}},
     "{",
     "SerializationException",
     "Could not parse request body into json: "},
    {&lambda_op_GetFunction, {{"FunctionName=a.b"}}, "", NULL, NULL},
    {&lambda_op_GetFunction,
     {{"FunctionName=a b"}},
     "",
     "ValidationException",
     V1 "'a b' at 'functionName'" FAILED "satisfy regular expression pattern: (arn:"},
    {&lambda_op_GetFunction,
     {{"FunctionName=f", "Qualifier=a b"}},
     "",
     "ValidationException",
     V1 "'a b' at 'qualifier'" FAILED
        "satisfy regular expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"},
    {&lambda_op_ListFunctions,
     {{"MaxItems=0"}},
     "",
     "ValidationException",
     V1 "'0' at 'maxItems'" FAILED "have value greater than or equal to 1"},
    {&lambda_op_ListFunctions,
     {{"MaxItems=x"}},
     "",
     "SerializationException",
     "STRING_VALUE can not be converted to an Integer"},
    {&lambda_op_ListFunctions,
     {{"FunctionVersion=all"}},
     "",
     "ValidationException",
     V1 "'all' at 'functionVersion'" FAILED "satisfy enum value set: [ALL]"},
    {&lambda_op_Invoke,
     {{"FunctionName=f", "X-Amz-Invocation-Type=x"}},
     "not json",
     "ValidationException",
     V1 "'x' at 'invocationType'" FAILED "satisfy enum value set: ["},
    {&lambda_op_Invoke, {{"FunctionName=f"}}, "not json", NULL, NULL},
    {&lambda_op_TagResource,
     {{"Resource=arn:aws:lambda:us-east-1:123456789012:function:f"}},
     "{}",
     "ValidationException",
     V1 "null at 'tags'" FAILED "not be null"},
};

static void requests_are_decoded_and_checked(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        const struct row *row = &rows[i];
        struct aws_source source = {slice_str(row->body), get, (void *)(uintptr_t)&row->parts};
        struct aws_fault fault = {NULL, {NULL, 0}};
        void *input = NULL;
        bool good = aws_decode_input(row->op, &source, arena, &input, &fault);
        if (good != (row->code == NULL))
            fail_msg("row %zu: %s: %.*s", i, fault.code ? fault.code : "passed",
                     FMT(fault.message));
        if (!good && (strcmp(fault.code, row->code) != 0 ||
                      !slice_starts(fault.message, slice_str(row->message))))
            fail_msg("row %zu: got %s: %.*s", i, fault.code, FMT(fault.message));
    }
}

static void structs_survive_the_way_out_and_back(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(buf) struct buf out = BUF_INIT(1 << 16);
    AUTO(buf) struct buf again = BUF_INIT(1 << 16);
    static const char text[] =
        "{\"FunctionName\":\"f\",\"CodeSize\":12,\"Description\":\"\\u0001\\\"\\\\ "
        "\xc3\xbc\xf0\x9f\x98\x80\",\"Timeout\":3,"
        "\"Environment\":{\"Variables\":{\"B\":\"2\",\"A\":\"\"}},\"Architectures\":[\"x86_64\"],"
        "\"EphemeralStorage\":{\"Size\":512}}";
    void *value = NULL;
    struct aws_fault fault;
    assert_true(aws_decode_struct(lambda_shape_FunctionConfiguration, slice_str(text), arena,
                                  &value, &fault));
    const struct lambda_FunctionConfiguration *config = value;
    assert_int_equal(config->Timeout.v, 3);
    assert_false(config->MemorySize.set);
    assert_int_equal(config->Environment->Variables.n, 2);
    assert_true(slice_eq(config->Environment->Variables.keys[0], S("B")));
    aws_encode_struct(lambda_shape_FunctionConfiguration, value, &out);
    assert_true(aws_decode_struct(lambda_shape_FunctionConfiguration, buf_all(&out), arena, &value,
                                  &fault));
    aws_encode_struct(lambda_shape_FunctionConfiguration, value, &again);
    assert_true(slice_eq(buf_all(&out), buf_all(&again)));
    assert_true(slice_starts(buf_all(&out), S("{\"FunctionName\":\"f\",")));
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(256);
    aws_json_string(&out, S("a\xff\xc3\x28\xed\xa0\x80\n\t\"\\"));
    assert_true(slice_eq(
        buf_all(&out),
        S("\"a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\n\\t\\\"\\\\\"")));
}

static void errors_go_out_as_recorded(void **state)
{
    const struct aws_error_row *row = aws_error_find(&lambda_service, "ResourceNotFoundException");
    assert_int_equal(row->status, 404);
    assert_string_equal(row->message_member, "Message");
    assert_true(row->has_type);
    row = aws_error_find(&lambda_service, "InvalidParameterValueException");
    assert_int_equal(row->status, 400);
    assert_string_equal(row->message_member, "message");
    row = aws_error_find(&lambda_service, "ValidationException");
    assert_int_equal(row->status, 400);
    assert_false(row->has_type);
    row = aws_error_find(&lambda_service, "RequestEntityTooLargeException");
    assert_int_equal(row->status, 413);
    assert_false(row->has_type);
    assert_int_equal(aws_error_find(&lambda_service, "TooManyRequestsException")->status, 429);
    assert_int_equal(aws_error_find(&lambda_service, "NoSuchThing")->status, 400);
}

/* Every pattern of the model must be one that the library reads: otherwise it would let everything
 * pass. */
static void every_operation_can_be_checked(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    for (size_t i = 0; i < lambda_service.operation_count; i++) {
        const struct aws_operation *op = lambda_service.operations[i];
        for (size_t m = 0; op->input && m < op->input->member_count; m++) {
            const struct aws_member *member = &op->input->members[m];
            if (member->shape->type != AWS_STRING || !member->shape->pattern ||
                !strcmp(member->shape->pattern, ".*"))
                continue;
            void *input = arena_alloc(arena, op->input->size);
            struct aws_fault fault = {NULL, {NULL, 0}};
            *(struct slice *)(void *)((char *)input + member->offset) = S("\x01 \x02");
            assert_false(aws_validate(op->input, input, arena, &fault));
            char want[128];
            snprintf(want, sizeof want,
                     "at '%.*s' failed to satisfy constraint: Member must satisfy regular",
                     FMT(member->camel));
            if (!memmem(fault.message.p, fault.message.n, want, strlen(want)) &&
                !memmem(fault.message.p, fault.message.n, "regular expression", 18))
                fail_msg("%.*s.%.*s: %.*s", FMT(op->name), FMT(member->camel), FMT(fault.message));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_decoded_and_checked),
        cmocka_unit_test(structs_survive_the_way_out_and_back),
        cmocka_unit_test(bytes_that_are_no_text_are_replaced),
        cmocka_unit_test(errors_go_out_as_recorded),
        cmocka_unit_test(every_operation_can_be_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
