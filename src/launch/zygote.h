/* Zygotes: an interpreter that has booted ahead of all functions and forks the runtimes of
 * sandboxes. Only root has them: to join a sandbox takes privilege.
 *
 * A zygote is a child of the launcher, in its pid namespace and otherwise in a sandbox of its own:
 * of the file system it sees /usr and the runtime's folder, nothing of any function, no /proc, no
 * network. It keeps the capabilities to join namespaces, so that it must run nothing but what the
 * host's administrator has installed: zygote_check. Its fork(2) is that of a library (fork.c)
 * which the launcher has preloaded; it returns in processes that stand in a function's sandbox,
 * with all that an ordinary start leaves a runtime, and never in the zygote.
 *
 *     daemon --SPAWN ZYGOTE--> launcher           zygote --control_event PARKED--> daemon
 *     daemon --SPAWN, spec.zygote--> launcher --zygote_order--> zygote: forks
 *     launcher --init_assignment--> init --sandbox_spec--> the fork: joins, init maps its ids
 *
 * What all forks of one zygote share is what its boot has drawn: the layout of its memory and the
 * seed of the interpreter's string hashes. Private to src/launch. */
#ifndef LK_ZYGOTE_H
#define LK_ZYGOTE_H

#include "base/err.h"
#include "launch/proto.h"

#include <stdbool.h>

/* In the zygote's environment: its client forks once it has booted. */
#define ZYGOTE_MARK "_LAMBKIN_ZYGOTE"
#define ZYGOTE_FOLDER "/mnt" /* where it sees libexec */
#define ZYGOTE_LIBRARY "lambkin-fork.so"

/* The zygote's descriptors; none of its forks keeps them. */
enum {
    ZYGOTE_FD_ORDERS = 3,  /* from the launcher: zygote_order; its end is the zygote's */
    ZYGOTE_FD_CONTROL = 4, /* to the daemon: control_event */
    ZYGOTE_FD_PIDS = 5,    /* its own pid namespace */
};

/* One fork. fds: the sandbox's pid namespace, the channel from its init, cgroup.procs of each
 * hierarchy. */
struct zygote_order {
    uint32_t magic; /* LAUNCH_MAGIC */
};

/* What init sends to the fork along with the spec, in this order; the last may be missing. */
enum {
    JOIN_NETWORK,
    JOIN_IPC,
    JOIN_NAMES,
    JOIN_CGROUP,
    JOIN_MOUNTS,
    JOIN_PROC,   /* see struct confinement */
    JOIN_GO,     /* a byte comes when the ids are mapped */
    JOIN_REPORT, /* its pid, then nothing, or a confine_report */
    JOIN_PARKED,
    JOIN_OUT,
    JOIN_EXTRA,
    JOIN_FDS,
};

/* Is this one of the interpreters, as its runtime starts it, with no variables but those that each
 * function has, and their values? The daemon asks for it, and is not to be trusted with more. */
bool zygote_check(const struct sandbox_spec *spec, struct err *err) MUST_USE;

#endif
