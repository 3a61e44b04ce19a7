/* InvokeWithResponseStream (dataplane.md 4.7): the payload in events, as the function makes it. */
#include "invoke/invoke.h"

#include "aws/codec.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/eventstream.h"
#include "invoke/job.h"
#include "lambda_api.h"

enum {
    PIECE_MAX = 64 << 10,    /* of a payload that is there as a whole */
    DETAILS_MAX = 256 << 10, /* of an error's document; SDKs bound an event */
};

static bool send_event(struct call *call, struct slice type, struct slice content_type,
                       struct slice payload)
{
    const struct eventstream_header headers[] = {{S(":event-type"), type},
                                                 {S(":content-type"), content_type},
                                                 {S(":message-type"), S("event")}};
    struct eventstream_frame frame;
    if (!call->http)
        return true; /* the function goes on without its client, as on AWS */
    eventstream_frame(&frame, headers, COUNT_OF(headers), payload);
    const struct slice parts[] = {
        {frame.front, frame.front_n}, payload, {frame.end, sizeof frame.end}};
    return call_stream_write(call, parts, COUNT_OF(parts));
}

static bool send_chunk(struct job *job, struct slice bytes)
{
    return send_event(job->call, S("PayloadChunk"), S("application/octet-stream"), bytes);
}

static void add_member(struct buf *out, const char *name, struct slice value)
{
    buf_printf(out, "%s\"%s\":", out->n > 1 ? "," : "", name);
    aws_json_string(out, value);
}

static void send_complete(struct job *job)
{
    const struct invocation *inv = &job->inv;
    AUTO(buf) struct buf event = BUF_INIT(6 * DETAILS_MAX + 65536);
    AUTO(buf) struct buf tail = BUF_INIT(8192);
    buf_char(&event, '{');
    if (inv->refused.fault != FAULT_NONE) {
        add_member(&event, "ErrorCode", S("ServiceException"));
        add_member(&event, "ErrorDetails", slice_str(inv->refused.msg));
    } else if (inv->function_error) {
        add_member(&event, "ErrorCode", S("Unhandled"));
        add_member(&event, "ErrorDetails", slice_sub(buf_all(&inv->payload), 0, DETAILS_MAX));
    }
    if (inv->want_tail && base64_encode(&tail, buf_all(&inv->tail)))
        add_member(&event, "LogResult", buf_all(&tail));
    buf_char(&event, '}');
    send_event(job->call, S("InvokeComplete"), S("application/json"), buf_all(&event));
}

/* What is left once the function is done: as much as the client takes, and the last event. */
static void finish(struct job *job)
{
    struct slice payload = buf_all(&job->inv.payload);
    while (!job->inv.function_error && job->sent < payload.n) {
        struct slice piece = slice_sub(payload, job->sent, PIECE_MAX);
        job->sent += piece.n;
        if (!send_chunk(job, piece))
            return; /* on_drained goes on */
    }
    struct job_rest rest = job_rest(job);
    send_complete(job);
    call_stream_end(job->call);
    job_rest_free(&rest);
}

/* The client takes more, or is gone, in which case nothing waits for it. */
static void go_on(struct call *call)
{
    struct job *job = CAST(job, call->user, JOB_MAGIC);
    if (job->done)
        finish(job);
    else
        invocation_resume(&job->inv);
}

/* ---- from the function ---- */

static void begin(struct job *job)
{
    const struct http_header headers[] = {
        {S("Content-Type"), S("application/vnd.amazon.eventstream")},
        {S("X-Amz-Executed-Version"), job->executed_version},
        {S("X-Amzn-Trace-Id"), job->inv.trace_id},
    };
    job->begun = true;
    call_stream_begin(job->call, 200, headers, COUNT_OF(headers));
}

static void on_begin(struct invocation *inv, struct slice content_type)
{
    (void)content_type; /* clients of this operation are told of the events' own */
    begin(CAST(job, inv->arg, JOB_MAGIC));
}

static bool on_piece(struct invocation *inv, struct slice bytes)
{
    return send_chunk(CAST(job, inv->arg, JOB_MAGIC), bytes);
}

static void on_done(struct job *job)
{
    struct job_rest rest = job_rest(job);
    job->done = true;
    if (job->inv.refused.fault != FAULT_NONE && !job->begun) {
        job_refused(job->call, &job->inv.refused);
        job_rest_free(&rest);
        return;
    }
    if (!job->begun)
        begin(job);
    finish(job);
}

static const struct invocation_stream taker = {.begin = on_begin, .piece = on_piece};

void invoke_stream_handle(struct call *call)
{
    static const struct job_way way = {.done = on_done, .stream = &taker};
    const struct lambda_InvokeWithResponseStreamRequest *input = call->input;
    const struct order order = {.name = input->FunctionName,
                                .qualifier = input->Qualifier,
                                .type = input->InvocationType,
                                .log_type = input->LogType,
                                .context = input->ClientContext};
    call->on_drained = call->on_client_gone = go_on;
    job_start(call, &order, &way);
}
