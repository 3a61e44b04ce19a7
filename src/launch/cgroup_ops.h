/* What the versions of cgroups do in different words. Private to cgroup*.c. */
#ifndef LK_CGROUP_OPS_H
#define LK_CGROUP_OPS_H

#include "launch/cgroup.h"

/* `dir` is one slot's directory in the hierarchy of that role. Descriptors: -1 = there is none. */
struct cgroup_ops {
    bool (*limit_memory)(int dir, uint64_t bytes); /* false: errno says why */
    bool (*set_cpu)(int dir, const struct launch_cpu *cpu);
    struct cgroup_stats (*stats)(int dir);
    int (*peak_fd)(int dir);
    int (*oom_fd)(int dir);
    int (*freeze_fd)(int dir);
    void (*let_die)(int dir); /* who is frozen and was killed */
    bool (*kill)(int dir);    /* all at once; false: it cannot */
};

extern const struct cgroup_ops cgroup_v1_ops;
extern const struct cgroup_ops cgroup_v2_ops;

enum {
    CPU_ONE_MB = 1769, /* AWS: this much memory is one whole processor (dataplane.md 2.6) */
    CPU_PERIOD_US = 100000,
    CPU_SHORT_PERIOD_US = 10000,
    CPU_QUOTA_MIN_US = 1000, /* the kernel's smallest */
    CPU_SHARES_MIN = 2,
    CPU_SHARES_ONE = 1024,
};

/* Small shares get a short period: at 128 MB the stall would else be 93 ms (sandbox.md 6). */
static inline uint64_t cpu_period_us(const struct launch_cpu *cpu)
{
    return cpu->quota_mb < CPU_ONE_MB / 2 ? CPU_SHORT_PERIOD_US : CPU_PERIOD_US;
}

static inline uint64_t cpu_quota_us(const struct launch_cpu *cpu)
{
    uint64_t quota = cpu_period_us(cpu) * cpu->quota_mb / CPU_ONE_MB;
    return quota < CPU_QUOTA_MIN_US ? CPU_QUOTA_MIN_US : quota;
}

static inline uint64_t cpu_shares(const struct launch_cpu *cpu)
{
    uint64_t shares =
        (uint64_t)(cpu->weight_mb ? cpu->weight_mb : CPU_ONE_MB) * CPU_SHARES_ONE / CPU_ONE_MB;
    return shares < CPU_SHARES_MIN ? CPU_SHARES_MIN : shares;
}

/* Small files, by name in a directory. */
bool cgroup_write(int dir, const char *name, const char *text);
bool cgroup_write_number(int dir, const char *name, uint64_t value);
struct slice cgroup_read(int dir, const char *name, char *to, size_t cap); /* absent: cannot */
uint64_t cgroup_read_number(int dir, const char *name);                    /* 0 if there is none */
/* The number behind "key " in a file of lines; 0 if it is not there. */
uint64_t cgroup_read_key(int dir, const char *name, const char *key);

#endif
