/* An init with extensions: external ones first, the runtime once they have registered (dataplane.md
 * 2.1). Processes of the sandbox are numbered: the runtime is 0, all[i] of the extensions i + 1. */
#include "env/env_inside.h"

#include "env/extension_files.h"

static void start_runtime(struct env *env)
{
    env->runtime_lives = true;
    sandbox_order(env->sandbox, CONTROL_START);
}

static void start_extension(struct env *env, const char *name, int out)
{
    struct extension *extension = extensions_add(&env->extensions, slice_str(name));
    extension->external = extension->alive = true;
    sandbox_start_extension(env->sandbox, (uint32_t)env->extensions.n, slice_str(name), out);
}

static void refuse_too_many(struct env *env)
{
    struct outcome outcome =
        outcome_failure(S("Extension.LaunchError"), S("Extension limit (10) reached"));
    outcome.crash_line = true;
    env_runtime_lost(env, &outcome);
}

bool env_start_processes(struct env *env, struct err *err)
{
    const struct extension_files *files = env->extension_files;
    env->extensions.open = true;
    env->runtime_lives = env->runtime_waits = false;
    if (files && files->n > EXTENSIONS_MAX) {
        refuse_too_many(env);
        return true;
    }
    env->run++; /* as init counts: with the first process */
    if (!files) {
        start_runtime(env);
        return true;
    }
    int out = logs_extensions_out(env->logs, env->host->loop, err);
    for (size_t i = 0; i < files->n && out >= 0; i++)
        start_extension(env, files->names[i], out);
    return out >= 0;
}

void env_on_moved(void *arg)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    bool starts = env->sm.state == INIT || env->sm.state == AGAIN;
    if (!starts || env->runtime_lives)
        env_settle(env);
    else if (extensions_registered(&env->extensions))
        start_runtime(env);
}

static void on_exit(struct env *env, struct extension *extension, int status)
{
    const struct extensions *extensions = &env->extensions;
    struct outcome outcome = outcome_extension_exit(status, extensions->fatal);
    if (env->out_of_memory) /* everything was killed, whoever is told of first */
        outcome = outcome_exit(status, true);
    extension_ended(&env->extensions, extension, status);
    if (env->sm.state == CLOSING)
        env_shutdown_goes_on(env);
    else
        env_runtime_lost(env, &outcome);
}

static void on_failed(struct env *env, struct extension *extension,
                      const struct control_event *event)
{
    struct outcome outcome =
        outcome_extension_not_started(event->os, slice_str(event->step), extension->name);
    extension_not_started(extension, event->os);
    if (env->sm.state == CLOSING)
        env_shutdown_goes_on(env);
    else
        env_runtime_lost(env, &outcome);
}

void env_on_extension(struct env *env, const struct control_event *event)
{
    size_t i = event->process - 1;
    if (i >= env->extensions.n || !env->extensions.all[i]->alive)
        return; /* of an earlier init */
    if (event->what == CONTROL_EXITED)
        on_exit(env, env->extensions.all[i], event->status);
    else if (event->what == CONTROL_FAILED)
        on_failed(env, env->extensions.all[i], event);
}
