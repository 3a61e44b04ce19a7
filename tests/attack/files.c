/* Files of the host and of other functions, /proc, devices, write access where there is none. */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Reads a file whole; -1 with errno. */
static ssize_t slurp(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, out, size - 1);
    int os = errno;
    close(fd);
    errno = os;
    out[n > 0 ? n : 0] = '\0';
    return n;
}

static const char *path_of(const struct probe *p, const char *arg)
{
    return p->text ? p->text : arg;
}

/* open if it can be read and is not empty */
static int readable(const struct probe *p, const char *arg)
{
    char out[256];
    const char *path = path_of(p, arg);
    ssize_t n = slurp(path, out, sizeof out);
    if (n > 0)
        return probe_says(PROBE_OPEN, "read %zd bytes", n);
    if (n == 0)
        return probe_says(PROBE_CLOSED, "empty");
    if (errno == EAGAIN)
        return probe_says(PROBE_OPEN, "could be waited for");
    if (errno == ENOENT && p->a)
        return probe_says(PROBE_ABSENT, "not there");
    return probe_errno(-1, path);
}

/* A mask: the null device in the place of a file. */
static bool is_null_device(int fd)
{
    struct stat st, null;
    return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 && st.st_rdev == null.st_rdev &&
           S_ISCHR(st.st_mode);
}

/* open if it can be opened that way at all; nothing is written */
static int openable(const struct probe *p, const char *arg)
{
    const char *path = path_of(p, arg);
    int fd = open(path, (int)p->b | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && p->a)
        return probe_says(PROBE_ABSENT, "not there");
    if (fd >= 0 && is_null_device(fd))
        return probe_says(PROBE_CLOSED, "masked");
    return probe_errno(fd, path);
}

static int folder_readable(const struct probe *p, const char *arg)
{
    DIR *dir = opendir(path_of(p, arg));
    if (!dir)
        return probe_errno(-1, path_of(p, arg));
    int n = 0;
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n > 0 ? probe_says(PROBE_OPEN, "%d entries", n) : probe_says(PROBE_CLOSED, "empty");
}

/* Any of a list of devices. */
static int devices(const struct probe *p, const char *arg)
{
    static const char *const paths[] = {"/dev/mem",  "/dev/port",  "/dev/loop-control",
                                        "/dev/fuse", "/dev/kvm",   "/dev/net/tun",
                                        "/dev/ptmx", "/dev/vda",   "/dev/sda",
                                        "/dev/tty",  "/dev/loop0", "/dev/userfaultfd"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (open(paths[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) >= 0)
            return probe_says(PROBE_OPEN, "opened %s", paths[i]);
    return probe_errno(-1, "all devices");
}

static int creates(const struct probe *p, const char *arg)
{
    char path[300];
    snprintf(path, sizeof path, "%s/lambkin-probe", path_of(p, arg));
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        unlink(path);
    return probe_errno(fd, path);
}

static int changes_mode(const struct probe *p, const char *arg)
{
    struct stat st;
    const char *path = *arg ? arg : p->text;
    if (stat(path, &st) != 0)
        return probe_errno(-1, path);
    return probe_errno(chmod(path, st.st_mode & 07777), path);
}

/* Everything under /proc/PID of a process that is not of this function's own user. */
static int others(const struct probe *p, const char *arg)
{
    static char out[65536];
    char path[320];
    DIR *dir = opendir("/proc");
    int seen = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] < '1' || e->d_name[0] > '9' || atoi(e->d_name) == getpid())
            continue;
        seen++;
        snprintf(path, sizeof path, "/proc/%s/%s%s", e->d_name, p->text, p->a ? arg : "");
        ssize_t n = slurp(path, out, sizeof out);
        if (n > 0 && (p->a || memmem(out, (size_t)n, arg, strlen(arg))))
            return probe_says(PROBE_OPEN, "found in %s", path);
    }
    return probe_says(PROBE_CLOSED, "not among %d processes", seen);
}

static int process_one(const struct probe *p, const char *arg)
{
    char target[300];
    if (p->b)
        return probe_errno(readlink(p->text, target, sizeof target), p->text);
    return readable(p, arg);
}

/* arg: a process of the host; it must be neither seen nor signalled */
static int host_pid(const struct probe *p, const char *arg)
{
    char path[64], out[64];
    snprintf(path, sizeof path, "/proc/%s/comm", arg);
    if (slurp(path, out, sizeof out) > 0 && strncmp(out, "victim", 6) == 0)
        return probe_says(PROBE_OPEN, "sees the process");
    if (p->a)
        return probe_errno(kill(atoi(arg), 0) == 0 && strncmp(out, "victim", 6) == 0 ? 0 : -1,
                           "kill");
    return probe_says(PROBE_CLOSED, "does not see it");
}

static int signal_init(const struct probe *p, const char *arg)
{
    return probe_errno(kill(1, 0), "kill 1");
}

static int memory_segment(const struct probe *p, const char *arg)
{
    return probe_errno(shmget((key_t)strtol(arg, NULL, 10), 0, 0), "shmget");
}

static int descriptors(const struct probe *p, const char *arg)
{
    char path[64], target[256];
    int leak = *arg ? open(arg, O_RDONLY) : -1; /* the control leaks one on purpose */
    for (int fd = 0; fd < 1024; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        bool mine = strncmp(target, "pipe:", 5) == 0 || strcmp(target, "/dev/null") == 0;
        if (!mine)
            return probe_says(PROBE_OPEN, "%d is %s", fd, target);
    }
    return probe_says(PROBE_CLOSED, "%d", leak);
}

/* A line of /proc/self/status that must have this value. */
static int status_line(const struct probe *p, const char *arg)
{
    char out[8192];
    if (slurp("/proc/self/status", out, sizeof out) <= 0)
        return probe_errno(-1, "status");
    static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
    if (p->a == 0) {
        for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
            const char *at = strstr(out, sets[i]);
            if (!at || strtoull(at + 7, NULL, 16) != 0)
                return probe_says(PROBE_OPEN, "%.32s", at ? at : sets[i]);
        }
        return probe_says(PROBE_CLOSED, "no capabilities");
    }
    const char *at = strstr(out, p->text);
    if (!at)
        return probe_says(PROBE_ABSENT, "no line %s", p->text);
    long value = strtol(at + strlen(p->text), NULL, 10);
    return probe_says(value == p->a ? PROBE_CLOSED : PROBE_OPEN, "%s %ld", p->text, value);
}

static int id_map(const struct probe *p, const char *arg)
{
    unsigned inside, outside, count;
    char out[512];
    if (slurp("/proc/self/uid_map", out, sizeof out) <= 0 ||
        sscanf(out, "%u %u %u", &inside, &outside, &count) != 3)
        return probe_errno(-1, "uid_map");
    return probe_says(count == 1 && inside == 1000 ? PROBE_CLOSED : PROBE_OPEN, "%u ids from %u",
                      count, inside);
}

/* A setuid program that gets its rights ignores LD_PRELOAD without a word (AT_SECURE). */
static int set_uid(const struct probe *p, const char *arg)
{
    struct stat st;
    if (stat("/usr/bin/su", &st) != 0 || !(st.st_mode & S_ISUID))
        return probe_says(PROBE_ABSENT, "no setuid su");
    int fds[2];
    if (pipe(fds) != 0)
        return probe_errno(-1, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(1);
        dup2(fds[1], 1);
        dup2(fds[1], 2);
        close(fds[0]);
        char su[] = "su", help[] = "--help", preload[] = "LD_PRELOAD=/nowhere/at/all.so";
        char *const argv[] = {su, help, NULL};
        char *const envp[] = {preload, NULL};
        execve("/usr/bin/su", argv, envp);
        _exit(127);
    }
    close(fds[1]);
    char out[4096];
    size_t have = 0;
    for (ssize_t n; (n = read(fds[0], out + have, sizeof out - 1 - have)) > 0;)
        have += (size_t)n;
    out[have] = '\0';
    waitpid(pid, NULL, 0);
    if (have == 0)
        return probe_says(PROBE_CLOSED, "su does not run");
    bool elevated = !strstr(out, "cannot be preloaded");
    return probe_says(elevated ? PROBE_OPEN : PROBE_CLOSED, "%s",
                      elevated ? "rights taken" : "runs as its caller");
}

static int file_flags(const struct probe *p, const char *arg)
{
    char path[300];
    snprintf(path, sizeof path, "%s/probe-flags", *arg ? arg : "/tmp");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), flags = 0;
    ioctl(fd, FS_IOC_GETFLAGS, &flags);
    int set = flags | FS_IMMUTABLE_FL;
    int rc = ioctl(fd, FS_IOC_SETFLAGS, &set);
    int result = probe_errno(rc, "immutable");
    if (rc == 0)
        ioctl(fd, FS_IOC_SETFLAGS, &flags);
    unlink(path);
    return result;
}

static int file_caps(const struct probe *p, const char *arg)
{
    char path[300];
    snprintf(path, sizeof path, "%s/probe-caps", *arg ? arg : "/tmp");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
    struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2, .data = {{.permitted = 1}}};
    int rc = fsetxattr(fd, "security.capability", &data, XATTR_CAPS_SZ_2, 0);
    int result = probe_errno(rc, "security.capability");
    unlink(path);
    return result;
}

static int cgroup_make(const struct probe *p, const char *arg)
{
    static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/memory",
                                        "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified"};
    char path[128];
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        snprintf(path, sizeof path, "%s/lambkin-probe", roots[i]);
        if (mkdir(path, 0700) == 0) {
            rmdir(path);
            return probe_says(PROBE_OPEN, "made %s", path);
        }
    }
    return probe_errno(-1, "mkdir in /sys/fs/cgroup");
}

#define READS(n, path)                                                                             \
    {                                                                                              \
        .name = n, .run = readable, .cap = -1, .text = path                                        \
    }
#define MASKED(n, path)                                                                            \
    {                                                                                              \
        .name = n, .run = readable, .cap = -1, .a = 1, .text = path                                \
    }
#define OPENS(n, path, how)                                                                        \
    {                                                                                              \
        .name = n, .run = openable, .cap = -1, .a = 1, .b = how, .text = path                      \
    }
#define GIVEN(n)                                                                                   \
    {                                                                                              \
        .name = n, .run = readable, .cap = -1                                                      \
    }
#define CREATES(n, path)                                                                           \
    {                                                                                              \
        .name = n, .run = creates, .cap = -1, .text = path                                         \
    }

const struct probe probes_files[] = {
    READS("host-shadow", "/etc/shadow"),
    READS("host-etc-file", "/etc/login.defs"),
    GIVEN("host-root-file"),
    GIVEN("host-home-file"),
    GIVEN("host-tmp-file"),
    GIVEN("host-var-file"),
    GIVEN("data-database"),
    GIVEN("data-blob"),
    GIVEN("other-code"),
    {.name = "data-folder", .run = folder_readable, .cap = -1},
    {.name = "other-tmp", .run = others, .cap = -1, .a = 1, .text = "root/tmp/"},
    {.name = "other-variables", .run = others, .cap = -1, .text = "environ"},
    {.name = "other-command-line", .run = others, .cap = -1, .text = "cmdline"},
    {.name = "host-process-seen", .run = host_pid, .cap = -1},
    {.name = "host-process-signal", .run = host_pid, .cap = -1, .a = 1},
    {.name = "signal-init", .run = signal_init, .cap = -1},
    {.name = "init-root",
     .run = process_one,
     .control = IN_PIDS,
     .cap = -1,
     .b = 1,
     .text = "/proc/1/root"},
    {.name = "init-exe",
     .run = process_one,
     .control = IN_PIDS,
     .cap = -1,
     .b = 1,
     .text = "/proc/1/exe"},
    {.name = "init-cwd",
     .run = process_one,
     .control = IN_PIDS,
     .cap = -1,
     .b = 1,
     .text = "/proc/1/cwd"},
    {.name = "init-maps",
     .run = process_one,
     .control = IN_PIDS,
     .cap = -1,
     .text = "/proc/1/maps"},
    {.name = "init-environ",
     .run = process_one,
     .control = IN_PIDS,
     .cap = -1,
     .text = "/proc/1/environ"},
    {.name = "init-fds",
     .run = folder_readable,
     .control = IN_PIDS,
     .cap = -1,
     .text = "/proc/1/fd"},
    {.name = "init-memory",
     .run = openable,
     .control = IN_PIDS,
     .cap = -1,
     .b = O_RDWR,
     .text = "/proc/1/mem"},
    {.name = "init-exe-open",
     .run = openable,
     .control = IN_PIDS,
     .cap = -1,
     .text = "/proc/1/exe"},
    MASKED("proc-kcore", "/proc/kcore"),
    MASKED("proc-kallsyms", "/proc/kallsyms"),
    MASKED("proc-keys", "/proc/keys"),
    MASKED("proc-key-users", "/proc/key-users"),
    MASKED("proc-timer-list", "/proc/timer_list"),
    MASKED("proc-interrupts", "/proc/interrupts"),
    MASKED("proc-cmdline", "/proc/cmdline"),
    MASKED("proc-modules", "/proc/modules"),
    MASKED("proc-iomem", "/proc/iomem"),
    MASKED("proc-ioports", "/proc/ioports"),
    MASKED("proc-diskstats", "/proc/diskstats"),
    MASKED("proc-partitions", "/proc/partitions"),
    MASKED("proc-swaps", "/proc/swaps"),
    MASKED("proc-vmallocinfo", "/proc/vmallocinfo"),
    MASKED("proc-slabinfo", "/proc/slabinfo"),
    MASKED("proc-pagetypeinfo", "/proc/pagetypeinfo"),
    MASKED("proc-config", "/proc/config.gz"),
    MASKED("proc-pressure", "/proc/pressure/memory"),
    MASKED("proc-irq", "/proc/irq/default_smp_affinity"),
    MASKED("proc-sysvipc", "/proc/sysvipc/shm"),
    MASKED("proc-tty", "/proc/tty/drivers"),
    MASKED("proc-kmsg", "/proc/kmsg"),
    OPENS("dev-kmsg", "/dev/kmsg", O_RDONLY),
    OPENS("sysrq", "/proc/sysrq-trigger", O_WRONLY),
    OPENS("core-pattern", "/proc/sys/kernel/core_pattern", O_WRONLY),
    OPENS("sys-hostname", "/proc/sys/kernel/hostname", O_WRONLY),
    OPENS("sys-overcommit", "/proc/sys/vm/overcommit_memory", O_WRONLY),
    {.name = "sys-user-namespaces",
     .run = openable,
     .control = IN_USER,
     .cap = -1,
     .b = O_WRONLY,
     .text = "/proc/sys/user/max_user_namespaces"},
    OPENS("sys-ip-forward", "/proc/sys/net/ipv4/ip_forward", O_WRONLY),
    OPENS("uid-map", "/proc/self/uid_map", O_WRONLY),
    OPENS("setgroups-file", "/proc/self/setgroups", O_WRONLY),
    OPENS("uevent-helper", "/sys/kernel/uevent_helper", O_WRONLY),
    {.name = "sys-tree", .run = folder_readable, .cap = -1, .text = "/sys"},
    {.name = "cgroup-mkdir", .run = cgroup_make, .cap = -1},
    {.name = "devices", .run = devices, .cap = -1},
    CREATES("write-root", "/"),
    CREATES("write-usr", "/usr"),
    CREATES("write-etc", "/etc"),
    CREATES("write-dev", "/dev"),
    {.name = "write-task", .run = creates, .cap = -1},
    {.name = "write-opt", .run = creates, .cap = -1},
    {.name = "write-runtime", .run = creates, .cap = -1},
    {.name = "own-program", .run = openable, .cap = -1, .b = O_WRONLY},
    {.name = "chmod-usr", .run = changes_mode, .cap = -1, .text = "/usr"},
    {.name = "host-shared-memory", .run = memory_segment, .cap = -1},
    {.name = "host-shm-file", .run = readable, .cap = -1},
    {.name = "inherited-descriptors", .run = descriptors, .cap = -1},
    {.name = "capabilities", .run = status_line, .cap = -1},
    {.name = "no-new-privs", .run = status_line, .cap = -1, .a = 1, .text = "NoNewPrivs:"},
    {.name = "seccomp", .run = status_line, .cap = -1, .a = 2, .text = "Seccomp:"},
    {.name = "id-map", .run = id_map, .cap = -1},
    {.name = "setuid-program", .run = set_uid, .cap = -1},
    {.name = "immutable-flag", .run = file_flags, .cap = CAP_LINUX_IMMUTABLE},
    {.name = "file-capabilities", .run = file_caps, .cap = -1},
    {0},
};
