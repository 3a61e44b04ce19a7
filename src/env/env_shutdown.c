/* The end of what runs in a sandbox: at once, or with extensions that are told (dataplane.md 2.1).
 */
#include "env/env_inside.h"

#include "base/clock.h"

/* AWS: what all have together; of it the runtime has 30 % from SIGTERM to SIGKILL. Without
 * extensions there is nothing to wait for. */
enum { INTERNAL_BUDGET_MS = 500, EXTERNAL_BUDGET_MS = 2000, RUNTIME_SHARE_PERCENT = 30 };

static void finish(struct env *env)
{
    if (env->after == DEAD) {
        env_kill(env);
        return;
    }
    runtime_api_shut(env->api);
    extensions_clear(&env->extensions);
    logs_new_run(env->logs);
    telemetry_hang_up(env->telemetry);
    sandbox_order(env->sandbox, CONTROL_KILL_ALL); /* children may have outlived the runtime */
    env->runtime_lives = env->out_of_memory = env->cleared = false;
    env_become_idle(env, BROKEN);
}

static bool has_external(const struct extensions *extensions)
{
    return extensions->n && extensions->all[0]->external;
}

static void tell_extensions(struct env *env)
{
    struct extensions *extensions = &env->extensions;
    uint64_t now = clock_mono_ns();
    uint64_t left_ms = env->closing_until_ns > now ? (env->closing_until_ns - now) / 1000000 : 0;
    env->told = true;
    for (size_t i = 0; i < extensions->n; i++) {
        if (extensions->all[i]->alive && !(extensions->all[i]->events & EXTENSION_SHUTDOWN))
            sandbox_signal(env->sandbox, (uint32_t)i + 1, CONTROL_KILL);
    }
    env_arm(env, env->closing_until_ns);
    extensions_shutdown(extensions, env->shutdown_reason, clock_wall_ms() + left_ms);
    env_shutdown_goes_on(env);
}

static void begin(struct env *env, const char *reason, unsigned after)
{
    uint64_t budget_ms = has_external(&env->extensions) ? EXTERNAL_BUDGET_MS : INTERNAL_BUDGET_MS;
    uint64_t now = clock_mono_ns();
    env_leave_seat(env);
    runtime_api_mute(env->api);
    sm_move(&env->sm, CLOSING);
    env->after = after;
    env->shutdown_reason = reason;
    env->closing_until_ns = now + budget_ms * 1000000;
    env->told = false;
    telemetry_flush(env->telemetry);
    if (!env->runtime_lives) {
        tell_extensions(env);
        return;
    }
    sandbox_signal(env->sandbox, 0, CONTROL_TERM);
    env_arm(env, now + budget_ms * 1000000 * RUNTIME_SHARE_PERCENT / 100);
}

void env_shutdown_goes_on(struct env *env)
{
    if (!env->told && !env->runtime_lives)
        tell_extensions(env);
    else if (env->told && !extensions_alive(&env->extensions))
        finish(env);
}

void env_shutdown_timer(struct env *env)
{
    if (env->told) {
        finish(env);
        return;
    }
    sandbox_signal(env->sandbox, 0, CONTROL_KILL);
    tell_extensions(env);
}

void env_break_down(struct env *env, const char *reason)
{
    if (env->extensions.n) {
        begin(env, reason, BROKEN);
        return;
    }
    env->after = BROKEN;
    finish(env);
}

void env_end(struct env *env)
{
    unsigned state = env->sm.state;
    if (state == CLOSING) {
        env->after = DEAD;
        return;
    }
    bool runs = state == INIT || state == READY || state == FROZEN;
    if (!env->extensions.n || !runs) {
        env_kill(env);
        return;
    }
    if (state == FROZEN)
        env_thaw(env);
    begin(env, "spindown", DEAD);
}
