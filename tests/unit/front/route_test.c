#include "test.h"

#include "base/mem.h"
#include "front/caller.h"
#include "front/route.h"
#include "iam_api.h"
#include "lambda_api.h"
#include "logs_api.h"
#include "sts_api.h"

#define FUNCTIONS "/2015-03-31/functions"

struct route_row {
    const char *method;
    const char *path;
    const char *target; /* X-Amz-Target, if any */
    const struct aws_operation *op;
    const char *label; /* the first one, still encoded */
};

static const struct route_row routes[] = {
    {"POST", FUNCTIONS, NULL, &lambda_op_CreateFunction, NULL},
    {"POST", FUNCTIONS "/", NULL, &lambda_op_CreateFunction, NULL},
    {"GET", FUNCTIONS, NULL, &lambda_op_ListFunctions, NULL},
    {"GET", FUNCTIONS "/", NULL, &lambda_op_ListFunctions, NULL},
    {"GET", FUNCTIONS "/f", NULL, &lambda_op_GetFunction, "f"},
    {"GET", FUNCTIONS "/f/", NULL, &lambda_op_GetFunction, "f"},
    {"DELETE", FUNCTIONS "/f", NULL, &lambda_op_DeleteFunction, "f"},
    {"GET", FUNCTIONS "/f/configuration", NULL, &lambda_op_GetFunctionConfiguration, "f"},
    {"PUT", FUNCTIONS "/f/configuration", NULL, &lambda_op_UpdateFunctionConfiguration, "f"},
    {"PUT", FUNCTIONS "/f/code", NULL, &lambda_op_UpdateFunctionCode, "f"},
    {"POST", FUNCTIONS "/f/invocations", NULL, &lambda_op_Invoke, "f"},
    {"POST", FUNCTIONS "/f/invocations/", NULL, &lambda_op_Invoke, "f"},
    {"POST", FUNCTIONS "/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations",
     NULL, &lambda_op_Invoke, "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af"},
    {"POST", FUNCTIONS "/a%2Fb/invocations", NULL, &lambda_op_Invoke, "a%2Fb"},
    {"GET", "/2016-08-19/account-settings", NULL, &lambda_op_GetAccountSettings, NULL},
    {"GET", "/2016-08-19/account-settings/", NULL, &lambda_op_GetAccountSettings, NULL},
    {"POST", "/", "Logs_20140328.FilterLogEvents", &logs_op_FilterLogEvents, NULL},
    /* nobody answers to these */
    {"GET", "/", NULL, NULL, NULL},
    {"POST", "/", NULL, NULL, NULL},
    {"GET", "", NULL, NULL, NULL},
    {"GET", "/2015-03-31", NULL, NULL, NULL},
    {"GET", FUNCTIONS "//", NULL, NULL, NULL},
    {"GET", FUNCTIONS "/f/nothing", NULL, NULL, NULL},
    {"PATCH", FUNCTIONS "/f", NULL, NULL, NULL},
    {"OPTIONS", FUNCTIONS, NULL, NULL, NULL},
    {"get", FUNCTIONS, NULL, NULL, NULL},
    {"POST", FUNCTIONS "//invocations", NULL, NULL, NULL},
    {"POST", FUNCTIONS "/f/invocations/more", NULL, NULL, NULL},
    {"POST", "/", "Nobody_1.FilterLogEvents", NULL, NULL},
    {"POST", "/", "", NULL, NULL},
    {"POST", "/x", "Logs_20140328.FilterLogEvents", NULL, NULL},
    {"GET", "/", "Logs_20140328.FilterLogEvents", NULL, NULL},
};

struct query_row {
    const char *path;
    const char *query;
    const struct aws_operation *op;
};

#define CONCURRENCY "/2019-09-30/functions/f/provisioned-concurrency"

static const struct query_row queries[] = {
    {"/2018-10-31/layers", NULL, &lambda_op_ListLayers},
    {"/2018-10-31/layers", "MaxItems=1", &lambda_op_ListLayers},
    {"/2018-10-31/layers", "find=LayerVersion&Arn=x", &lambda_op_GetLayerVersionByArn},
    {"/2018-10-31/layers", "Arn=x&find=LayerVersion", &lambda_op_GetLayerVersionByArn},
    {CONCURRENCY, "Qualifier=1", &lambda_op_GetProvisionedConcurrencyConfig},
    {CONCURRENCY, "List=ALL", &lambda_op_ListProvisionedConcurrencyConfigs},
    {CONCURRENCY, "List=NONE", &lambda_op_GetProvisionedConcurrencyConfig},
};

static void a_literal_query_chooses_among_operations(void **state)
{
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct http_request req = {.method = S("GET"),
                                   .path = slice_str(queries[i].path),
                                   .query = slice_str(queries[i].query)};
        struct route route = {0};
        if (!route_find(&req, (struct slice){NULL, 0}, &route) || route.op != queries[i].op)
            fail_msg("row %zu: %s?%s went elsewhere", i, queries[i].path,
                     queries[i].query ? queries[i].query : "");
    }
}

static void paths_lead_to_operations(void **state)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        const struct route_row *row = &routes[i];
        struct http_header header = {S("x-amz-target"), slice_str(row->target)};
        struct http_request req = {.method = slice_str(row->method),
                                   .path = slice_str(row->path),
                                   .headers = &header,
                                   .header_count = row->target ? 1 : 0};
        struct route route = {0};
        bool found = route_find(&req, (struct slice){NULL, 0}, &route);
        if (found != (row->op != NULL) || (found && route.op != row->op))
            fail_msg("row %zu: %s %s went elsewhere", i, row->method, row->path);
        if (row->label && (!route.labels || !slice_eq(route.values[0], slice_str(row->label))))
            fail_msg("row %zu: %s %s has another label", i, row->method, row->path);
    }
}

/* A service of ours that is asked for what it does not have answers in its own protocol. */
static void an_unknown_target_is_still_of_its_service(void **state)
{
    struct http_header header = {S("X-Amz-Target"), S("Logs_20140328.NoSuchThing")};
    struct http_request req = {
        .method = S("POST"), .path = S("/"), .headers = &header, .header_count = 1};
    struct route route = {0};
    assert_true(route_find(&req, (struct slice){NULL, 0}, &route));
    assert_null(route.op);
    assert_ptr_equal(route.service, &logs_service);
}

struct scope_row {
    const char *scope;
    const char *method;
    const char *path;
    const char *query;
    const char *target;
    const char *type;
    const struct aws_service *service; /* NULL with found false: nobody's */
    const struct aws_operation *op;
    bool form;
    bool found;
};

#define FORM "application/x-www-form-urlencoded; charset=utf-8"

static const struct scope_row scopes[] = {
    {"iam", "POST", "/", NULL, NULL, FORM, &iam_service, NULL, true, true},
    {"sts", "GET", "/", "Action=GetCallerIdentity", NULL, NULL, &sts_service, NULL, true, true},
    {"lambda", "GET", FUNCTIONS, NULL, NULL, NULL, &lambda_service, &lambda_op_ListFunctions, false,
     true},
    /* without a signature a form says itself whose it is */
    {NULL, "POST", "/", NULL, NULL, FORM, NULL, NULL, true, true},
    {NULL, "GET", "/", "Action=x", NULL, NULL, NULL, NULL, true, true},
    {NULL, "GET", "/", "a=b&Action=x", NULL, NULL, NULL, NULL, true, true},
    {NULL, "GET", "/", "Reaction=x", NULL, NULL, NULL, NULL, false, false},
    {NULL, "POST", "/", NULL, NULL, "application/json", NULL, NULL, false, false},
    /* a path of Lambda's is one, whatever the body is called (curl -d) */
    {NULL, "POST", FUNCTIONS "/f/invocations", NULL, NULL, FORM, &lambda_service, &lambda_op_Invoke,
     false, true},
    /* what is signed for one service and is another's all the same */
    {"lambda", "POST", "/", NULL, "Logs_20140328.FilterLogEvents", NULL, &logs_service,
     &logs_op_FilterLogEvents, false, true},
    {"logs", "GET", FUNCTIONS, NULL, NULL, NULL, &lambda_service, &lambda_op_ListFunctions, false,
     true},
    /* of the service that it was signed for, though that has nothing like it */
    {"lambda", "GET", "/nothing", NULL, NULL, NULL, &lambda_service, NULL, false, true},
    {"logs", "POST", "/", NULL, "Nobody_1.X", NULL, &logs_service, NULL, false, true},
    /* a bucket that is called like Lambda's API */
    {"s3", "GET", FUNCTIONS, NULL, NULL, NULL, NULL, NULL, false, false},
    {"sqs", "POST", "/", NULL, NULL, FORM, NULL, NULL, false, false},
};

static void the_signature_tells_the_service_first(void **state)
{
    for (size_t i = 0; i < COUNT_OF(scopes); i++) {
        const struct scope_row *row = &scopes[i];
        struct http_header headers[2];
        struct http_request req = {.method = slice_str(row->method),
                                   .path = slice_str(row->path),
                                   .query = slice_str(row->query),
                                   .headers = headers};
        struct route route = {0};
        if (row->target)
            headers[req.header_count++] =
                (struct http_header){S("X-Amz-Target"), slice_str(row->target)};
        if (row->type)
            headers[req.header_count++] =
                (struct http_header){S("content-type"), slice_str(row->type)};
        bool found = route_find(&req, slice_str(row->scope), &route);
        if (found != row->found || route.service != row->service || route.op != row->op ||
            route.form != row->form)
            fail_msg("row %zu: %s %s went elsewhere", i, row->method, row->path);
    }
}

struct form_row {
    const struct aws_service *service; /* that the head told; NULL: it did not */
    const char *form;
    const struct aws_operation *op;
    const char *code;
    const char *message;
};

static const struct form_row forms[] = {
    {&iam_service, "Action=GetRole&Version=2010-05-08", &iam_op_GetRole, NULL, NULL},
    {NULL, "Version=2010-05-08&RoleName=x&Action=GetRole", &iam_op_GetRole, NULL, NULL},
    {NULL, "Action=GetCallerIdentity&Version=2011-06-15", &sts_op_GetCallerIdentity, NULL, NULL},
    {&iam_service, "Version=2010-05-08", NULL, "MissingAction", "Missing Action"},
    {&iam_service, "", NULL, "MissingAction", "Missing Action"},
    {&iam_service, "Action=GetCallerIdentity&Version=2010-05-08", NULL, "InvalidAction",
     "Could not find operation GetCallerIdentity for version 2010-05-08"},
    {&iam_service, "Action=GetRole&Version=2011-06-15", NULL, "InvalidAction",
     "Could not find operation GetRole for version 2011-06-15"},
    {&iam_service, "Action=GetRole", NULL, "InvalidAction",
     "Could not find operation GetRole for version NO_VERSION_SPECIFIED"},
    {NULL, "Action=SendMessage&Version=2012-11-05", NULL, "InvalidAction",
     "Could not find operation SendMessage for version 2012-11-05"},
    {NULL, "Action=%zz", NULL, "MalformedQueryString", "The query string contains a syntax error."},
};

static void a_form_tells_its_operation(void **state)
{
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        const struct form_row *row = &forms[i];
        struct route route = {.service = row->service, .form = true};
        struct aws_fault fault = {NULL, {NULL, 0}};
        bool found = route_form(slice_str(row->form), arena, &route, &fault);
        if (found != (row->op != NULL) || route.op != row->op)
            fail_msg("row %zu: %s went elsewhere", i, row->form);
        if (!found && (strcmp(fault.code, row->code) != 0 ||
                       !slice_eq(fault.message, slice_str(row->message))))
            fail_msg("row %zu: %s: %s: %.*s", i, row->form, fault.code, FMT(fault.message));
    }
}

struct caller_row {
    const char *authorization; /* or, if it begins with '?', the query */
    const char *account;
    const char *region;
    const char *service;
};

#define SIGNED "AWS4-HMAC-SHA256 Credential="

static const struct caller_row callers[] = {
    {SIGNED "AKIDEXAMPLE/20260102/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0",
     NULL, "eu-west-1", "lambda"},
    {SIGNED "123456789012/20260102/us-east-1/logs/aws4_request, SignedHeaders=host", "123456789012",
     "us-east-1", "logs"},
    {SIGNED "123456789012/20260102/us-gov-west-1/lambda/aws4_request,Signature=0", "123456789012",
     "us-gov-west-1", "lambda"},
    {SIGNED "12345678901/20260102/us-east-1/lambda/aws4_request", NULL, "us-east-1", "lambda"},
    {SIGNED "1234567890123/20260102/us-east-1/lambda/aws4_request", NULL, "us-east-1", "lambda"},
    {SIGNED "12345678901x/20260102/us-east-1/lambda/aws4_request", NULL, "us-east-1", "lambda"},
    {SIGNED "123456789012/20260102/../lambda/aws4_request", "123456789012", NULL, "lambda"},
    {SIGNED "123456789012/20260102/US-EAST-1/lambda/aws4_request", "123456789012", NULL, "lambda"},
    {SIGNED "123456789012/20260102", NULL, NULL, NULL},
    {SIGNED, NULL, NULL, NULL},
    {"Bearer x", NULL, NULL, NULL},
    {"", NULL, NULL, NULL},
    {"?X-Amz-Credential=123456789012%2F20260102%2Feu-west-1%2Flambda%2Faws4_request",
     "123456789012", "eu-west-1", "lambda"},
    {"?X-Amz-Credential=%zz", NULL, NULL, NULL},
    {"?a=b", NULL, NULL, NULL},
};

static bool same(struct slice got, const char *want)
{
    return want ? slice_eq(got, slice_str(want)) : got.p == NULL;
}

static void credentials_name_the_caller(void **state)
{
    for (size_t i = 0; i < COUNT_OF(callers); i++) {
        AUTO(arena) struct arena *arena = arena_new();
        const struct caller_row *row = &callers[i];
        bool query = row->authorization[0] == '?';
        struct http_header header = {S("authorization"), slice_str(row->authorization)};
        struct http_request req = {.headers = &header,
                                   .header_count = query ? 0 : 1,
                                   .query = slice_str(query ? row->authorization + 1 : NULL),
                                   .arena = arena};
        struct caller caller = caller_of(&req);
        if (!same(caller.account, row->account) || !same(caller.region, row->region) ||
            !same(caller.service, row->service))
            fail_msg("row %zu: %s: account %.*s region %.*s service %.*s", i, row->authorization,
                     FMT(caller.account), FMT(caller.region), FMT(caller.service));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_to_operations),
        cmocka_unit_test(a_literal_query_chooses_among_operations),
        cmocka_unit_test(an_unknown_target_is_still_of_its_service),
        cmocka_unit_test(the_signature_tells_the_service_first),
        cmocka_unit_test(a_form_tells_its_operation),
        cmocka_unit_test(credentials_name_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
