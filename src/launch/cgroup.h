/* Control groups of the sandboxes: one directory per slot in each hierarchy that is there.
 * v1 controllers, the v2 tree and mixtures of both are found in /proc/self/mountinfo. */
#ifndef LK_CGROUP_H
#define LK_CGROUP_H

#include "base/err.h"
#include "launch/config.h"

enum cgroup_role { CGROUP_MEMORY, CGROUP_CPU, CGROUP_PIDS, CGROUP_FREEZE, CGROUP_ROLES };

struct cgroups {
    enum launch_cgroup mode;
    /* Our parent directory for each role, -1 where there is none. Roles of one hierarchy share it.
     */
    int parent[CGROUP_ROLES];
    bool v2[CGROUP_ROLES];
};

struct cgroup_limits {
    uint64_t memory;
    uint32_t pids;
    struct launch_cpu cpu;
};

struct cgroup_stats {
    uint64_t peak;
    uint32_t oom_kills;
};

/* Finds and makes our parent directories and ends what an earlier run left in them. Never fails:
 * what this host does not give is -1. */
void cgroups_open(struct cgroups *cgroups, const struct launch_config *config);
void cgroups_close(struct cgroups *cgroups, const struct launch_config *config);

bool cgroup_create(const struct cgroups *cgroups, unsigned slot, struct err *err) MUST_USE;
enum { CGROUP_PROCS_MAX = CGROUP_ROLES };
/* cgroup.procs of each of the slot's groups, for somebody else to enter them; returns how many.
 * False: one cannot be opened, and none is. */
bool cgroup_procs_fds(const struct cgroups *cgroups, unsigned slot, int fds[CGROUP_PROCS_MAX],
                      size_t *count) MUST_USE;
/* The calling process enters all of the slot's groups. */
bool cgroup_enter(const struct cgroups *cgroups, unsigned slot) MUST_USE;
bool cgroup_limit(const struct cgroups *cgroups, unsigned slot, const struct cgroup_limits *limits,
                  struct err *err) MUST_USE;
bool cgroup_tune(const struct cgroups *cgroups, unsigned slot, const struct launch_cpu *cpu,
                 struct err *err) MUST_USE;

/* Descriptors for the daemon; -1 where the host has none. */
int cgroup_peak_fd(const struct cgroups *cgroups, unsigned slot);
int cgroup_oom_fd(const struct cgroups *cgroups, unsigned slot);
int cgroup_freeze_fd(const struct cgroups *cgroups, unsigned slot);

struct cgroup_stats cgroup_stats(const struct cgroups *cgroups, unsigned slot);
/* Is there a v1 hierarchy, into which a process has to move? Else it is born in its group. */
bool cgroups_move(const struct cgroups *cgroups);
int cgroups_procs_fd(
    const struct cgroups *cgroups); /* of our own v1 group, above all slots; or -1 */
int cgroup_birth_fd(const struct cgroups *cgroups, unsigned slot); /* for clone3(2); -1 = none */
void cgroup_let_die(const struct cgroups *cgroups,
                    unsigned slot);                             /* what was killed, even frozen */
void cgroup_kill(const struct cgroups *cgroups, unsigned slot); /* whatever is in it */
bool cgroup_remove(const struct cgroups *cgroups, unsigned slot) MUST_USE; /* false: still busy */

#endif
