#include "invoke/invoke.h"

#include "base/log.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/json_check.h"
#include "front/addressed.h"
#include "invoke/admit.h"
#include "invoke/trace.h"
#include "lambda_api.h"
#include "model/alias.h"

#include <sys/random.h>

enum {
    INVOKER_MAGIC = 0x494e5652,
    JOB_MAGIC = 0x494e564a,
    PAYLOAD_MAX = 6291456,     /* AWS: 6 MB */
    CLIENT_CONTEXT_MAX = 3583, /* AWS: bytes of base64 */
};

struct invoker {
    uint32_t magic;
    struct pool *pool;
    const struct functions *functions;
    struct admit *admit;
};

/* One Invoke on its way; lives in the call's arena. */
struct job {
    uint32_t magic;
    struct call *call;
    struct invocation inv;
    struct admission admission;
    struct slice executed_version;
    char trace[TRACE_MAX];
};

struct invoker *invoker_new(struct pool *pool, const struct functions *functions,
                            const struct env_settings *settings)
{
    struct invoker *invoker = NEW(invoker);
    invoker->magic = INVOKER_MAGIC;
    invoker->pool = pool;
    invoker->functions = functions;
    invoker->admit = admit_new(settings->account_concurrency, functions);
    return invoker;
}

void invoker_free(struct invoker *invoker)
{
    if (!invoker)
        return;
    admit_free(invoker->admit);
    free(invoker);
}

/* ---- refusals ---- */

/* Its body has a member that no other error of the kind has. */
static void too_many(struct call *call, enum admit_refusal refusal)
{
    struct slice body = refusal == ADMIT_FUNCTION_FULL
                            ? S("{\"Reason\":\"ReservedFunctionConcurrentInvocationLimitExceeded\","
                                "\"Type\":\"User\",\"message\":\"Rate Exceeded.\"}")
                            : S("{\"Reason\":\"ConcurrentInvocationLimitExceeded\",\"Type\":"
                                "\"User\",\"message\":\"Rate Exceeded.\"}");
    static const struct http_header headers[] = {
        {S_INIT("Content-Type"), S_INIT("application/json")},
        {S_INIT("x-amzn-ErrorType"), S_INIT("TooManyRequestsException")},
    };
    call_raw(call, 429, headers, COUNT_OF(headers), body);
}

static void not_found(struct call *call, const struct target *target)
{
    struct slice qualifier = target->qualifier.p ? target->qualifier : S("$LATEST");
    struct slice arn = target_arn(call->arena, target, qualifier);
    call_fail(call, "ResourceNotFoundException", "Function not found: %.*s", FMT(arn));
}

/* The pool could not make an environment. */
static void refused(struct call *call, const struct err *err)
{
    if (err->fault == FAULT_NOT_FOUND) {
        call_fail(call, "ResourceNotFoundException", "%s:$LATEST", err->msg);
    } else if (err->fault == FAULT_UNAVAILABLE) {
        call_fail(call, "InvalidRuntimeException", "%s", err->msg);
    } else {
        log_error("invoke.refused", "request=%s err=%s", call->request_id, err->msg);
        call_fail(call, "ServiceException", "The function's environment could not be started.");
    }
}

/* ---- the answer ---- */

static void answer(struct call *call, const struct job *job)
{
    const struct invocation *inv = &job->inv;
    struct http_header headers[8];
    AUTO(buf) struct buf tail = BUF_INIT(8192);
    size_t n = 0;
    headers[n++] = (struct http_header){S("Content-Type"), S("application/json")};
    headers[n++] = (struct http_header){S("X-Amz-Executed-Version"), job->executed_version};
    headers[n++] = (struct http_header){S("X-Amzn-Trace-Id"), inv->trace_id};
    headers[n++] = (struct http_header){S("x-amzn-Remapped-Content-Length"), S("0")};
    if (inv->function_error)
        headers[n++] = (struct http_header){S("X-Amz-Function-Error"), S("Unhandled")};
    if (inv->want_tail && base64_encode(&tail, buf_all(&inv->tail)))
        headers[n++] = (struct http_header){S("X-Amz-Log-Result"), buf_all(&tail)};
    call_raw(call, 200, headers, n, buf_all(&inv->payload));
}

static void on_done(struct invocation *inv)
{
    struct job *job = CAST(job, inv->arg, JOB_MAGIC);
    struct call *call = job->call;
    /* The job dies with the call, and these must outlive the answer. */
    const struct function *fn = inv->fn;
    struct buf event = inv->event;
    struct buf payload = inv->payload;
    struct buf tail = inv->tail;

    admit_leave(&job->admission);
    if (inv->refused.fault != FAULT_NONE)
        refused(call, &inv->refused);
    else
        answer(call, job);
    buf_free(&event);
    buf_free(&payload);
    buf_free(&tail);
    function_unref(fn);
}

/* ---- checks, in Lambda's order (dataplane.md 4.3) ---- */

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

static bool find_target(struct call *call, const struct lambda_InvocationRequest *input,
                        struct target *out)
{
    enum addressed addressed = call_addressed(call, input->FunctionName, input->Qualifier, out);
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
static struct slice follow_alias(const struct invoker *invoker, const struct target *target)
{
    char key[FUNCTION_KEY_MAX];
    const struct lambda_AliasConfiguration *alias = alias_find(
        functions_resources(invoker->functions),
        function_key(key, target->account, target->region, target->name), target->qualifier);
    if (!alias)
        return target->qualifier;
    return alias_pick(alias, alias->RoutingConfig ? draw() : 0);
}

static const struct function *find_function(struct call *call, const struct invoker *invoker,
                                            const struct target *target)
{
    struct slice version = target->qualifier;
    const struct function *fn = NULL;
    if (slice_eq(version, S("$LATEST")))
        version = (struct slice){NULL, 0};
    if (alias_is_name(version))
        version = follow_alias(invoker, target);
    fn = functions_find(invoker->functions, target->account, target->region, target->name, version);
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
    if (call->body.n <= PAYLOAD_MAX)
        return true;
    call_fail(call, "RequestEntityTooLargeException",
              "%zu byte payload is too large for the RequestResponse invocation type (limit %d "
              "bytes)",
              call->body.n, PAYLOAD_MAX);
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

/* ---- running ---- */

/* The whole reservation is made ahead for other versions: this one cannot run (controlplane.md fact
 * 76). */
static bool takes_provisioned(const struct invoker *invoker, const struct function *fn)
{
    const struct function_load *load = fn->load;
    return load->provisioned && load->reserved >= 0 && load->provisioned >= load->reserved &&
           pool_provisioned(invoker->pool, fn).wanted == 0;
}

static void run(struct call *call, struct invoker *invoker, const struct function *fn,
                const struct target *target, struct slice context)
{
    const struct lambda_InvocationRequest *input = call->input;
    struct admission admission;
    enum admit_refusal refusal = takes_provisioned(invoker, fn)
                                     ? ADMIT_FUNCTION_FULL
                                     : admit_enter(invoker->admit, fn, &admission);
    if (refusal != ADMIT_OK) {
        too_many(call, refusal);
        return;
    }
    /* While an update is in progress the previous snapshot serves. */
    const struct function *serving = fn->updating && fn->previous ? fn->previous : fn;
    struct job *job = ARENA_NEW(call->arena, job);
    struct invocation *inv = &job->inv;
    struct slice sent =
        call->http ? http_header_get(call->http, S("X-Amzn-Trace-Id")) : (struct slice){NULL, 0};
    job->magic = JOB_MAGIC;
    job->call = call;
    job->admission = admission;
    job->executed_version = arena_dup(call->arena, serving->version);
    inv->fn = function_ref(serving);
    memcpy(inv->request_id, call->request_id, sizeof inv->request_id);
    inv->invoked_arn = target_arn(call->arena, target, target->qualifier);
    inv->trace_id = trace_header(job->trace, sent);
    inv->client_context = context;
    inv->want_tail = slice_eq(input->LogType, S("Tail"));
    inv->event = call->body;
    call->body = (struct buf)BUF_INIT(0);
    if (inv->event.n == 0) {
        inv->event.limit = PAYLOAD_MAX;
        buf_slice(&inv->event, S("{}"));
    }
    inv->done = on_done;
    inv->arg = job;
    pool_invoke(invoker->pool, inv);
}

void invoke_handle(struct call *call)
{
    struct invoker *invoker = CAST(invoker, call->context, INVOKER_MAGIC);
    const struct lambda_InvocationRequest *input = call->input;
    struct target target;
    struct slice context;
    if (!find_target(call, input, &target))
        return;
    const struct function *fn = find_function(call, invoker, &target);
    if (!fn)
        return;
    if (slice_eq(input->InvocationType, S("DryRun"))) {
        call_ok(call, 204, NULL);
        return;
    }
    if (slice_eq(input->InvocationType, S("Event"))) {
        call_fail(call, "NotImplementedException",
                  "lambkin does not run asynchronous invocations yet: use the invocation type "
                  "RequestResponse");
        return;
    }
    if (payload_fits(call) && payload_is_json(call) &&
        client_context(call, input->ClientContext, &context) && is_invokable(call, fn))
        run(call, invoker, fn, &target, context);
}
