/* cgroup v1: one hierarchy for each controller. */
#include "launch/cgroup_ops.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Where swap is counted, the limit with it is never below the one without: so it is raised first,
 * and lowered last. */
static bool limit_memory(int dir, uint64_t bytes)
{
    static const char alone[] = "memory.limit_in_bytes";
    static const char with_swap[] = "memory.memsw.limit_in_bytes";
    bool raised = !cgroup_write_number(dir, alone, bytes);
    if (raised && (errno != EINVAL || !cgroup_write_number(dir, with_swap, bytes) ||
                   !cgroup_write_number(dir, alone, bytes)))
        return false;
    cgroup_write_number(dir, with_swap, bytes);
    cgroup_write(dir, "memory.max_usage_in_bytes", "0");
    return true;
}

static bool set_cpu(int dir, const struct launch_cpu *cpu)
{
    bool limited = cpu->quota_mb
                       ? cgroup_write_number(dir, "cpu.cfs_period_us", cpu_period_us(cpu)) &&
                             cgroup_write_number(dir, "cpu.cfs_quota_us", cpu_quota_us(cpu))
                       : cgroup_write(dir, "cpu.cfs_quota_us", "-1");
    return limited && cgroup_write_number(dir, "cpu.shares", cpu_shares(cpu));
}

static struct cgroup_stats stats(int dir)
{
    return (struct cgroup_stats){
        .peak = cgroup_read_number(dir, "memory.max_usage_in_bytes"),
        .oom_kills = (uint32_t)cgroup_read_key(dir, "memory.oom_control", "oom_kill")};
}

static int peak_fd(int dir)
{
    return openat(dir, "memory.max_usage_in_bytes", O_RDONLY | O_CLOEXEC);
}

/* An eventfd that the kernel writes to when the limit is hit. */
static int oom_fd(int dir)
{
    char text[64];
    AUTO(fd) int control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
    AUTO(fd) int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (control < 0 || event < 0)
        return -1;
    snprintf(text, sizeof text, "%d %d", event, control);
    return cgroup_write(dir, "cgroup.event_control", text) ? fd_take(&event) : -1;
}

static int freeze_fd(int dir)
{
    return openat(dir, "freezer.state", O_WRONLY | O_CLOEXEC);
}

static void let_die(int dir)
{
    cgroup_write(dir, "freezer.state", "THAWED"); /* a frozen task cannot die */
}

static bool kill_all(int dir)
{
    return false;
}

const struct cgroup_ops cgroup_v1_ops = {limit_memory, set_cpu,   stats,   peak_fd,
                                         oom_fd,       freeze_fd, let_die, kill_all};
