#include "test.h"

#include "aws/query.h"
#include "base/mem.h"
#include "iam_api.h"
#include "sts_api.h"

struct row {
    const struct aws_operation *op;
    const char *form;
    const char *json; /* what it is decoded to; NULL: refused with: */
    const char *code;
    const char *message; /* begins with this */
};

#define V1 "1 validation error detected: Value "
#define FAILED " failed to satisfy constraint: Member must "
#define TRUST "RoleName=r&AssumeRolePolicyDocument=%7B%7D"
#define ROLE "\"RoleName\":\"r\",\"AssumeRolePolicyDocument\":\"{}\""

static const struct row rows[] = {
    {&iam_op_GetRole, "Action=GetRole&Version=2010-05-08&RoleName=r", "{\"RoleName\":\"r\"}", NULL,
     NULL},
    {&iam_op_GetRole, "RoleName=a%2Bb", "{\"RoleName\":\"a+b\"}", NULL, NULL},
    {&iam_op_ListRoles, "", "{}", NULL, NULL},
    {&iam_op_ListRoles, "MaxItems=5&Marker=x", "{\"Marker\":\"x\",\"MaxItems\":5}", NULL, NULL},
    {&iam_op_CreatePolicyVersion,
     "PolicyArn=arn:aws:iam::1:policy/p&PolicyDocument=x&SetAsDefault=TRUE",
     "{\"PolicyArn\":\"arn:aws:iam::1:policy/p\",\"PolicyDocument\":\"x\",\"SetAsDefault\":true}",
     NULL, NULL},
    {&iam_op_CreateRole, TRUST "&Tags.member.1.Key=a&Tags.member.1.Value=b",
     "{" ROLE ",\"Tags\":[{\"Key\":\"a\",\"Value\":\"b\"}]}", NULL, NULL},
    /* in the order of their numbers, not of their text; gaps and leading zeros count for nothing */
    {&iam_op_UntagRole,
     "RoleName=r&TagKeys.member.10=ten&TagKeys.member.2=two&TagKeys.member.001=one",
     "{\"RoleName\":\"r\",\"TagKeys\":[\"one\",\"two\",\"ten\"]}", NULL, NULL},
    {&iam_op_CreateRole,
     TRUST "&Tags.member.2.Value=d&Tags.member.1.Key=a&Tags.member.10.Key=e&Tags.member.2.Key=c&"
           "Tags.member.1.Value=b&Tags.member.10.Value=f",
     "{" ROLE ",\"Tags\":[{\"Key\":\"a\",\"Value\":\"b\"},{\"Key\":\"c\",\"Value\":\"d\"},"
     "{\"Key\":\"e\",\"Value\":\"f\"}]}",
     NULL, NULL},
    {&iam_op_CreateRole, TRUST "&Tags=", "{" ROLE ",\"Tags\":[]}", NULL, NULL},
    /* names that only look alike belong to nobody */
    {&iam_op_GetRole, "RoleName=r&RoleNames=x&RoleName-x=y&RoleNam=z&.=&..=&RoleName2.x=1",
     "{\"RoleName\":\"r\"}", NULL, NULL},
    {&iam_op_CreateRole, TRUST "&Tags.member-x=1&Tags.member.1.Key=a&Tags.member.1.Value=b",
     "{" ROLE ",\"Tags\":[{\"Key\":\"a\",\"Value\":\"b\"}]}", NULL, NULL},
    {&iam_op_GetRole, "RoleName=r&RoleName=again", "{\"RoleName\":\"r\"}", NULL, NULL},
    /* what cannot be decoded */
    {&iam_op_GetRole, "RoleName=%zz", NULL, "MalformedQueryString", "The query string contains"},
    {&iam_op_GetRole, "RoleName=%ff", NULL, "MalformedQueryString", "The query string contains"},
    {&iam_op_GetRole, "RoleName.x=r", NULL, "MalformedInput",
     "Start of structure or map found where not expected."},
    {&iam_op_ListRoles, "MaxItems=many", NULL, "MalformedInput",
     "STRING_VALUE can not be converted to an Integer"},
    {&iam_op_CreatePolicyVersion, "SetAsDefault=maybe", NULL, "MalformedInput",
     "STRING_VALUE can not be converted to a Boolean"},
    {&iam_op_CreateRole, TRUST "&Tags=x", NULL, "MalformedInput",
     "Unexpected list element termination"},
    {&iam_op_CreateRole, TRUST "&Tags.1.Key=x", NULL, "MalformedInput",
     "Unexpected list element termination"},
    {&iam_op_CreateRole, TRUST "&Tags.member.x.Key=x", NULL, "MalformedInput",
     "x is not a valid index."},
    {&iam_op_CreateRole, TRUST "&Tags.member.0.Key=x", NULL, "MalformedInput",
     "0 is not a valid index."},
    {&iam_op_CreateRole, TRUST "&Tags.member=x", NULL, "MalformedInput", " is not a valid index."},
    /* what does not fit the model */
    {&iam_op_GetRole, "", NULL, "ValidationError", V1 "null at 'roleName'" FAILED "not be null"},
    {&iam_op_GetRole, "RoleName=a b", NULL, "ValidationError",
     "The specified value for roleName is invalid. It must contain only alphanumeric characters "
     "and/or the following: +=,.@_-"},
    {&iam_op_CreateRole, TRUST "&Path=x", NULL, "ValidationError",
     "The specified value for path is invalid. It must begin and end with / and contain only "
     "alphanumeric characters and/or / characters."},
    {&iam_op_CreateRole, "RoleName=r&AssumeRolePolicyDocument=%E2%82%AC", NULL, "ValidationError",
     "The specified value for assumeRolePolicyDocument is invalid. It must contain only printable "
     "ASCII characters."},
    {&iam_op_CreateRole, TRUST "&MaxSessionDuration=60", NULL, "ValidationError",
     V1 "'60' at 'maxSessionDuration'" FAILED "have value greater than or equal to 3600"},
    {&iam_op_CreateRole, TRUST "&Tags.member.1.Key=%23&Tags.member.1.Value=", NULL,
     "ValidationError",
     V1 "'#' at 'tags.1.member.key'" FAILED
        "satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+"},
    {&iam_op_CreateRole, "", NULL, "ValidationError",
     "2 validation errors detected: Value null at 'roleName'" FAILED
     "not be null; Value null at 'assumeRolePolicyDocument'" FAILED "not be null"},
    {&sts_op_AssumeRole, "RoleArn=arn:aws:iam::000000000000:role/r&RoleSessionName=a%20b", NULL,
     "ValidationError",
     V1 "'a b' at 'roleSessionName'" FAILED "satisfy regular expression pattern: [\\w+=,.@-]*"},
};

static struct slice nothing(void *arg, enum aws_where where, struct slice name, size_t nth)
{
    (void)arg;
    (void)where;
    (void)name;
    return (struct slice){NULL, 0};
}

static void forms_become_structs(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        AUTO(arena) struct arena *arena = arena_new();
        AUTO(buf) struct buf got = BUF_INIT(4096);
        struct aws_source source = {slice_str(row->form), nothing, NULL};
        struct aws_fault fault = {NULL, {NULL, 0}};
        void *input = NULL;
        bool good = aws_decode_input(row->op, &source, arena, &input, &fault);
        if (good)
            aws_encode_struct(row->op->input, input, &got);
        if (good != (row->json != NULL))
            fail_msg("row %zu: %s: %s %.*s", i, row->form, good ? "taken" : fault.code,
                     FMT(fault.message));
        if (good && !slice_eq(buf_all(&got), slice_str(row->json)))
            fail_msg("row %zu: %s became %.*s", i, row->form, FMT(buf_all(&got)));
        if (!good && (strcmp(fault.code, row->code) != 0 ||
                      !slice_starts(fault.message, slice_str(row->message))))
            fail_msg("row %zu: %s: %s: %.*s", i, row->form, fault.code, FMT(fault.message));
    }
}

/* As long as a form may be, and as awkward: the time must not grow with the square. */
static void a_long_list_is_decoded_soon(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(buf) struct buf form = BUF_INIT(1 << 20);
    struct aws_source source = {{NULL, 0}, nothing, NULL};
    struct aws_fault fault;
    void *input = NULL;
    buf_slice(&form, S("RoleName=r"));
    for (int i = QUERY_PAIRS_MAX - 1; i > 0; i--)
        buf_printf(&form, "&TagKeys.member.%d=k%d", i, i);
    source.body = buf_all(&form);
    assert_false(aws_decode_input(&iam_op_UntagRole, &source, arena, &input, &fault));
    assert_true(slice_starts(fault.message, S("1 validation error detected: Value '[k1, k2, k3")));
    buf_slice(&form, S("&one=more"));
    source.body = buf_all(&form);
    assert_false(aws_decode_input(&iam_op_UntagRole, &source, arena, &input, &fault));
    assert_string_equal(fault.code, "MalformedQueryString");
}

static void answers_are_xml(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    AUTO(arena) struct arena *arena = arena_new();
    struct iam_Tag tags[] = {{S("a&b"), S("<\"x\">\r\n")},
                             {S("bad"), S("\x01\xff"
                                          "\xc3\xa9")}};
    struct iam_Role role = {.RoleName = S("r"),
                            .CreateDate = OPT_F64(1428591823),
                            .MaxSessionDuration = OPT_I64(3600),
                            .Tags = aws_list_of(arena, tags, 2, sizeof tags[0])};
    struct iam_GetRoleResponse answer = {.Role = &role};
    aws_query_answer(&iam_op_GetRole, &answer, S("id-1"), &out);
    assert_string_equal(
        arena_str(arena, buf_all(&out)),
        "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role>"
        "<RoleName>r</RoleName><CreateDate>2015-04-09T15:03:43Z</CreateDate>"
        "<MaxSessionDuration>3600</MaxSessionDuration><Tags>"
        "<member><Key>a&amp;b</Key><Value>&lt;&quot;x&quot;&gt;&#xD;\n</Value></member>"
        "<member><Key>bad</Key><Value>\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9</Value></member></Tags>"
        "</Role></GetRoleResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata>"
        "</GetRoleResponse>\n");
    buf_clear(&out);
    aws_query_answer(&iam_op_DeleteRole, NULL, S("id-2"), &out);
    assert_string_equal(
        arena_str(arena, buf_all(&out)),
        "<DeleteRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ResponseMetadata>"
        "<RequestId>id-2</RequestId></ResponseMetadata></DeleteRoleResponse>\n");
    buf_clear(&out);
    role = (struct iam_Role){.CreateDate = OPT_F64(1428591823.25), .Tags = {true, 0, NULL}};
    aws_query_answer(&iam_op_GetRole, &answer, S("i"), &out);
    assert_non_null(strstr(arena_str(arena, buf_all(&out)),
                           "<Role><CreateDate>2015-04-09T15:03:43.250Z</CreateDate><Tags></Tags>"));
}

static void errors_are_xml(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    AUTO(arena) struct arena *arena = arena_new();
    aws_query_error(&sts_service, "AccessDenied", 403, S("a < b"), S("id"), &out);
    assert_string_equal(
        arena_str(arena, buf_all(&out)),
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>"
        "<Type>Sender</Type><Code>AccessDenied</Code><Message>a &lt; b</Message></Error>"
        "<RequestId>id</RequestId></ErrorResponse>\n");
    buf_clear(&out);
    aws_query_error(NULL, "InternalFailure", 500, S(""), S("id"), &out);
    assert_true(slice_starts(buf_all(&out), S("<ErrorResponse><Error><Type>Receiver</Type>")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_become_structs),
        cmocka_unit_test(a_long_list_is_decoded_soon),
        cmocka_unit_test(answers_are_xml),
        cmocka_unit_test(errors_are_xml),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
