#include "invoke/invoke.h"

#include "base/mem.h"
#include "codec/base64.h"
#include "invoke/job.h"
#include "lambda_api.h"

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

static void on_done(struct job *job)
{
    struct job_rest rest = job_rest(job);
    if (job->inv.refused.fault != FAULT_NONE)
        job_refused(job->call, &job->inv.refused);
    else
        answer(job->call, job);
    job_rest_free(&rest);
}

void invoke_handle(struct call *call)
{
    static const struct job_way way = {.done = on_done};
    const struct lambda_InvocationRequest *input = call->input;
    const struct order order = {.name = input->FunctionName,
                                .qualifier = input->Qualifier,
                                .type = input->InvocationType,
                                .log_type = input->LogType,
                                .context = input->ClientContext};
    job_start(call, &order, &way);
}
