/* The daemon's side of the launcher's protocol: one connection to the launcher, one struct sandbox
 * for each sandbox alive. */
#ifndef LK_SANDBOX_H
#define LK_SANDBOX_H

#include "base/err.h"
#include "base/slice.h"
#include "launch/proto.h"

#include <uv.h>

struct launcher;
struct sandbox;

/* Callbacks come from the loop. After on_refused or on_gone the sandbox is no more. */
struct sandbox_handler {
    void (*on_spawned)(void *arg);
    void (*on_refused)(void *arg, const struct err *err);
    void (*on_control)(void *arg, const struct control_event *event);
    /* What sandbox_connect() came to; the socket is the handler's, -1: there is none. NULL: fine.
     */
    void (*on_connected)(void *arg, uint32_t ticket, int fd);
    void (*on_oom)(void *arg); /* the kernel killed, or is about to kill, for lack of memory */
    void (*on_gone)(void *arg, const struct launch_reply *reply);
};

typedef void launcher_done(void *arg, const struct err *err); /* err NULL: done */

/* The descriptor becomes the launcher's. */
struct launcher *launcher_new(uv_loop_t *loop, int fd, struct err *err);
void launcher_free(struct launcher *launcher); /* no callback comes any more; NULL is fine */

/* What this host can do; all zero until the launcher's first packet. */
const struct launch_facts *launcher_facts(const struct launcher *launcher);

/* Asks for a sandbox; fds become the sandbox's, whatever happens. */
struct sandbox *sandbox_spawn(struct launcher *launcher, const struct sandbox_spec *spec,
                              const int fds[2], const struct sandbox_handler *handler, void *arg);
/* Makes a parked sandbox (LAUNCH_PARKED, spawned) that of `spec`. From here on this handler hears,
 * first on_spawned, or on_gone if it could not be. */
void sandbox_assign(struct sandbox *sandbox, const struct sandbox_spec *spec,
                    const struct sandbox_handler *handler, void *arg);
/* What a spec's `zygote` says. */
uint64_t sandbox_id(const struct sandbox *sandbox);
void launcher_forget_code(struct launcher *launcher, const char *digest);

/* From here on only after on_spawned. */
int sandbox_listener(const struct sandbox *sandbox); /* of the Runtime API; the sandbox's */
/* The listener of the AWS endpoint inside; the caller's from here on. -1: there is none. */
int sandbox_take_endpoint(struct sandbox *sandbox);
void sandbox_order(struct sandbox *sandbox, enum control_op op);
void sandbox_signal(struct sandbox *sandbox, uint32_t process, enum control_op op); /* TERM, KILL */
/* `out` becomes its stdout and stderr; it stays the caller's. */
void sandbox_start_extension(struct sandbox *sandbox, uint32_t process, struct slice name, int out);
/* Opens a connection to a port inside: on_connected follows. The socket may still be connecting. */
void sandbox_connect(struct sandbox *sandbox, uint32_t ticket, uint16_t port);
void sandbox_tune(struct sandbox *sandbox, const struct launch_cpu *cpu);
void sandbox_freeze(struct sandbox *sandbox, bool on);
/* Most bytes of memory used so far, at most 50 ms old; 0 = unknown. */
uint64_t sandbox_peak(struct sandbox *sandbox, uint64_t now_ns);
const uint32_t *sandbox_steps(const struct sandbox *sandbox); /* microseconds; launch_step */

/* Ends it; on_gone follows. Twice is harmless. */
void sandbox_kill(struct sandbox *sandbox);

#endif
