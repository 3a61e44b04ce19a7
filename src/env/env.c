#include "env/env.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "env/current.h"
#include "env/endpoint.h"
#include "env/journal.h"
#include "env/logs.h"
#include "env/outcome.h"
#include "env/parking.h"
#include "env/runtime.h"
#include "env/runtime_api.h"
#include "env/sandbox.h"
#include "env/spec.h"

#include <stdio.h>

enum {
    ENV_MAGIC = 0x454e5630,
    SPAWN_TIMEOUT_MS = 60 * 1000,
    INIT_ERROR_GRACE_MS = 500, /* between the report of a failed init and the exit that follows */
    HALF_GRACE_MS = 50,        /* between the end of a connection and the exit that it tells of */
};

enum { NEW_, SPAWN, INIT, READY, FROZEN, BUSY, BROKEN, AGAIN, DEAD };

/*  NEW --> SPAWN --> INIT --next--> READY --event--> BUSY --next--> READY
 *                     |             |  ^             |
 *                   fails       pause  event       crash, timeout
 *                     |             v  |             |
 *                     |            FROZEN            |
 *                     v                              v
 *                   BROKEN <------------------------ +
 *                     |  ^
 *                 event  fails
 *                     v  |
 *                   AGAIN --next--> BUSY             any --> DEAD
 *
 *  INIT: the runtime starts, no invocation.     READY: it waits in next.
 *  BUSY: exactly one invocation, until the next call of next, although it may be answered before.
 *  BROKEN: the sandbox lives, /tmp and all, but no runtime does; the next event begins with an
 * init, AGAIN, under the function's own timeout (a "suppressed init", dataplane.md 2.2). DEAD: the
 * sandbox is being ended. */
const struct sm_state env_states[] = {
    [NEW_] = {"new", SM_TO(SPAWN) | SM_TO(DEAD)},
    [SPAWN] = {"spawn", SM_TO(INIT) | SM_TO(DEAD)},
    [INIT] = {"init", SM_TO(READY) | SM_TO(BROKEN) | SM_TO(DEAD)},
    [READY] = {"ready", SM_TO(BUSY) | SM_TO(FROZEN) | SM_TO(BROKEN) | SM_TO(DEAD)},
    [FROZEN] = {"frozen", SM_TO(READY) | SM_TO(DEAD)},
    [BUSY] = {"busy", SM_TO(READY) | SM_TO(BROKEN) | SM_TO(DEAD)},
    [BROKEN] = {"broken", SM_TO(AGAIN) | SM_TO(DEAD)},
    [AGAIN] = {"again", SM_TO(BUSY) | SM_TO(BROKEN) | SM_TO(DEAD)},
    [DEAD] = {"dead", 0},
    {NULL, 0},
};

struct env {
    uint32_t magic;
    const struct env_host *host; /* configuration */
    const struct function *fn;   /* a reference */
    struct env_seat seat;        /* the pool's */
    struct sm sm;                /* state from here on */
    struct sandbox *sandbox;     /* NULL before SPAWN and once it is gone */
    struct logs *logs;
    struct runtime_api *api;
    struct http_server *endpoint; /* NULL: none */
    uv_timer_t timer;             /* one at a time: init, invocation, freezing, retiring */
    uint64_t due_ns;
    uint64_t idle_since_ns;
    bool retiring;
    struct err failure; /* why it is being ended; FAULT_NONE: it was asked to */
    struct spec_entrypoint entrypoint;

    uint32_t run; /* starts of the runtime in this sandbox */
    uint64_t init_start_ns;
    uint64_t init_ns;             /* of the cold start; 0 once it was reported */
    struct control_event started; /* of the cold start: what init measured */
    bool init_error;              /* the runtime posted one in this run */
    char init_error_type[RUNTIME_API_TYPE_MAX + 1];
    struct buf init_error_body;
    bool out_of_memory;
    bool cleared; /* BROKEN, AGAIN: no process of the run before is left */

    struct current call;
};

static void check(const struct env *env)
{
    unsigned state = env->sm.state;
    must(ERGO(env->call.inv, state == BUSY || state == AGAIN));
    must(ERGO(state == BUSY && !env->call.answered, env->call.inv));
    must(ERGO(state >= INIT && state <= AGAIN, env->sandbox));
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer);

/* Rounded up, as libuv's clock counts whole milliseconds and stands still during a turn. */
static void arm(struct env *env, uint64_t due_ns)
{
    uint64_t now = clock_mono_ns();
    uint64_t ms = due_ns > now ? (due_ns - now + 999999) / 1000000 : 0;
    env->due_ns = due_ns;
    uv_timer_start(&env->timer, on_timer, ms, 0);
}

static void arm_ms(struct env *env, uint64_t ms)
{
    arm(env, clock_mono_ns() + ms * 1000000);
}

/* ---- words in the log ---- */

static uint32_t peak_mb(const struct env *env, uint64_t now)
{
    uint64_t mb = (sandbox_peak(env->sandbox, now) + (1 << 20) - 1) >> 20;
    return env->out_of_memory || mb > env->fn->memory_mb ? env->fn->memory_mb : (uint32_t)mb;
}

static void log_init(struct env *env, const struct outcome *outcome)
{
    journal_init_end(env->logs, env->fn, env->sm.state == AGAIN,
                     clock_mono_ns() - env->init_start_ns, outcome);
}

static void log_end(struct env *env, const struct outcome *outcome)
{
    uint64_t now = clock_mono_ns();
    struct journal_call call = {.request_id = current_id(&env->call),
                                .duration_ns = now - env->call.start_ns,
                                .init_ns = env->init_ns,
                                .peak_mb = peak_mb(env, now),
                                .produced = env->call.produced};
    env->init_ns = 0;
    journal_runtime_done(env->logs, env->fn, &call, outcome);
    journal_end(env->logs, env->fn, &call, outcome);
}

/* ---- ends and beginnings ---- */

static void kill_env(struct env *env)
{
    if (env->sm.state == DEAD)
        return;
    uv_timer_stop(&env->timer);
    list_remove(&env->seat.eldest);
    list_remove(&env->seat.idle); /* it is not gone yet, but nobody may be given it any more */
    runtime_api_shut(env->api);
    sm_move(&env->sm, DEAD);
    sandbox_kill(env->sandbox);
}

/* Free for the pool, which may hand over an invocation before this returns. */
static void become_idle(struct env *env, unsigned state)
{
    const struct env_settings *settings = env->host->settings;
    sm_move(&env->sm, state);
    check(env);
    if (env->retiring) {
        kill_env(env);
        return;
    }
    env->idle_since_ns = clock_mono_ns();
    arm_ms(env, state == READY ? settings->freeze_delay_ms : settings->idle_life_ms);
    env->host->on_idle(env);
}

/* No runtime lives in the sandbox any more, or none shall. */
static void break_down(struct env *env)
{
    runtime_api_shut(env->api);
    logs_new_run(env->logs);
    sandbox_order(env->sandbox, CONTROL_KILL_ALL); /* children may have outlived the runtime */
    env->out_of_memory = env->cleared = false;
    become_idle(env, BROKEN);
}

static bool start_runtime(struct env *env)
{
    if (!runtime_api_open(env->api, sandbox_listener(env->sandbox), &env->failure))
        return false;
    env->run++;
    env->init_error = false;
    env->out_of_memory = false;
    buf_free(&env->init_error_body);
    env->init_start_ns = clock_mono_ns();
    journal_init_start(env->logs, env->fn, env->sm.state == AGAIN);
    if (env->sm.state == INIT && env->entrypoint.nearest)
        journal_nearest(env->logs, env->fn, slice_str(env->entrypoint.interpreter));
    sandbox_order(env->sandbox, CONTROL_START);
    return true;
}

/* ---- one invocation ---- */

/* With the tail of the log, if it is still ours. */
static void hand_back(struct env *env)
{
    if (!env->call.inv)
        return;
    if (env->call.want_tail)
        logs_tail_end(env->logs, &env->call.inv->tail);
    current_finish(&env->call);
}

/* START to REPORT are written, the answer is out: nothing of the invocation is left. */
static void end_call(struct env *env, const struct outcome *outcome)
{
    if (!env->call.answered)
        current_fail(&env->call, outcome);
    log_end(env, outcome);
    hand_back(env);
}

static void begin_call(struct env *env, struct invocation *inv)
{
    current_begin(&env->call, inv);
    arm(env, env->call.start_ns + (uint64_t)env->fn->timeout_s * 1000000000);
    if (env->call.want_tail)
        logs_tail_begin(env->logs);
}

static void deliver(struct env *env)
{
    uint64_t now = clock_mono_ns();
    uint64_t left_ms = env->due_ns > now ? (env->due_ns - now + 999999) / 1000000 : 0;
    sm_move(&env->sm, BUSY);
    check(env);
    struct runtime_event event =
        current_event(&env->call, left_ms, env->host->settings->stream_bytes);
    runtime_api_deliver(env->api, &event);
    journal_start(env->logs, env->fn,
                  current_id(&env->call)); /* after the event is on its way; what the function
                                              writes is read later */
}

/* Once the dead are gone: what still could connect would be taken for the new runtime. */
static void start_again(struct env *env)
{
    if (!env->cleared || start_runtime(env))
        return;
    struct outcome outcome = outcome_failure(S("Sandbox.Failure"), S("Internal failure"));
    end_call(env, &outcome);
    kill_env(env);
}

void env_run(struct env *env, struct invocation *inv)
{
    must(!env->call.inv);
    begin_call(env, inv);
    if (env->sm.state == FROZEN) {
        sandbox_freeze(env->sandbox, false);
        sm_move(&env->sm, READY);
    }
    if (env->sm.state == READY) {
        deliver(env);
        return;
    }
    sm_move(&env->sm, AGAIN);
    env->init_start_ns = env->call.start_ns;
    start_again(env);
}

static void on_next(void *arg)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    struct outcome outcome = env->call.outcome;
    struct outcome success = outcome_success();
    switch (env->sm.state) {
    case INIT:
        env->init_ns = clock_mono_ns() - env->init_start_ns;
        journal_cold(env->fn, sandbox_steps(env->sandbox), &env->started, env->init_ns);
        log_init(env, &success);
        if (env->host->settings->cpu_hard_quota)
            sandbox_tune(env->sandbox, &(struct launch_cpu){.quota_mb = env->fn->memory_mb});
        become_idle(env, READY);
        return;
    case AGAIN:
        log_init(env, &success);
        deliver(env);
        return;
    case BUSY:
        end_call(env, &outcome);
        become_idle(env, READY);
        return;
    default:
        return; /* a runtime that is being ended */
    }
}

static void on_stream(void *arg, struct slice content_type)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    must(env->sm.state == BUSY && env->call.inv);
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
        arm_ms(env, HALF_GRACE_MS);
}

/* It lives, so half an answer is all it gave. */
static void settle_half(struct env *env)
{
    struct outcome outcome = env->call.outcome;
    arm(env, env->call.start_ns + (uint64_t)env->fn->timeout_s * 1000000000);
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
    arm(env, grace < env->due_ns ? grace : env->due_ns);
}

/* ---- failures ---- */

/* The invocation that waited for this init gets what the runtime posted, or the platform's words.
 */
static void fail_again(struct env *env, const struct outcome *outcome)
{
    log_init(env, outcome);
    struct outcome quiet = *outcome;
    quiet.crash_line = false; /* INIT_REPORT has said it */
    current_fail(&env->call, outcome);
    if (env->init_error && outcome->status != REPORT_TIMEOUT) {
        buf_free(&env->call.inv->payload);
        env->call.inv->payload = env->init_error_body;
        env->init_error_body = (struct buf)BUF_INIT(RUNTIME_API_BODY_MAX);
        env->call.produced = env->call.inv->payload.n;
    }
    journal_start(env->logs, env->fn, current_id(&env->call));
    end_call(env, &quiet);
}

/* The runtime has exited, could not be started, or took too long. */
static void runtime_lost(struct env *env, const struct outcome *outcome)
{
    switch (env->sm.state) {
    case INIT:
        log_init(env, outcome);
        break_down(env);
        return;
    case AGAIN:
        fail_again(env, outcome);
        break_down(env);
        return;
    case BUSY:
        end_call(env, outcome);
        break_down(env);
        return;
    case FROZEN:
        sandbox_freeze(env->sandbox, false);
        sm_move(&env->sm, READY);
        break_down(env);
        return;
    case READY:
        break_down(env);
        return;
    default:
        return; /* expected */
    }
}

static void on_control(void *arg, const struct control_event *event)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    struct outcome outcome;
    if (event->run != env->run)
        return;
    switch ((enum control_what)event->what) {
    case CONTROL_STARTED:
        env->started = *event;
        break;
    case CONTROL_FAILED:
        outcome = journal_not_started(env->logs, &env->entrypoint, event);
        runtime_lost(env, &outcome);
        break;
    case CONTROL_EXITED:
        if (env->sm.state == AGAIN && !env->cleared)
            break; /* the one that break_down has ended */
        outcome = outcome_exit(event->status, env->out_of_memory);
        runtime_lost(env, &outcome);
        break;
    case CONTROL_PARKED:
    case CONTROL_CONNECTED:
        break;
    case CONTROL_CLEARED:
        env->cleared = true;
        if (env->sm.state == AGAIN)
            start_again(env);
        break;
    }
}

/* One process too many takes the whole environment down, as on Lambda; EXITED follows. */
static void on_oom(void *arg)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    if (env->sm.state < INIT || env->sm.state == BROKEN || env->sm.state == DEAD)
        return;
    env->out_of_memory = true;
    if (env->sm.state == FROZEN)
        sandbox_freeze(env->sandbox, false);
    sandbox_order(env->sandbox, CONTROL_KILL_ALL);
}

static void init_too_long(struct env *env)
{
    struct outcome outcome = outcome_timeout(env->fn->timeout_s);
    if (env->init_error) /* it said so itself, and does not exit */
        outcome = outcome_failure(slice_str(env->init_error_type), S("Runtime did not exit"));
    runtime_lost(env, &outcome);
}

static void on_timer(uv_timer_t *timer)
{
    struct env *env = CAST(env, timer->data, ENV_MAGIC);
    uint64_t now = clock_mono_ns();
    struct outcome outcome = outcome_timeout(env->fn->timeout_s);
    if (now < env->due_ns) {
        arm(env, env->due_ns);
        return;
    }
    switch (env->sm.state) {
    case SPAWN:
        err_set(&env->failure, FAULT_INTERNAL, "no answer from the launcher");
        kill_env(env);
        break;
    case INIT:
    case AGAIN:
        init_too_long(env);
        break;
    case BUSY:
        if (env->call.half && !env->call.answered)
            settle_half(env);
        else
            runtime_lost(env, &outcome);
        break;
    case READY:
        sandbox_freeze(env->sandbox, true);
        sm_move(&env->sm, FROZEN);
        arm(env, env->idle_since_ns + (uint64_t)env->host->settings->idle_life_ms * 1000000);
        break;
    default: /* idle for long enough */
        if (env->seat.provisioned)
            arm_ms(env, env->host->settings->idle_life_ms);
        else
            kill_env(env);
    }
}

/* ---- the sandbox ---- */

static void on_spawned(void *arg)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    if (env->sm.state != SPAWN)
        return;
    sm_move(&env->sm, INIT);
    env->endpoint =
        endpoint_open(env->host->loop, env->host->endpoint, sandbox_take_endpoint(env->sandbox));
    if (start_runtime(env))
        arm_ms(env, env->host->settings->init_timeout_ms);
    else
        kill_env(env);
}

static void bury(struct env *env, const struct err *why)
{
    struct outcome outcome = outcome_failure(S("Sandbox.Failure"), S("Environment was lost"));
    bool expected = env->sm.state == DEAD;
    if (!expected) {
        runtime_api_shut(env->api);
        uv_timer_stop(&env->timer);
    }
    if (env->call.inv) {
        logs_settle(env->logs);
        current_fail(&env->call, &outcome);
        hand_back(env);
    }
    if (!expected) {
        sm_move(&env->sm, DEAD);
        env->failure = *why;
    }
    env->host->on_dead(env, env->failure.fault == FAULT_NONE ? NULL : &env->failure);
}

static void on_refused(void *arg, const struct err *err)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    env->sandbox = NULL;
    bury(env, err);
}

static void on_gone(void *arg, const struct launch_reply *reply)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    struct err err;
    env->sandbox = NULL;
    err_set(&err, FAULT_INTERNAL, "sandbox ended on its own (oom=%u)", reply->oom);
    bury(env, &err);
}

static const struct sandbox_handler sandbox_handler = {
    .on_spawned = on_spawned,
    .on_refused = on_refused,
    .on_control = on_control,
    .on_oom = on_oom,
    .on_gone = on_gone,
};

static const struct runtime_api_owner api_owner = {
    .on_next = on_next,
    .on_stream = on_stream,
    .on_piece = on_piece,
    .on_answer = on_answer,
    .on_init_error = on_init_error,
};

struct env *env_new(const struct env_host *host, const struct function *fn, bool provisioned)
{
    static uint64_t last_id;
    struct env *env = NEW(env);
    env->magic = ENV_MAGIC;
    env->host = host;
    env->fn = function_ref(fn);
    env->seat.env = env;
    env->seat.provisioned = provisioned;
    list_init(&env->seat.idle);
    list_init(&env->seat.all);
    list_init(&env->seat.eldest);
    env->init_error_body = (struct buf)BUF_INIT(RUNTIME_API_BODY_MAX);
    env->api = runtime_api_new(host->loop, &api_owner, env);
    sm_init(&env->sm, env_states, "env", ++last_id);
    must(uv_timer_init(host->loop, &env->timer) == 0);
    env->timer.data = env;
    return env;
}

static void on_env_closed(uv_handle_t *handle)
{
    free(CAST(env, handle->data, ENV_MAGIC));
}

void env_free(struct env *env)
{
    if (!env)
        return;
    if (env->call.inv) {
        err_set(&env->call.inv->refused, FAULT_INTERNAL, "shutting down");
        current_finish(&env->call);
    }
    runtime_api_free(env->api);
    http_server_close(env->endpoint);
    logs_close(env->logs);
    buf_free(&env->init_error_body);
    list_remove(&env->seat.idle);
    list_remove(&env->seat.all);
    list_remove(&env->seat.eldest);
    function_unref(env->fn);
    uv_close((uv_handle_t *)&env->timer, on_env_closed);
}

/* One in which the runtime waits already, else a new one. */
static bool take_sandbox(struct env *env, const struct sandbox_spec *spec, struct err *err)
{
    struct parked_runtime parked;
    int ours[2];
    int theirs[2];
    if (parking_take(env->host->parking, spec, &parked)) {
        logs_attach(env->logs, env->host->loop, parked.fds);
        env->sandbox = parked.sandbox;
        env->run = 1; /* its boot was one */
        sandbox_assign(env->sandbox, spec, &sandbox_handler, env);
    } else {
        if (!logs_make_pipes(ours, theirs, err))
            return false;
        logs_attach(env->logs, env->host->loop, ours);
        env->sandbox = sandbox_spawn(env->host->launcher, spec, theirs, &sandbox_handler, env);
    }
    parking_want(env->host->parking, env->fn);
    return true;
}

bool env_start(struct env *env, struct err *err)
{
    AUTO(free) struct sandbox_spec *spec = NEW(sandbox_spec);
    env->logs = logs_open(env->host->logs, env->fn);
    const struct spec_context context = {.settings = env->host->settings,
                                         .runtimes = env->host->runtimes,
                                         .log_group = logs_group(env->logs),
                                         .log_stream = logs_stream(env->logs),
                                         .endpoint = env->host->endpoint->handler != NULL,
                                         .iam = env->host->settings->iam,
                                         .provisioned = env->seat.provisioned};
    if (!spec_fill(spec, &context, env->fn, &env->entrypoint, err) || !take_sandbox(env, spec, err))
        return err_add(err, "start environment of %.*s", FMT(env->fn->name));
    sm_move(&env->sm, SPAWN);
    arm_ms(env, SPAWN_TIMEOUT_MS);
    return true;
}

void env_retire(struct env *env)
{
    env->retiring = true;
    if (env->sm.state != BUSY && env->sm.state != AGAIN)
        kill_env(env);
}

struct env_seat *env_seat(struct env *env)
{
    return &env->seat;
}

const struct function *env_function(const struct env *env)
{
    return env->fn;
}

enum env_phase env_phase(const struct env *env)
{
    static const enum env_phase phases[] = {
        [NEW_] = ENV_STARTING, [SPAWN] = ENV_STARTING, [INIT] = ENV_STARTING,
        [READY] = ENV_WARM,    [FROZEN] = ENV_FROZEN,  [BROKEN] = ENV_BROKEN,
        [BUSY] = ENV_BUSY,     [AGAIN] = ENV_BUSY,     [DEAD] = ENV_DEAD,
    };
    return phases[env->sm.state];
}
