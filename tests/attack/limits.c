/* Taking more than one's share: processes, memory, disk, descriptors, priority. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MB = 1 << 20 };

/* a: how many are too many */
static int processes(const struct probe *p, const char *arg)
{
    setpgid(0, 0);
    long n = 0;
    while (n < p->a) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            pause();
            _exit(0);
        }
        n++;
    }
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM); /* the others; this one has the group to itself */
    return probe_says(n >= p->a ? PROBE_OPEN : PROBE_CLOSED, "%ld processes", n);
}

static int memory(const struct probe *p, const char *arg)
{
    for (long n = 0; n < p->a; n++) {
        char *block = mmap(NULL, MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED)
            return probe_says(PROBE_CLOSED, "refused after %ld MB", n);
        memset(block, 1, MB);
    }
    return probe_says(PROBE_OPEN, "%ld MB", p->a);
}

/* The same across processes, none of which has much. */
static int memory_shared(const struct probe *p, const char *arg)
{
    enum { PARTS = 8 };
    int fds[2], good = 0;
    if (pipe(fds) != 0)
        return probe_errno(-1, "pipe");
    for (int i = 0; i < PARTS; i++) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            struct probe part = {.a = p->a / PARTS};
            if (memory(&part, "") == PROBE_OPEN && write(fds[1], "x", 1) == 1)
                pause();
            _exit(0);
        }
    }
    close(fds[1]);
    struct pollfd ready = {.fd = fds[0], .events = POLLIN};
    for (char c; poll(&ready, 1, 5000) == 1 && read(fds[0], &c, 1) == 1 && ++good < PARTS;)
        ;
    return probe_says(good == PARTS ? PROBE_OPEN : PROBE_CLOSED, "%d of %d parts of %ld MB", good,
                      PARTS, p->a / PARTS);
}

static int disk(const struct probe *p, const char *arg)
{
    char path[300];
    snprintf(path, sizeof path, "%s/probe-fill", *arg ? arg : "/tmp");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    static char block[MB];
    memset(block, 1, sizeof block);
    long n = 0;
    signal(SIGXFSZ, SIG_IGN);
    while (n < p->a && write(fd, block, MB) == MB)
        n++;
    unlink(path);
    return probe_says(n >= p->a ? PROBE_OPEN : PROBE_CLOSED, "%ld MB, %s", n, strerror(errno));
}

static int disk_elsewhere(const struct probe *p, const char *arg)
{
    static char block[MB];
    int fd = open(*arg ? arg : "/dev/shm/probe", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return probe_errno(-1, "/dev/shm");
    long n = 0;
    signal(SIGXFSZ, SIG_IGN);
    memset(block, 1, sizeof block);
    while (n < p->a && write(fd, block, MB) == MB)
        n++;
    unlink(*arg ? arg : "/dev/shm/probe");
    return probe_says(n >= p->a ? PROBE_OPEN : PROBE_CLOSED, "%ld MB", n);
}

static int inodes(const struct probe *p, const char *arg)
{
    char path[300];
    if (*arg)
        mount("none", arg, "tmpfs", 0, "nr_inodes=0");
    long n = 0;
    for (; n < p->a; n++) {
        snprintf(path, sizeof path, "%s/i%ld", *arg ? arg : "/tmp", n);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
            break;
        close(fd);
    }
    int result =
        probe_says(n >= p->a ? PROBE_OPEN : PROBE_CLOSED, "%ld files, %s", n, strerror(errno));
    for (long i = 0; i < n && !*arg; i++) {
        snprintf(path, sizeof path, "/tmp/i%ld", i);
        unlink(path);
    }
    return result;
}

static int open_files(const struct probe *p, const char *arg)
{
    long n = 0;
    while (n < p->a && open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
        n++;
    return probe_says(n >= p->a ? PROBE_OPEN : PROBE_CLOSED, "%ld files", n);
}

static int raise_limit(const struct probe *p, const char *arg)
{
    struct rlimit limit;
    getrlimit((int)p->a, &limit);
    if (limit.rlim_max == RLIM_INFINITY)
        return probe_says(PROBE_OPEN, "there is no limit");
    limit.rlim_cur = limit.rlim_max = limit.rlim_max * 2 + 4096;
    return probe_errno(setrlimit((__rlimit_resource_t)p->a, &limit), "setrlimit");
}

static int lock_memory(const struct probe *p, const char *arg)
{
    size_t size = 64 * (size_t)MB;
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return probe_errno(mlock(block, size), "mlock");
}

static int core_dump(const struct probe *p, const char *arg)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    return probe_errno(setrlimit(RLIMIT_CORE, &limit), "RLIMIT_CORE");
}

static int queue(const struct probe *p, const char *arg)
{
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64};
    mqd_t mq = mq_open("/lambkin-probe", O_RDWR | O_CREAT, 0600, &attr);
    int result = probe_errno(mq, "mq_open");
    mq_unlink("/lambkin-probe");
    return result;
}

static int nice_level(const struct probe *p, const char *arg)
{
    return probe_errno(setpriority(PRIO_PROCESS, 0, -5), "setpriority");
}

static int realtime(const struct probe *p, const char *arg)
{
    struct sched_param param = {.sched_priority = 1};
    return probe_errno(syscall(SYS_sched_setscheduler, 0, p->a, &param), "sched_setscheduler");
}

static int deadline(const struct probe *p, const char *arg)
{
    /* struct sched_attr, whose header does not go with glibc's */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attr = {.size = sizeof attr,
              .policy = 6, /* SCHED_DEADLINE */
              .runtime = 1000000,
              .deadline = 100000000,
              .period = 100000000};
    return probe_errno(syscall(SYS_sched_setattr, 0, &attr, 0), "sched_setattr");
}

static int io_priority(const struct probe *p, const char *arg)
{
    return probe_errno(
        syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 0)),
        "ioprio_set");
}

static int oom_score(const struct probe *p, const char *arg)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return probe_errno(-1, "oom_score_adj");
    return probe_errno(write(fd, "-1000", 5), "oom_score_adj");
}

static int memory_map(const struct probe *p, const char *arg)
{
    return probe_errno(prctl(PR_SET_MM, PR_SET_MM_START_BRK, 0, 0, 0), "PR_SET_MM");
}

const struct probe probes_limits[] = {
    {.name = "processes", .run = processes, .cap = -1, .a = 1200},
    {.name = "memory", .run = memory, .cap = -1, .a = 400},
    {.name = "memory-of-many", .run = memory_shared, .cap = -1, .a = 400},
    {.name = "disk", .run = disk, .cap = -1, .a = 600},
    {.name = "disk-shm", .run = disk_elsewhere, .cap = -1, .a = 300},
    {.name = "inodes", .run = inodes, .control = IN_MOUNTS, .cap = -1, .a = 200000},
    {.name = "open-files", .run = open_files, .cap = -1, .a = 1100},
    {.name = "limit-files", .run = raise_limit, .cap = CAP_SYS_RESOURCE, .a = RLIMIT_NOFILE},
    {.name = "limit-processes", .run = raise_limit, .cap = CAP_SYS_RESOURCE, .a = RLIMIT_NPROC},
    {.name = "limit-locked", .run = raise_limit, .cap = CAP_SYS_RESOURCE, .a = RLIMIT_MEMLOCK},
    {.name = "locked-memory", .run = lock_memory, .cap = CAP_IPC_LOCK},
    {.name = "core-dumps", .run = core_dump, .cap = -1},
    {.name = "message-queue", .run = queue, .control = IN_IPC, .cap = -1},
    {.name = "nice", .run = nice_level, .cap = CAP_SYS_NICE},
    {.name = "realtime-fifo", .run = realtime, .cap = CAP_SYS_NICE, .a = SCHED_FIFO},
    {.name = "realtime-fifo-high",
     .run = realtime,
     .cap = CAP_SYS_NICE,
     .a = SCHED_FIFO | 1L << 32},
    {.name = "realtime-rr", .run = realtime, .cap = CAP_SYS_NICE, .a = SCHED_RR},
    {.name = "deadline", .run = deadline, .cap = CAP_SYS_NICE},
    {.name = "io-priority", .run = io_priority, .cap = CAP_SYS_NICE},
    {.name = "oom-score", .run = oom_score, .cap = CAP_SYS_RESOURCE},
    {.name = "memory-map", .run = memory_map, .cap = CAP_SYS_RESOURCE},
    {0},
};
