/* The last steps of a process that is about to run a function's code: nothing of them can be taken
 * back. It is in all of its sandbox's namespaces but stands, with all capabilities, in a user
 * namespace of its own whose ids are mapped already. Private to src/launch. */
#ifndef LK_CONFINE_H
#define LK_CONFINE_H

#include "launch/proto.h"

#include <stdbool.h>

enum { PAYLOAD_ID = 1000 }; /* uid and gid inside; AWS's number is unconfirmed */

struct confinement {
    const struct sandbox_spec *spec;
    int proc;        /* a procfs of its pid namespace that can be written to */
    int out;         /* becomes 1 and 2 */
    int extra;       /* telemetry pipe (fd 62) or zips (fd 3); -1 = none */
    int parked;      /* becomes fd 61; -1 = none */
    const char *dir; /* current directory from then on */
};

/* What goes wrong, to whoever has started it. */
struct confine_report {
    int os;
    char step[32];
};
_Noreturn void confine_give_up(int report, const char *step);

/* Limits, descriptors (all others are closed but *keep, which moves), privilege. NULL: all is well;
 * else the step that failed, and errno says why. */
const char *confine(const struct confinement *c, int *keep);
/* The system calls that are left. */
bool confine_calls(void);

/* Writes to a file of a procfs. */
bool confine_write(int dir, const char *path, const char *text);

#endif
