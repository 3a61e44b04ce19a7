#include "env/env_inside.h"

#include "base/clock.h"
#include "base/mem.h"
#include "env/endpoint.h"
#include "env/extension_files.h"
#include "env/journal.h"
#include "env/parking.h"

const struct sm_state env_states[] = {
    [NEW_] = {"new", SM_TO(SPAWN) | SM_TO(DEAD)},
    [SPAWN] = {"spawn", SM_TO(INIT) | SM_TO(DEAD)},
    [INIT] = {"init", SM_TO(READY) | SM_TO(BROKEN) | SM_TO(CLOSING) | SM_TO(DEAD)},
    [READY] = {"ready", SM_TO(BUSY) | SM_TO(FROZEN) | SM_TO(BROKEN) | SM_TO(CLOSING) | SM_TO(DEAD)},
    [FROZEN] = {"frozen", SM_TO(READY) | SM_TO(DEAD)},
    [BUSY] = {"busy", SM_TO(READY) | SM_TO(BROKEN) | SM_TO(CLOSING) | SM_TO(DEAD)},
    [BROKEN] = {"broken", SM_TO(AGAIN) | SM_TO(DEAD)},
    [AGAIN] = {"again", SM_TO(BUSY) | SM_TO(BROKEN) | SM_TO(CLOSING) | SM_TO(DEAD)},
    [CLOSING] = {"closing", SM_TO(BROKEN) | SM_TO(DEAD)},
    [DEAD] = {"dead", 0},
    {NULL, 0},
};

void env_check(const struct env *env)
{
    unsigned state = env->sm.state;
    must(ERGO(env->call.inv, state == BUSY || state == AGAIN));
    must(ERGO(state == BUSY && !env->call.answered, env->call.inv));
    must(ERGO(state >= INIT && state <= CLOSING, env->sandbox));
}

enum { SPAWN_TIMEOUT_MS = 60 * 1000 };

/* ---- time ---- */

static void on_timer(uv_timer_t *timer);

/* Rounded up, as libuv's clock counts whole milliseconds and stands still during a turn. */
void env_arm(struct env *env, uint64_t due_ns)
{
    uint64_t now = clock_mono_ns();
    uint64_t ms = due_ns > now ? (due_ns - now + 999999) / 1000000 : 0;
    env->due_ns = due_ns;
    uv_timer_start(&env->timer, on_timer, ms, 0);
}

void env_arm_ms(struct env *env, uint64_t ms)
{
    env_arm(env, clock_mono_ns() + ms * 1000000);
}

/* ---- ends and beginnings ---- */

void env_leave_seat(struct env *env)
{
    list_remove(&env->seat.eldest);
    list_remove(&env->seat.idle);
}

void env_kill(struct env *env)
{
    if (env->sm.state == DEAD)
        return;
    uv_timer_stop(&env->timer);
    env_leave_seat(env);
    runtime_api_shut(env->api);
    telemetry_hang_up(env->telemetry);
    sm_move(&env->sm, DEAD);
    sandbox_kill(env->sandbox);
}

/* Free for the pool, which may hand over an invocation before this returns. */
void env_become_idle(struct env *env, unsigned state)
{
    const struct env_settings *settings = env->host->settings;
    sm_move(&env->sm, state);
    env_check(env);
    if (env->retiring) {
        env_end(env);
        return;
    }
    env->flushing = false;
    env->idle_since_ns = clock_mono_ns();
    env_arm_ms(env, state == READY ? settings->freeze_delay_ms : settings->idle_life_ms);
    env->host->on_idle(env);
}

bool env_start_runtime(struct env *env)
{
    if (!runtime_api_open(env->api, sandbox_listener(env->sandbox), &env->failure))
        return false;
    env->init_error = false;
    env->out_of_memory = false;
    buf_free(&env->init_error_body);
    env->init_start_ns = clock_mono_ns();
    telemetry_init_begin(env->telemetry);
    journal_init_start(
        env->logs, &(struct journal_init){env->fn, env->sm.state == AGAIN, env->seat.provisioned});
    if (env->sm.state == INIT && env->entrypoint.nearest)
        journal_nearest(env->logs, env->fn, slice_str(env->entrypoint.interpreter));
    return env_start_processes(env, &env->failure);
}

static void init_too_long(struct env *env)
{
    struct outcome outcome = outcome_timeout(env->fn->timeout_s);
    if (env->init_error) /* it said so itself, and does not exit */
        outcome = outcome_failure(slice_str(env->init_error_type), S("Runtime did not exit"));
    env_runtime_lost(env, &outcome);
}

static void on_timer(uv_timer_t *timer)
{
    struct env *env = CAST(env, timer->data, ENV_MAGIC);
    uint64_t now = clock_mono_ns();
    struct outcome outcome = outcome_timeout(env->fn->timeout_s);
    if (now < env->due_ns) {
        env_arm(env, env->due_ns);
        return;
    }
    switch (env->sm.state) {
    case SPAWN:
        err_set(&env->failure, FAULT_INTERNAL, "no answer from the launcher");
        env_kill(env);
        break;
    case INIT:
    case AGAIN:
        init_too_long(env);
        break;
    case BUSY:
        if (env->call.half && !env->call.answered)
            env_settle_half(env);
        else
            env_runtime_lost(env, &outcome);
        break;
    case READY:
        if (env_flush(env))
            break;
        env_freeze(env);
        env_arm(env, env->idle_since_ns + (uint64_t)env->host->settings->idle_life_ms * 1000000);
        break;
    case CLOSING:
        env_shutdown_timer(env);
        break;
    default: /* idle for long enough */
        if (env->seat.provisioned)
            env_arm_ms(env, env->host->settings->idle_life_ms);
        else
            env_end(env);
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
    env_arm_ms(env, env->host->settings->init_timeout_ms);
    if (!env_start_runtime(env))
        env_kill(env);
}

static void bury(struct env *env, const struct err *why)
{
    struct outcome outcome = outcome_failure(S("Sandbox.Failure"), S("Environment was lost"));
    bool expected = env->sm.state == DEAD;
    if (!expected) {
        runtime_api_shut(env->api);
        telemetry_hang_up(env->telemetry);
        uv_timer_stop(&env->timer);
    }
    if (env->call.inv) {
        logs_settle(env->logs);
        current_fail(&env->call, &outcome);
        env_hand_back(env);
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
    .on_control = env_on_control,
    .on_connected = env_on_connected,
    .on_oom = env_on_oom,
    .on_gone = on_gone,
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
    env->api = runtime_api_new(host->loop, &env->extensions, &env_api_owner, env);
    extensions_init(&env->extensions, fn, env_on_moved, env);
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
    extensions_clear(&env->extensions);
    free(env->extension_files);
    http_server_close(env->endpoint);
    logs_close(env->logs);
    telemetry_free(env->telemetry); /* the logs' last words went there */
    buf_free(&env->init_error_body);
    list_remove(&env->seat.idle);
    list_remove(&env->seat.all);
    list_remove(&env->seat.eldest);
    function_unref(env->fn);
    uv_close((uv_handle_t *)&env->timer, on_env_closed);
}

/* One in which the runtime waits already, else a new one, whose runtime is forked if it can be. */
static bool take_sandbox(struct env *env, struct sandbox_spec *spec, struct err *err)
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
        spec->zygote = env->zygote = parking_zygote(env->host->parking, spec);
        env->sandbox = sandbox_spawn(env->host->launcher, spec, theirs, &sandbox_handler, env);
    }
    parking_want(env->host->parking, env->fn);
    return true;
}

bool env_start(struct env *env, struct err *err)
{
    AUTO(free) struct sandbox_spec *spec = NEW(sandbox_spec);
    env->logs = logs_open(env->host->logs, env->fn);
    env->telemetry = telemetry_new(env->host->loop, logs_style(env->logs)->form == REPORT_JSON,
                                   env_connect, env);
    logs_listen(env->logs, env->telemetry);
    const struct spec_context context = {.settings = env->host->settings,
                                         .runtimes = env->host->runtimes,
                                         .log_group = logs_group(env->logs),
                                         .log_stream = logs_stream(env->logs),
                                         .endpoint = env->host->endpoint->handler != NULL,
                                         .iam = env->host->settings->iam,
                                         .provisioned = env->seat.provisioned};
    if (!spec_fill(spec, &context, env->fn, &env->entrypoint, err) || !take_sandbox(env, spec, err))
        return err_add(err, "start environment of %.*s", FMT(env->fn->name));
    env->extension_files = extension_files_find(env->host->settings->data_dir, spec);
    sm_move(&env->sm, SPAWN);
    env_arm_ms(env, SPAWN_TIMEOUT_MS);
    return true;
}

void env_retire(struct env *env)
{
    env->retiring = true;
    if (env->sm.state != BUSY && env->sm.state != AGAIN)
        env_end(env);
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
        [NEW_] = ENV_STARTING, [SPAWN] = ENV_STARTING, [INIT] = ENV_STARTING, [READY] = ENV_WARM,
        [FROZEN] = ENV_FROZEN, [BROKEN] = ENV_BROKEN,  [BUSY] = ENV_BUSY,     [AGAIN] = ENV_BUSY,
        [DEAD] = ENV_DEAD,     [CLOSING] = ENV_BUSY,
    };
    if (env->sm.state == CLOSING && env->after == DEAD)
        return ENV_DEAD;
    return phases[env->sm.state];
}
