/* The inside of an environment, for the files env*.c alone: env.c has its life from the sandbox to
 * its end, env_call.c its invocations, env_extensions.c those who
 * start before and beside the runtime, env_telemetry.c those who listen, env_fail.c what goes
 * wrong, env_shutdown.c how processes end. */
#ifndef LK_ENV_INSIDE_H
#define LK_ENV_INSIDE_H

#include "env/current.h"
#include "env/env.h"
#include "env/extensions.h"
#include "env/logs.h"
#include "env/runtime_api.h"
#include "env/sandbox.h"
#include "env/spec.h"
#include "env/telemetry.h"

enum { ENV_MAGIC = 0x454e5630 };

enum { NEW_, SPAWN, INIT, READY, FROZEN, BUSY, BROKEN, AGAIN, CLOSING, DEAD };

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
 * init, AGAIN, under the function's own timeout (a "suppressed init", dataplane.md 2.2). CLOSING:
 * between any of those in which processes run and BROKEN or DEAD, if there are extensions: they are
 * told. DEAD: the sandbox is being ended. */
struct env {
    uint32_t magic;
    const struct env_host *host; /* configuration */
    const struct function *fn;   /* a reference */
    struct env_seat seat;        /* the pool's */
    struct sm sm;                /* state from here on */
    struct sandbox *sandbox;     /* NULL before SPAWN and once it is gone */
    uint64_t zygote;             /* asked to fork the first runtime; 0 = none */
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

    struct extension_files *extension_files; /* external ones to start; NULL: none */
    struct extensions extensions;            /* those of this run */
    bool runtime_lives;                      /* its start was ordered, its end not seen */
    bool runtime_waits;                      /* it is in next */
    unsigned after;                          /* CLOSING: BROKEN or DEAD */
    const char *shutdown_reason;
    uint64_t closing_until_ns;
    bool told; /* CLOSING: the runtime is gone, the extensions have been told */

    struct telemetry *telemetry;
    bool flushing; /* READY: what subscribers are owed is on its way, freezing waits for it */

    struct current call;
};

void env_check(const struct env *env); /* that its parts agree */

/* env.c. The timer is one, and goes by clock_mono_ns. */
void env_arm(struct env *env, uint64_t due_ns);
void env_arm_ms(struct env *env, uint64_t ms);
bool env_start_runtime(struct env *env) MUST_USE; /* an init begins */
/* Free for the pool, which may hand over an invocation before this returns. */
void env_become_idle(struct env *env, unsigned state);
void env_leave_seat(struct env *env); /* nobody may be given it any more */
void env_kill(struct env *env);

/* env_shutdown.c. `reason` is the extensions' shutdownReason. */
/* No runtime lives in the sandbox any more, or none shall: BROKEN, sooner or later. */
void env_break_down(struct env *env, const char *reason);
void env_end(struct env *env);              /* DEAD, sooner or later: it is idle, or starts */
void env_shutdown_goes_on(struct env *env); /* CLOSING: a process has ended */
void env_shutdown_timer(struct env *env);

/* env_extensions.c. The processes of an init, in their order; what extensions did. */
bool env_start_processes(struct env *env, struct err *err) MUST_USE;
void env_on_moved(void *arg);
void env_on_extension(struct env *env, const struct control_event *event);

/* env_telemetry.c. What subscribers ask and are told. */
bool env_flush(struct env *env); /* false: there is nothing to wait for */
void env_freeze(struct env *env);
void env_thaw(struct env *env); /* READY again */
void env_on_subscription(void *arg, struct http_request *req, enum api_route route);
void env_on_connected(void *arg, uint32_t ticket, int fd);
void env_connect(void *arg, uint32_t ticket, uint16_t port);

/* env_call.c */
/* Goes on once the runtime and all extensions wait in next. */
void env_settle(struct env *env);
extern const struct runtime_api_owner env_api_owner;
/* START to REPORT are written, the answer is out: nothing of the invocation is left. */
void env_end_call(struct env *env, const struct outcome *outcome);
void env_hand_back(struct env *env); /* with the tail of the log, if it is still ours */
/* Once the dead are gone: what still could connect would be taken for the new runtime. */
void env_start_again(struct env *env);
/* Half an answer is all that the runtime gave, and it lives. */
void env_settle_half(struct env *env);

/* env_fail.c */
void env_log_init(struct env *env, const struct outcome *outcome);
/* The runtime has exited, could not be started, or took too long. */
void env_runtime_lost(struct env *env, const struct outcome *outcome);
void env_on_control(void *arg, const struct control_event *event);
void env_on_oom(void *arg);

#endif
