#include "env/env_inside.h"

#include "base/clock.h"
#include "env/journal.h"

#include <stdio.h>

/* An invocation from its event to REPORT. */

enum {
    INIT_ERROR_GRACE_MS = 500, /* between the report of a failed init and the exit that follows */
    HALF_GRACE_MS = 50,        /* between the end of a connection and the exit that it tells of */
};

static uint32_t peak_mb(const struct env *env, uint64_t now)
{
    uint64_t mb = (sandbox_peak(env->sandbox, now) + (1 << 20) - 1) >> 20;
    return env->out_of_memory || mb > env->fn->memory_mb ? env->fn->memory_mb : (uint32_t)mb;
}

static struct journal_call describe(const struct env *env)
{
    uint64_t now = clock_mono_ns();
    return (struct journal_call){.request_id = current_id(&env->call),
                                 .trace = current_trace(&env->call),
                                 .now_ns = now,
                                 .start_ns = env->call.start_ns,
                                 .answer_begin_ns = env->call.answer_begin_ns,
                                 .answer_end_ns = env->call.answer_end_ns,
                                 .done_ns = env->call.done_ns,
                                 .duration_ns = now - env->call.start_ns,
                                 .init_ns = env->init_ns,
                                 .peak_mb = peak_mb(env, now),
                                 .produced = env->call.produced};
}

static void log_end(struct env *env, const struct outcome *outcome)
{
    struct journal_call call = describe(env);
    env->init_ns = 0;
    if (env->call.done_ns)
        logs_settle(env->logs); /* what extensions have written since */
    else
        journal_runtime_done(env->logs, env->fn, &call, outcome);
    journal_end(env->logs, env->fn, &call, outcome);
}

/* Extensions that work on may wait for just this word. */
static void log_runtime_done(struct env *env)
{
    struct journal_call call = describe(env);
    journal_runtime_done(env->logs, env->fn, &call, &env->call.outcome);
    env->call.done_ns = call.now_ns;
}

/* With the tail of the log, if it is still ours. */
void env_hand_back(struct env *env)
{
    if (!env->call.inv)
        return;
    if (env->call.want_tail)
        logs_tail_end(env->logs, &env->call.inv->tail);
    current_finish(&env->call);
}

/* START to REPORT are written, the answer is out: nothing of the invocation is left. */
void env_end_call(struct env *env, const struct outcome *outcome)
{
    if (!env->call.answered)
        current_fail(&env->call, outcome);
    log_end(env, outcome);
    env_hand_back(env);
}

static void begin_call(struct env *env, struct invocation *inv)
{
    current_begin(&env->call, inv);
    env_arm(env, env->call.start_ns + (uint64_t)env->fn->timeout_s * 1000000000);
    if (env->call.want_tail)
        logs_tail_begin(env->logs);
}

static void deliver(struct env *env)
{
    uint64_t now = clock_mono_ns();
    uint64_t left_ms = env->due_ns > now ? (env->due_ns - now + 999999) / 1000000 : 0;
    sm_move(&env->sm, BUSY);
    env_check(env);
    env->runtime_waits = false;
    struct runtime_event event =
        current_event(&env->call, left_ms, env->host->settings->stream_bytes);
    runtime_api_deliver(env->api, &event);
    if (env->extensions.n)
        extensions_invoke(&env->extensions,
                          &(struct extensions_invoke){.request_id = event.request_id,
                                                      .deadline_ms = event.deadline_ms,
                                                      .arn = event.arn,
                                                      .trace_id = event.trace_id});
    /* After the event is on its way; what the function writes is read later. */
    journal_start(env->logs, env->fn, current_id(&env->call), current_trace(&env->call));
}

/* Once the dead are gone: what still could connect would be taken for the new runtime. */
void env_start_again(struct env *env)
{
    if (!env->cleared || env_start_runtime(env))
        return;
    struct outcome outcome = outcome_failure(S("Sandbox.Failure"), S("Internal failure"));
    env_end_call(env, &outcome);
    env_kill(env);
}

void env_run(struct env *env, struct invocation *inv)
{
    must(!env->call.inv);
    begin_call(env, inv);
    if (env->sm.state == FROZEN)
        env_thaw(env);
    if (env->sm.state == READY) {
        deliver(env);
        return;
    }
    sm_move(&env->sm, AGAIN);
    env->init_start_ns = env->call.start_ns;
    env_start_again(env);
}

static void on_next(void *arg)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    env->runtime_waits = true;
    env->extensions.open = false; /* internal ones register before the first call of next */
    if (env->sm.state == BUSY && env->extensions.n)
        log_runtime_done(env);
    env_settle(env);
}

void env_settle(struct env *env)
{
    struct outcome outcome = env->call.outcome;
    struct outcome success = outcome_success();
    if (!env->runtime_waits || !extensions_settled(&env->extensions))
        return;
    switch (env->sm.state) {
    case INIT:
        env->init_ns = clock_mono_ns() - env->init_start_ns;
        journal_cold(env->fn, sandbox_steps(env->sandbox), &env->started, env->init_ns);
        env_log_init(env, &success);
        telemetry_init_end(env->telemetry);
        if (env->host->settings->cpu_hard_quota)
            sandbox_tune(env->sandbox, &(struct launch_cpu){.quota_mb = env->fn->memory_mb});
        env_become_idle(env, READY);
        return;
    case AGAIN:
        env_log_init(env, &success);
        telemetry_init_end(env->telemetry);
        deliver(env);
        return;
    case BUSY:
        env_end_call(env, &outcome);
        env_become_idle(env, READY);
        return;
    default:
        return; /* idle already, or being ended */
    }
}

static void on_stream(void *arg, struct slice content_type)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    must(env->sm.state == BUSY && env->call.inv);
    env->call.answer_begin_ns = clock_mono_ns();
    env->call.stream =
        stream_new(env->host->loop, env->host->settings, env->api, env->call.inv, content_type);
}

static void on_piece(void *arg, struct slice bytes)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    stream_piece(env->call.stream, bytes);
}

static void answered(struct env *env)
{
    if (!env->call.want_tail)
        current_finish(&env->call);
}

static void on_answer(void *arg, struct runtime_answer *answer)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    must(env->sm.state == BUSY && env->call.inv);
    current_answer(&env->call, answer);
    if (env->call.answered)
        answered(env);
    else /* half of it: if the runtime has died, that is what is to be said */
        env_arm_ms(env, HALF_GRACE_MS);
}

/* It lives, so half an answer is all it gave. */
void env_settle_half(struct env *env)
{
    struct outcome outcome = env->call.outcome;
    env_arm(env, env->call.start_ns + (uint64_t)env->fn->timeout_s * 1000000000);
    current_fail(&env->call, &outcome);
    answered(env);
}

static void on_init_error(void *arg, struct runtime_answer *answer)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    must(env->sm.state == INIT || env->sm.state == AGAIN);
    env->init_error = true;
    snprintf(env->init_error_type, sizeof env->init_error_type, "%.*s", FMT(answer->error_type));
    buf_free(&env->init_error_body);
    env->init_error_body = answer->body;
    uint64_t grace = clock_mono_ns() + (uint64_t)INIT_ERROR_GRACE_MS * 1000000;
    env_arm(env, grace < env->due_ns ? grace : env->due_ns);
}

const struct runtime_api_owner env_api_owner = {
    .on_next = on_next,
    .on_stream = on_stream,
    .on_piece = on_piece,
    .on_answer = on_answer,
    .on_init_error = on_init_error,
    .on_subscription = env_on_subscription,
};
