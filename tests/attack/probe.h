/* One probe tries one way out of the sandbox, or one way to take more than its share.
 *
 * The same program is a custom runtime (each event names a probe, which runs in a child of its own)
 * and, outside of the sandbox, the control: there the same probe must find the door open. */
#ifndef LK_PROBE_H
#define LK_PROBE_H

#include <stddef.h>

enum probe_result {
    PROBE_OPEN = 1,   /* it worked: bad inside, expected in the control */
    PROBE_CLOSED = 2, /* it did not */
    PROBE_ABSENT = 3, /* this kernel or host does not have the thing at all */
};

/* What a control run gets, so that the host is not harmed by what works there. */
enum probe_control {
    IN_MOUNTS = 1, /* a mount namespace of its own, private */
    IN_UTS = 2,
    IN_NET = 4,
    IN_IPC = 8,
    IN_PIDS = 16, /* with its own /proc, and an ordinary process as pid 1 */
    IN_USER = 32, /* a user namespace that it is root of */
};

struct probe {
    const char *name;
    int (*run)(const struct probe *probe, const char *arg);
    unsigned control; /* enum probe_control */
    int cap;          /* the capability that opens it outside, -1 = none */
    long a, b, c;     /* for probes that share a function */
    const char *text;
};

extern const struct probe probes_calls[];
extern const struct probe probes_sockets[];
extern const struct probe probes_files[];
extern const struct probe probes_limits[];

/* Tells what happened and is the probe's result. `probe_errno` judges the call's result: success is
 * open, an error that means "not built in" absent, any other closed. */
int probe_says(int result, const char *format, ...) __attribute__((format(printf, 2, 3)));
int probe_errno(long rc, const char *what);

#endif
