#include "launch/confine.h"
#include "seccomp_filters.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool confine_write(int dir, const char *path, const char *text)
{
    AUTO(fd) int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
    size_t n = strlen(text);
    return fd >= 0 && write(fd, text, n) == (ssize_t)n;
}

_Noreturn void confine_give_up(int report, const char *step)
{
    struct confine_report r = {.os = errno};
    snprintf(r.step, sizeof r.step, "%s", step);
    ssize_t n = write(report, &r, sizeof r);
    (void)n;
    _exit(127);
}

/* Nobody below this user namespace makes another namespace of any kind, even with seccomp off. */
static bool close_namespaces(int proc)
{
    static const char *const files[] = {
        "sys/user/max_user_namespaces",   "sys/user/max_mnt_namespaces",
        "sys/user/max_net_namespaces",    "sys/user/max_pid_namespaces",
        "sys/user/max_ipc_namespaces",    "sys/user/max_uts_namespaces",
        "sys/user/max_cgroup_namespaces", "sys/user/max_time_namespaces"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (!confine_write(proc, files[i], "0") &&
            errno != ENOENT) /* a kind that this kernel lacks */
            return false;
    }
    return true;
}

/* Only ever lowers: raising needs CAP_SYS_RESOURCE, which not every host has. */
static bool limit(int what, rlim_t soft, rlim_t hard)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)what, &now))
        return false;
    if (hard > now.rlim_max)
        hard = now.rlim_max;
    struct rlimit want = {soft < hard ? soft : hard, hard};
    return setrlimit((__rlimit_resource_t)what, &want) == 0;
}

enum { UNPACKED_MAX = 262144000 }; /* AWS: unzipped, layers included */

static bool set_limits(const struct sandbox_spec *spec)
{
    /* No RLIMIT_AS: below 2 GB no Node.js, Java or .NET starts (sandbox.md section 3). */
    return limit(RLIMIT_CORE, 0, 0) && limit(RLIMIT_NOFILE, spec->nofile, spec->nofile) &&
           limit(RLIMIT_NPROC, spec->pids, spec->pids) && limit(RLIMIT_MEMLOCK, 65536, 65536) &&
           limit(RLIMIT_MSGQUEUE, 0, 0) && limit(RLIMIT_SIGPENDING, 1024, 1024) &&
           limit(RLIMIT_NICE, 0, 0) && limit(RLIMIT_RTPRIO, 0, 0) &&
           limit(RLIMIT_STACK, 8 << 20, RLIM_INFINITY) &&
           /* No RLIMIT_FSIZE for functions: at the end of /tmp they get ENOSPC, as on AWS. What a
            * zip unpacks to lies on the host's disk. */
           (spec->kind != LAUNCH_UNPACK || limit(RLIMIT_FSIZE, UNPACKED_MAX, UNPACKED_MAX));
}

static bool drop_privilege(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    for (int cap = 0; cap < 64; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap) && errno != EINVAL)
            return false;
    }
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           setresgid(PAYLOAD_ID, PAYLOAD_ID, PAYLOAD_ID) == 0 &&
           setresuid(PAYLOAD_ID, PAYLOAD_ID, PAYLOAD_ID) == 0 &&
           syscall(SYS_capset, &header, none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* Puts the descriptors where the payload expects them and closes all others but `keep`. */
static bool set_fds(const struct confinement *c, int *keep)
{
    int wanted = c->spec->kind == LAUNCH_UNPACK ? 3 : LAUNCH_TELEMETRY_FD;
    int high = fcntl(*keep, F_DUPFD_CLOEXEC, 100);
    int parked = c->parked < 0 ? -1 : fcntl(c->parked, F_DUPFD_CLOEXEC, 100);
    int out = fcntl(c->out, F_DUPFD_CLOEXEC, 100);
    int extra = c->extra < 0 ? -1 : fcntl(c->extra, F_DUPFD_CLOEXEC, 100);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (high < 0 || out < 0 || null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
        dup2(out, 2) < 0)
        return false;
    if ((extra >= 0 && dup3(extra, wanted, 0) < 0) ||
        (parked >= 0 && dup3(parked, LAUNCH_PARKED_FD, 0) < 0))
        return false;
    *keep = high;
    /* 0 1 2 and these two stay; everything else goes, the report pipe by its close-on-exec flag. */
    unsigned last = extra >= 0 ? (unsigned)wanted : 2;
    unsigned first = parked >= 0 ? LAUNCH_PARKED_FD : last;
    return (first <= 3 || close_range(3, first - 1, 0) == 0) &&
           close_range(last + 1, (unsigned)high - 1, 0) == 0 &&
           close_range((unsigned)high + 1, ~0U, 0) == 0;
}

const char *confine(const struct confinement *c, int *keep)
{
    if (!close_namespaces(c->proc))
        return "namespace limits";
    /* Well before init, which must survive to report and to restart, and before the host's own. */
    confine_write(c->proc, "self/oom_score_adj", "500");
    if (!set_fds(c, keep)) /* before the limit on them */
        return "descriptors";
    if (!set_limits(c->spec))
        return "rlimits";
    if (chdir(c->dir))
        return "chdir";
    if (!drop_privilege())
        return "drop privilege";
    setsid();
    umask(022);
    return NULL;
}

bool confine_calls(void)
{
    struct sock_fprog allow = {COUNT_OF(seccomp_allow),
                               (struct sock_filter *)(uintptr_t)seccomp_allow};
    struct sock_fprog deny = {COUNT_OF(seccomp_deny),
                              (struct sock_filter *)(uintptr_t)seccomp_deny};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &allow) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &deny) == 0;
}
