/* One execution environment: a sandbox, the runtime in it, and the invocation it is running. */
#ifndef LK_ENV_H
#define LK_ENV_H

#include "base/list.h"
#include "base/sm.h"
#include "env/pool.h"

struct env;
struct launcher;
struct logs;
struct parking;
struct runtimes;
struct slot;

/* What all environments share, and who hears of them. Callbacks come from the loop. */
struct env_host {
    uv_loop_t *loop;
    struct launcher *launcher;
    struct log_store *logs;
    const struct env_settings *settings;
    const struct runtimes *runtimes;
    struct parking *parking;
    const struct env_endpoint *endpoint; /* handler NULL: functions reach nothing */

    void (*on_idle)(struct env *env); /* may be given an invocation; it may have changed how well */
    void (*on_dead)(struct env *env,
                    const struct err *why); /* to be freed; why NULL: was asked to */
};

/* The pool's place in each environment. */
struct env_seat {
    struct list idle; /* in its slot's idle list, or alone */
    struct list all;
    struct list eldest; /* in the pool's list of idle ones, or alone */
    bool starting;      /* counted as such */
    bool provisioned;   /* made ahead, and kept however long it is idle */
    struct slot *slot;
    struct env *env;
};

struct env *env_new(const struct env_host *host, const struct function *fn, bool provisioned);
void env_free(struct env *env); /* NULL is fine; its invocation is refused, no callback comes */

/* on_idle or on_dead follows, never before this returned. False: nothing was started. */
bool env_start(struct env *env, struct err *err) MUST_USE;

/* Only while idle, that is from on_idle on to the next env_run(). */
void env_run(struct env *env, struct invocation *inv);

/* Ends it: at once if idle or starting, else after its invocation. on_dead follows. */
void env_retire(struct env *env);

struct env_seat *env_seat(struct env *env);
const struct function *env_function(const struct env *env);
enum env_phase {
    ENV_STARTING, /* no invocation yet */
    ENV_WARM,     /* idle, as the next two; its runtime waits */
    ENV_FROZEN,   /* it waits and uses no CPU */
    ENV_BROKEN,   /* an init is needed before the next event */
    ENV_BUSY,     /* has an invocation, or finishes one that is answered */
    ENV_DEAD,     /* being ended */
};

enum env_phase env_phase(const struct env *env);

extern const struct sm_state env_states[]; /* docs/states/env.md; the last has no name */

#endif
