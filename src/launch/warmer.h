/* Keeps moves into v1 cgroups fast while cold starts go on.
 *
 * The first move after a pause of some milliseconds waits for an RCU grace period, 6 to 30 ms
 * (sandbox.md section 6), with the kernel's one lock for cgroups held, so that making and removing
 * them waits, too. One that soon follows another does not. So a process of our own moves into the
 * group that it is in, once a millisecond, as long as sandboxes are being asked for. It has no
 * privilege, and nothing but the open file of its group. Not needed where all is v2: there a
 * process is born in its group. */
#ifndef LK_WARMER_H
#define LK_WARMER_H

#include "launch/cgroup.h"

#include <sys/types.h>

struct warmer {
    pid_t pid;
    int pipe; /* -1: there is none */
};

bool warmer_start(struct warmer *warmer, const struct cgroups *cgroups,
                  const struct launch_config *config);
void warmer_call(const struct warmer *warmer); /* a sandbox was asked for */
void warmer_stop(struct warmer *warmer);

#endif
