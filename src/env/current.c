#include "env/current.h"

#include "base/clock.h"
#include "base/mem.h"

void current_begin(struct current *current, struct invocation *inv)
{
    *current =
        (struct current){.inv = inv, .start_ns = clock_mono_ns(), .want_tail = inv->want_tail};
    memcpy(current->request_id, inv->request_id, sizeof current->request_id);
    if (inv->trace_id.n && inv->trace_id.n <= sizeof current->trace) {
        memcpy(current->trace, inv->trace_id.p, inv->trace_id.n);
        current->trace_n = inv->trace_id.n;
    }
}

struct slice current_id(const struct current *current)
{
    return (struct slice){current->request_id, ID_UUID_LEN};
}

struct slice current_trace(const struct current *current)
{
    return (struct slice){current->trace, current->trace_n};
}

struct runtime_event current_event(const struct current *current, uint64_t left_ms,
                                   uint64_t stream_max)
{
    const struct invocation *inv = current->inv;
    return (struct runtime_event){
        .request_id = {inv->request_id, ID_UUID_LEN},
        .deadline_ms = clock_wall_ms() + left_ms,
        .arn = inv->invoked_arn,
        .trace_id = inv->trace_id,
        .client_context = inv->client_context,
        .body = buf_all(&inv->event),
        .streams = inv->stream != NULL,
        .stream_max = stream_max,
    };
}

void current_answer(struct current *current, struct runtime_answer *answer)
{
    struct invocation *inv = current->inv;
    if (answer->kind == ANSWER_TRUNCATED) {
        current->outcome = outcome_answer(answer);
        current->half = true;
        return;
    }
    if (answer->kind != ANSWER_RESPONSE && answer->kind != ANSWER_ERROR) {
        struct outcome outcome = outcome_answer(answer);
        current_fail(current, &outcome);
        return;
    }
    bool failed = answer->kind == ANSWER_ERROR;
    current->answer_end_ns = clock_mono_ns();
    if (!current->answer_begin_ns)
        current->answer_begin_ns = current->answer_end_ns;
    current->outcome = failed ? outcome_handler(answer->error_type) : outcome_success();
    current->answered = true;
    current->produced = stream_bytes(current->stream) + answer->body.n;
    inv->function_error = failed;
    inv->payload = answer->body;
}

void current_fail(struct current *current, const struct outcome *outcome)
{
    struct invocation *inv = current->inv;
    buf_free(&inv->payload);
    inv->payload = (struct buf)BUF_INIT(RUNTIME_API_BODY_MAX);
    outcome_document(outcome, current_id(current), &inv->payload);
    inv->function_error = true;
    current->answered = true;
    current->outcome = *outcome;
    current->produced = stream_bytes(current->stream) + inv->payload.n;
}

void current_finish(struct current *current)
{
    struct invocation *inv = STEAL(current->inv);
    stream_free(STEAL(current->stream));
    inv->done(inv);
}
