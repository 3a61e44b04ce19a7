#include "test.h"

#include "base/mem.h"
#include "services/iam_document.h"

#define DOC(statement) "{\"Version\":\"2012-10-17\",\"Statement\":[" statement "]}"
#define ALLOW "\"Effect\":\"Allow\","
#define GOOD "{" ALLOW "\"Action\":\"s3:*\",\"Resource\":\"*\"}"
#define ACTION(a) DOC("{" ALLOW "\"Action\":" a ",\"Resource\":\"*\"}")
#define RESOURCE(r) DOC("{" ALLOW "\"Action\":\"s3:*\",\"Resource\":" r "}")
#define WITH(more) DOC("{" ALLOW "\"Action\":\"s3:*\",\"Resource\":\"*\"," more "}")
#define TRUST(who) DOC("{" ALLOW "\"Principal\":" who ",\"Action\":\"sts:AssumeRole\"}")
#define SYNTAX "Syntax errors in policy."
#define VENDOR "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
#define REGEXES "Resource vendor must be fully qualified and cannot contain regexes."

struct row {
    const char *text;
    const char *fault; /* NULL: it is good */
};

static const struct row identity[] = {
    {DOC(GOOD), NULL},
    {"{\"Version\":\"2012-10-17\",\"Statement\":" GOOD "}", NULL},
    {"{\"Version\":\"2012-10-17\",\"Id\":\"x\",\"Statement\":[" GOOD "," GOOD "]}", NULL},
    {" \n" DOC(GOOD) "\t", NULL},
    {ACTION("[\"s3:Get*\",\"*\",\"logs:PutLogEvents\"]"), NULL},
    {RESOURCE(
         "[\"arn:aws:s3:::b/*\",\"arn:aws:logs:*:*:*\",\"arn:*:sqs:us-east-1:1:${aws:username}\"]"),
     NULL},
    {DOC("{\"Effect\":\"Deny\",\"NotAction\":\"s3:*\",\"NotResource\":\"*\"}"), NULL},
    {WITH("\"Sid\":\"Abc123\""), NULL},
    {WITH("\"Sid\":\"\""), NULL},
    {WITH("\"Condition\":{\"StringEquals\":{\"aws:a\":\"b\"}}"), NULL},
    {WITH("\"Condition\":{\"ForAnyValue:StringLikeIfExists\":{\"a\":[\"b\",\"c\"]},\"Bool\":{\"d\":"
          "true},"
          "\"NumericLessThan\":{\"e\":5}}"),
     NULL},
    {WITH("\"Condition\":{}"), NULL},
    {"", "This policy contains invalid Json"},
    {"{", "This policy contains invalid Json"},
    {"hello", "This policy contains invalid Json"},
    {DOC(GOOD) "x", "This policy contains invalid Json"},
    {"{\"Version\":\"2012-10-17\",\"Version\":\"2012-10-17\"}",
     "This policy contains invalid Json"},
    {"[]", SYNTAX},
    {"{}", SYNTAX},
    {"{\"Version\":\"2012-10-17\"}", SYNTAX},
    {"{\"Version\":\"2012-10-17\",\"Statement\":[]}", SYNTAX},
    {"{\"Version\":\"2012-10-17\",\"Statement\":\"x\"}", SYNTAX},
    {"{\"Version\":\"2013-10-17\",\"Statement\":[" GOOD "]}", SYNTAX},
    {"{\"Version\":1,\"Statement\":[" GOOD "]}", SYNTAX},
    {"{\"Version\":\"2012-10-17\",\"Id\":1,\"Statement\":[" GOOD "]}", SYNTAX},
    {"{\"Version\":\"2012-10-17\",\"More\":1,\"Statement\":[" GOOD "]}", SYNTAX},
    {DOC("5"), SYNTAX},
    {DOC("{}"), SYNTAX},
    {DOC("{\"Effect\":\"allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}"), SYNTAX},
    {DOC("{\"Action\":\"s3:*\",\"Resource\":\"*\"}"), SYNTAX},
    {WITH("\"More\":1"), SYNTAX},
    {WITH("\"Sid\":1"), SYNTAX},
    {WITH("\"NotAction\":\"s3:*\""), SYNTAX},
    {WITH("\"NotResource\":\"*\""), SYNTAX},
    {WITH("\"Condition\":[]"), SYNTAX},
    {WITH("\"Condition\":{\"Equals\":{\"a\":\"b\"}}"), SYNTAX},
    {WITH("\"Condition\":{\"StringEquals\":\"a\"}"), SYNTAX},
    {WITH("\"Condition\":{\"StringEquals\":{\"a\":{}}}"), SYNTAX},
    {WITH("\"Condition\":{\"StringEquals\":{\"a\":[[]]}}"), SYNTAX},
    {ACTION("5"), SYNTAX},
    {ACTION("[\"s3:*\",5]"), SYNTAX},
    {ACTION("null"), SYNTAX},
    {RESOURCE("{}"), SYNTAX},
    {"{\"Statement\":[" GOOD "]}", "Policy document must be version 2012-10-17 or greater."},
    {"{\"Version\":\"2008-10-17\",\"Statement\":[" GOOD "]}",
     "Policy document must be version 2012-10-17 or greater."},
    {ACTION("[]"), "Policy statement must contain actions."},
    {DOC("{" ALLOW "\"Resource\":\"*\"}"), "Policy statement must contain actions."},
    {DOC("{" ALLOW "\"Action\":\"s3:*\"}"), "Policy statement must contain resources."},
    {RESOURCE("[]"), "Policy statement must contain resources."},
    {WITH("\"Principal\":\"*\""), "Policy document should not specify a principal."},
    {WITH("\"NotPrincipal\":{\"AWS\":\"*\"}"), "Policy document should not specify a principal."},
    {ACTION("\"everything\""), VENDOR},
    {ACTION("[\"s3:*\",\"\"]"), VENDOR},
    {ACTION("\"s3:a:b\""), "Actions/Condition can contain only one colon."},
    {ACTION("\"a b:c\""), "Vendor a b is not valid"},
    {ACTION("\":c\""), "Vendor  is not valid"},
    {RESOURCE("\"bucket\""), "Resource bucket must be in ARN format or \"*\"."},
    {RESOURCE("\"\""), "Resource  must be in ARN format or \"*\"."},
    {RESOURCE("[\"*\",\"arn\"]"), "Resource arn must be in ARN format or \"*\"."},
    {RESOURCE("\"arn:nothing:s3:::b\""),
     "Partition \"nothing\" is not valid for resource \"arn:nothing:s3:::b\"."},
    {RESOURCE("\"arn:aws:*:::b\""), REGEXES},
    {RESOURCE("\"arn:aws:\""), REGEXES},
    {RESOURCE("\"arn:aws:s3\""), "The policy failed legacy parsing"},
    {RESOURCE("\"arn:aws:s3::b\""), "The policy failed legacy parsing"},
    {WITH("\"Sid\":\"a-b\""),
     "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
     "expression [0-9A-Za-z]*"},
    {DOC("{\"Sid\":\"a\"," ALLOW "\"Action\":\"s3:*\",\"Resource\":\"*\"},{\"Sid\":\"a\"," ALLOW
         "\"Action\":\"s3:*\",\"Resource\":\"*\"}"),
     "Statement IDs (SID) in a single policy must be unique."},
};

static const struct row trust[] = {
    {TRUST("{\"Service\":\"lambda.amazonaws.com\"}"), NULL},
    {TRUST(
         "{\"Service\":[\"lambda.amazonaws.com\",\"ec2.amazonaws.com\"],\"AWS\":\"123456789012\"}"),
     NULL},
    {TRUST("{\"AWS\":\"arn:aws:iam::123456789012:root\"}"), NULL},
    {TRUST("{\"AWS\":\"*\"}"), NULL},
    {TRUST("\"*\""), NULL},
    {TRUST("{\"Federated\":\"cognito-identity.amazonaws.com\"}"), NULL},
    {"{\"Version\":\"2008-10-17\",\"Statement\":{" ALLOW
     "\"Principal\":\"*\",\"Action\":[\"sts:AssumeRoleWithWebIdentity\",\"sts:TagSession\"]}}",
     NULL},
    {"{\"Statement\":{\"Sid\":\"with blanks\"," ALLOW
     "\"Principal\":\"*\",\"Action\":\"sts:AssumeRole\"}}",
     NULL},
    {"no", "This policy contains invalid Json"},
    {"{}", SYNTAX},
    {TRUST("\"somebody\""), SYNTAX},
    {TRUST("{\"Nobody\":\"x\"}"), SYNTAX},
    {TRUST("{\"AWS\":5}"), SYNTAX},
    {TRUST("[]"), SYNTAX},
    {DOC("{" ALLOW "\"Action\":\"sts:AssumeRole\"}"), "AssumeRolepolicy must contain principals."},
    {TRUST("{}"), "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The "
                  "passed in policy has a statement with no principals!"},
    {TRUST("{\"AWS\":[]}"), "Invalid principal in policy: "
                            "com.amazon.balsa.error.InvalidPolicyException: The passed in policy "
                            "has a statement with no principals!"},
    {TRUST("{\"AWS\":\"me\"}"), "Invalid principal in policy: \"AWS\":\"me\""},
    {TRUST("{\"AWS\":\"arn:aws:iam::1:role/*\"}"),
     "Invalid principal in policy: \"AWS\":\"arn:aws:iam::1:role/*\""},
    {TRUST("{\"Service\":\"lambda\"}"), "Invalid principal in policy: \"SERVICE\":\"lambda\""},
    {DOC("{" ALLOW "\"Principal\":\"*\",\"Action\":\"sts:AssumeRole\",\"Resource\":\"*\"}"),
     "Has prohibited field Resource"},
    {DOC("{" ALLOW "\"Principal\":\"*\",\"Action\":\"s3:*\"}"),
     "AssumeRole policy may only specify STS AssumeRole actions."},
    {DOC("{" ALLOW "\"Principal\":\"*\",\"Action\":\"*\"}"),
     "AssumeRole policy may only specify STS AssumeRole actions."},
    {DOC("{" ALLOW "\"Principal\":\"*\"}"), "Policy statement must contain actions."},
};

static void check(const struct row *rows, size_t count, enum iam_document kind)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(arena) struct arena *arena = arena_new();
        struct slice fault = iam_document_fault(slice_str(rows[i].text), kind, arena);
        if (!slice_eq(fault, slice_str(rows[i].fault)) ||
            (fault.p != NULL) != (rows[i].fault != NULL))
            fail_msg("row %zu: %s: %.*s", i, rows[i].text, FMT(fault));
    }
}

static void identity_policies_are_checked(void **state)
{
    check(identity, COUNT_OF(identity), IAM_IDENTITY_POLICY);
}

static void trust_policies_are_checked(void **state)
{
    check(trust, COUNT_OF(trust), IAM_TRUST_POLICY);
}

static void documents_are_measured_and_encoded(void **state)
{
    AUTO(arena) struct arena *arena = arena_new();
    assert_int_equal(iam_document_size(S(" {\n\t\"a b\": 1 }\r\n")), 8);
    assert_true(slice_eq(iam_document_encode(arena, S("{\"a\": [\"*~.-_/\"]}\xc3\xa9")),
                         S("%7B%22a%22%3A%20%5B%22%2A~.-_%2F%22%5D%7D%C3%A9")));
    assert_true(slice_eq(iam_document_encode(arena, S("")), S("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_policies_are_checked),
        cmocka_unit_test(trust_policies_are_checked),
        cmocka_unit_test(documents_are_measured_and_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
