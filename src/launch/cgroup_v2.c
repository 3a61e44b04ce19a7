/* cgroup v2: one tree for everything. */
#include "launch/cgroup_ops.h"

#include "base/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

static bool limit_memory(int dir, uint64_t bytes)
{
    if (!cgroup_write_number(dir, "memory.max", bytes))
        return false;
    cgroup_write(dir, "memory.swap.max", "0"); /* not there without swap accounting */
    return true;
}

static bool set_cpu(int dir, const struct launch_cpu *cpu)
{
    enum { WEIGHT_ONE = 100, WEIGHT_MAX = 10000 }; /* 100 is what 1024 shares are */
    char text[64] = "max";
    if (cpu->quota_mb)
        snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64, cpu_quota_us(cpu), cpu_period_us(cpu));
    uint64_t weight = cpu_shares(cpu) * WEIGHT_ONE / CPU_SHARES_ONE;
    weight = weight < 1 ? 1 : weight > WEIGHT_MAX ? WEIGHT_MAX : weight;
    return cgroup_write(dir, "cpu.max", text) && cgroup_write_number(dir, "cpu.weight", weight);
}

static struct cgroup_stats stats(int dir)
{
    return (struct cgroup_stats){.peak = cgroup_read_number(dir, "memory.peak"),
                                 .oom_kills =
                                     (uint32_t)cgroup_read_key(dir, "memory.events", "oom_kill")};
}

static int peak_fd(int dir)
{
    int fd = openat(dir, "memory.peak", O_RDONLY | O_CLOEXEC); /* since Linux 5.19 */
    return fd >= 0 ? fd : openat(dir, "memory.current", O_RDONLY | O_CLOEXEC);
}

/* memory.oom.group stays 0: it would end init too, and a reset in place with it. */
static int oom_fd(int dir)
{
    return openat(dir, "memory.events", O_RDONLY | O_CLOEXEC);
}

static int freeze_fd(int dir)
{
    return openat(dir, "cgroup.freeze", O_WRONLY | O_CLOEXEC);
}

static void let_die(int dir)
{
    (void)
        dir; /* a frozen task dies of SIGKILL, and the write may wait long for the kernel's lock */
}

static bool kill_all(int dir)
{
    return cgroup_write(dir, "cgroup.kill", "1"); /* since Linux 5.14 */
}

const struct cgroup_ops cgroup_v2_ops = {limit_memory, set_cpu,   stats,   peak_fd,
                                         oom_fd,       freeze_fd, let_die, kill_all};
