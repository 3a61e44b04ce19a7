#include "invoke/job.h"

#include "base/log.h"
#include "base/mem.h"
#include "invoke/invoke.h"

enum { INVOKER_MAGIC = 0x494e5652 };

struct invoker {
    uint32_t magic;
    struct pool *pool;
    const struct functions *functions;
    struct admit *admit;
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

void job_refused(struct call *call, const struct err *err)
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

/* ---- running ---- */

/* The whole reservation is made ahead for other versions: this one cannot run (controlplane.md fact
 * 76). */
static bool takes_provisioned(const struct invoker *invoker, const struct function *fn)
{
    const struct function_load *load = fn->load;
    return load->provisioned && load->reserved >= 0 && load->provisioned >= load->reserved &&
           pool_provisioned(invoker->pool, fn).wanted == 0;
}

struct job_rest job_rest(const struct job *job)
{
    const struct invocation *inv = &job->inv;
    return (struct job_rest){inv->fn, inv->event, inv->payload, inv->tail};
}

void job_rest_free(struct job_rest *rest)
{
    buf_free(&rest->event);
    buf_free(&rest->payload);
    buf_free(&rest->tail);
    function_unref(rest->fn);
}

/* The function is done: another may run, however long the client takes for its answer. */
static void on_done(struct invocation *inv)
{
    struct job *job = CAST(job, inv->arg, JOB_MAGIC);
    admit_leave(&job->admission);
    job->way->done(job);
}

static void run(struct call *call, struct invoker *invoker, const struct order *order,
                const struct checked *checked, const struct job_way *way)
{
    const struct function *fn = checked->fn;
    const struct target *target = &checked->target;
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
    job->way = way;
    job->admission = admission;
    job->executed_version = arena_dup(call->arena, serving->version);
    inv->fn = function_ref(serving);
    memcpy(inv->request_id, call->request_id, sizeof inv->request_id);
    inv->invoked_arn = target_arn(call->arena, target, target->qualifier);
    inv->trace_id = trace_header(job->trace, sent);
    inv->client_context = checked->context;
    inv->want_tail = slice_eq(order->log_type, S("Tail"));
    inv->stream = way->stream;
    inv->event = call->body;
    call->body = (struct buf)BUF_INIT(0);
    if (inv->event.n == 0) {
        inv->event.limit = INVOKE_PAYLOAD_MAX;
        buf_slice(&inv->event, S("{}"));
    }
    inv->done = on_done;
    inv->arg = job;
    call->user = job;
    pool_invoke(invoker->pool, inv);
}

void job_start(struct call *call, const struct order *order, const struct job_way *way)
{
    struct invoker *invoker = CAST(invoker, call->context, INVOKER_MAGIC);
    struct checked checked;
    if (check_order(call, invoker->functions, order, &checked))
        run(call, invoker, order, &checked, way);
}
