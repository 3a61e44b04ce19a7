#include "invoke/check.h"

#include "base/mem.h"
#include "codec/base64.h"
#include "codec/json_check.h"
#include "front/addressed.h"
#include "lambda_api.h"
#include "model/alias.h"

#include <sys/random.h>

enum { CLIENT_CONTEXT_MAX = 3583 }; /* AWS: bytes of base64 */

static void not_found(struct call *call, const struct target *target)
{
    struct slice qualifier = target->qualifier.p ? target->qualifier : S("$LATEST");
    struct slice arn = target_arn(call->arena, target, qualifier);
    call_fail(call, "ResourceNotFoundException", "Function not found: %.*s", FMT(arn));
}

/* Until resource policies are evaluated nothing allows it. */
static void not_allowed(struct call *call, const struct target *target)
{
    struct slice arn = target_arn(call->arena, target, target->qualifier);
    call_fail(call, "AccessDeniedException",
              "User: arn:aws:iam::%.*s:root is not authorized to perform: lambda:InvokeFunction on "
              "resource: %.*s because no resource-based policy allows the lambda:InvokeFunction "
              "action",
              FMT(call->account), FMT(arn));
}

static bool find_target(struct call *call, const struct order *order, struct target *out)
{
    enum addressed addressed = call_addressed(call, order->name, order->qualifier, out);
    if (addressed == ADDRESSED_BAD_NAME)
        not_found(call, out);
    else if (addressed == ADDRESSED_FOREIGN)
        not_allowed(call, out);
    return addressed == ADDRESSED_OK;
}

/* Uniform in [0, 1): 53 bits of the kernel's randomness. Only aliases with weights need it. */
static double draw(void)
{
    uint64_t bits = 0;
    must(getrandom(&bits, sizeof bits, 0) == (ssize_t)sizeof bits);
    return (double)(bits >> 11) * 0x1p-53;
}

/* The qualifier itself if there is no such alias: no version has that name. */
static struct slice follow_alias(const struct functions *functions, const struct target *target)
{
    char key[FUNCTION_KEY_MAX];
    const struct lambda_AliasConfiguration *alias = alias_find(
        functions_resources(functions),
        function_key(key, target->account, target->region, target->name), target->qualifier);
    if (!alias)
        return target->qualifier;
    return alias_pick(alias, alias->RoutingConfig ? draw() : 0);
}

static const struct function *find_function(struct call *call, const struct functions *functions,
                                            const struct target *target)
{
    struct slice version = target->qualifier;
    const struct function *fn = NULL;
    if (slice_eq(version, S("$LATEST")))
        version = (struct slice){NULL, 0};
    if (alias_is_name(version))
        version = follow_alias(functions, target);
    fn = functions_find(functions, target->account, target->region, target->name, version);
    if (!fn)
        not_found(call, target);
    return fn;
}

static bool payload_is_json(struct call *call)
{
    struct json_fault fault;
    if (call->body.n == 0 || json_check(buf_all(&call->body), &fault))
        return true;
    call_fail(call, "InvalidRequestContentException",
              "Could not parse request body into json: Could not parse payload into json: %s\n at "
              "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: "
              "%zu, column: %zu]",
              fault.what, fault.line, fault.column);
    return false;
}

static bool payload_fits(struct call *call)
{
    if (call->body.n <= INVOKE_PAYLOAD_MAX)
        return true;
    call_fail(call, "RequestEntityTooLargeException",
              "%zu byte payload is too large for the RequestResponse invocation type (limit %d "
              "bytes)",
              call->body.n, INVOKE_PAYLOAD_MAX);
    return false;
}

/* Decoded JSON in the call's arena; a context with line ends would end its header. */
static bool client_context(struct call *call, struct slice encoded, struct slice *out)
{
    struct json_fault fault;
    AUTO(buf) struct buf json = BUF_INIT(CLIENT_CONTEXT_MAX);
    *out = (struct slice){NULL, 0};
    if (!encoded.n)
        return true;
    if (encoded.n > CLIENT_CONTEXT_MAX) {
        call_fail(call, "InvalidRequestContentException",
                  "Client context exceeds the maximum length of %d bytes", CLIENT_CONTEXT_MAX);
        return false;
    }
    bool ok = base64_decode(&json, encoded) && json_check(buf_all(&json), &fault) &&
              slice_starts(buf_all(&json), S("{"));
    if (!ok) {
        call_fail(call, "InvalidRequestContentException",
                  "Client context must be a valid Base64-encoded JSON object.");
        return false;
    }
    *out = arena_dup(call->arena, buf_all(&json));
    char *text = (char *)(uintptr_t)out->p;
    for (size_t i = 0; i < out->n; i++) {
        if (text[i] == '\n' || text[i] == '\r' || text[i] == '\t')
            text[i] = ' '; /* between members: inside strings JSON has none of them */
    }
    return true;
}

static bool is_invokable(struct call *call, const struct function *fn)
{
    if (!fn->pending)
        return true;
    call_fail(call, "ResourceConflictException",
              "The operation cannot be performed at this time. The function is currently in the "
              "following state: Pending");
    return false;
}

bool check_order(struct call *call, const struct functions *functions, const struct order *order,
                 struct checked *out)
{
    if (!find_target(call, order, &out->target))
        return false;
    out->fn = find_function(call, functions, &out->target);
    if (!out->fn)
        return false;
    if (slice_eq(order->type, S("DryRun"))) {
        call_ok(call, 204, NULL);
        return false;
    }
    if (slice_eq(order->type, S("Event"))) {
        call_fail(call, "NotImplementedException",
                  "lambkin does not run asynchronous invocations yet: use the invocation type "
                  "RequestResponse");
        return false;
    }
    return payload_fits(call) && payload_is_json(call) &&
           client_context(call, order->context, &out->context) && is_invokable(call, out->fn);
}
