#include "env/env_inside.h"

#include "base/clock.h"
#include "env/journal.h"
#include "env/parking.h"

#include <stdio.h>

void env_log_init(struct env *env, const struct outcome *outcome)
{
    journal_extensions(env->logs, &env->extensions);
    journal_init_end(env->logs,
                     &(struct journal_init){env->fn, env->sm.state == AGAIN, env->seat.provisioned},
                     clock_mono_ns() - env->init_start_ns, outcome);
}

/* The invocation that waited for this init gets what the runtime posted, or the platform's words.
 */
static void fail_again(struct env *env, const struct outcome *outcome)
{
    env_log_init(env, outcome);
    struct outcome quiet = *outcome;
    quiet.crash_line = false; /* INIT_REPORT has said it */
    current_fail(&env->call, outcome);
    if (env->init_error && outcome->status != REPORT_TIMEOUT) {
        buf_free(&env->call.inv->payload);
        env->call.inv->payload = env->init_error_body;
        env->init_error_body = (struct buf)BUF_INIT(RUNTIME_API_BODY_MAX);
        env->call.produced = env->call.inv->payload.n;
    }
    journal_start(env->logs, env->fn, current_id(&env->call), current_trace(&env->call));
    env_end_call(env, &quiet);
}

/* The runtime has exited, could not be started, or took too long. */
void env_runtime_lost(struct env *env, const struct outcome *outcome)
{
    const char *reason = outcome->status == REPORT_TIMEOUT ? "timeout" : "failure";
    switch (env->sm.state) {
    case INIT:
        env_log_init(env, outcome);
        env_break_down(env, reason);
        return;
    case AGAIN:
        fail_again(env, outcome);
        env_break_down(env, reason);
        return;
    case BUSY:
        env_end_call(env, outcome);
        env_break_down(env, reason);
        return;
    case FROZEN:
        env_thaw(env);
        env_break_down(env, reason);
        return;
    case READY:
        env_break_down(env, reason);
        return;
    default:
        return; /* expected */
    }
}

/* One that break_down has ended, or that waited parked and was not started yet, is no loss. An
 * extension that reported an error before is the cause. */
static void on_runtime_end(struct env *env, struct outcome *outcome)
{
    const char *fatal = env->extensions.fatal;
    if (!env->runtime_lives)
        return;
    env->runtime_lives = false;
    if (fatal && !env->out_of_memory)
        snprintf(outcome->type, sizeof outcome->type, "%s", fatal);
    if (env->sm.state == CLOSING)
        env_shutdown_goes_on(env);
    else
        env_runtime_lost(env, outcome);
}

void env_on_control(void *arg, const struct control_event *event)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    struct outcome outcome;
    if (event->run != env->run)
        return;
    if (event->process) {
        env_on_extension(env, event);
        return;
    }
    switch ((enum control_what)event->what) {
    case CONTROL_STARTED:
        env->started = *event;
        parking_forked(env->host->parking, env->zygote, event);
        break;
    case CONTROL_FAILED:
        outcome = journal_not_started(env->logs, &env->entrypoint, event);
        on_runtime_end(env, &outcome);
        break;
    case CONTROL_EXITED:
        outcome = outcome_exit(event->status, env->out_of_memory);
        on_runtime_end(env, &outcome);
        break;
    case CONTROL_PARKED:
    case CONTROL_CONNECTED:
        break;
    case CONTROL_CLEARED:
        env->cleared = true;
        if (env->sm.state == AGAIN)
            env_start_again(env);
        break;
    }
}

/* One process too many takes the whole environment down, as on Lambda; EXITED follows. */
void env_on_oom(void *arg)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    if (env->sm.state < INIT || env->sm.state == BROKEN || env->sm.state >= CLOSING)
        return;
    env->out_of_memory = true;
    if (env->sm.state == FROZEN)
        sandbox_freeze(env->sandbox, false);
    sandbox_order(env->sandbox, CONTROL_KILL_ALL);
}
