/* lambkin-init, pid 1 of a sandbox. Private to src/launch.
 *
 * It is executed from a sealed memfd with the launcher's own command line and these descriptors: */
#ifndef LK_INIT_H
#define LK_INIT_H

#include "base/err.h"
#include "launch/config.h"
#include "launch/proto.h"
#include "launch/tmp_image.h"

enum {
    INIT_FD_LAUNCHER = 3, /* SEQPACKET: init_hello up, init_assignment down; its end ends init */
    INIT_FD_CODE = 4,     /* DATA/code, to make sure that the path still leads there */
    INIT_FD_LOOP = 5,     /* keeps the device of /tmp alive until it is mounted, see INIT_TMP */
    INIT_FDS = 6,
    INIT_UNPACK_DIR_MAX = 32,
};

/* Its environment. */
#define INIT_ROOTLESS "LAMBKIN_ROOTLESS" /* the launcher is an ordinary user's */
#define INIT_ZYGOTE "LAMBKIN_ZYGOTE"     /* becomes one (zygote.h), with the first assignment */
#define INIT_TMP "LAMBKIN_TMP"           /* loop device with the /tmp that is usual */

/* init -> launcher, once: the sandbox is prepared (with the listeners and the pid namespace as
 * descriptors) or is not. */
struct init_hello {
    int32_t os; /* 0 = prepared */
    uint32_t prepare_us;
    char text[160];
};

/* launcher -> init, once; twice for a PARKED one, the second time with the loop device at most.
 * fds: control socket, output pipe, telemetry pipe or zips, channel to the fork of a zygote, loop
 * device; the last two may be missing. */
struct init_assignment {
    uint32_t
        host_uid; /* what 1000 inside is outside; 0 inside the outer user namespace if rootless */
    char tmp[TMP_PATH_MAX]; /* loop device; "" = the /tmp that is there already, or a tmpfs */
    bool forked;            /* the payload is a zygote's fork: its channel comes along */
    bool tmp_in_memory;     /* a tmpfs in any case */
    char unpack_dir[INIT_UNPACK_DIR_MAX]; /* UNPACK: name in code/ that becomes /var/task, writable
                                           */
    struct sandbox_spec spec;
};

/* mount.c: the file system. */
struct init_root {
    int proc; /* a second, detached procfs: the visible one is read-only (sandbox.md section 4) */
    int code; /* DATA/code in our own mount namespace */
    bool has_tmp;
    bool parked;
    bool zygote;
    const char *at; /* where the new root is, as long as it is not the root */
};
bool mount_prepare(struct init_root *root, const struct launch_config *config, const char *tmp,
                   struct err *err) MUST_USE; /* tmp: loop device or NULL */
/* What the spec asks for. PARKED ones keep DATA/code in sight until they are assigned. */
bool mount_assigned(struct init_root *root, const struct launch_config *config,
                    const struct init_assignment *assignment, struct err *err) MUST_USE;

/* net.c: loopback with both addresses, and the listeners of the Runtime API and of the AWS
 * endpoint. Init ends if it fails. */
enum { INIT_LISTENERS = 2, INIT_HELLO_FDS };
bool net_prepare(int listeners[INIT_LISTENERS], struct err *err) MUST_USE;
/* A socket that is being connected, for whoever is not in this network. -1: *os says why. */
int net_connect(uint16_t port, int *os) MUST_USE;

/* interpreter.c: executes what forks the runtimes of others. pids: its own pid namespace. */
_Noreturn void interpreter_start(const struct init_assignment *assignment, const int fds[3],
                                 int pids);

/* payload.c: the runtime. */
struct payload {
    const struct init_assignment *assignment;
    int proc;  /* detached procfs */
    int out;   /* becomes 1 and 2 */
    int extra; /* telemetry pipe (fd 62) or zips (fd 3); -1 = none */
    bool rootless;
    pid_t pid;  /* state: 0 = none */
    int zygote; /* channel to its fork, until it has started once; -1 = it has none */
    int parked; /* its socket, until it has its variables; -1 = none */
    struct payload_fork {
        enum control_fork how;
        int os;
        char step[32];
    } fork; /* of the last start */
};
/* What else runs beside it. */
struct payload_extension {
    const char *path;
    int out; /* becomes 1 and 2 */
};
/* Starts an extension as the payload is started: same user, same limits, a group of its own. */
pid_t payload_start_extension(const struct payload *payload,
                              const struct payload_extension *extension, const char **step,
                              int *os) MUST_USE; /* -1: failed */
/* Starts it and waits until execve has happened. On failure *step names the step. */
bool payload_start(struct payload *payload, const char **step, int *os) MUST_USE;
/* Puts the variables of the assignment where /proc/PID/environ shows them; of a parked one that
 * waits.
 */
void payload_show_variables(const struct payload *payload);
/* Gives a parked one the variables of the assignment. False: it is dead, or as good as. */
bool payload_hand_over(struct payload *payload) MUST_USE;

#endif
