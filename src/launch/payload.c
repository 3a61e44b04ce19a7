#include "launch/init.h"
#include "seccomp_filters.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct report {
    int os;
    char step[32];
};

/* In the child: tells init what went wrong. */
static _Noreturn void give_up(int report_fd, const char *step)
{
    struct report r = {.os = errno};
    snprintf(r.step, sizeof r.step, "%s", step);
    ssize_t n = write(report_fd, &r, sizeof r);
    (void)n;
    _exit(127);
}

static bool write_at(int dir, const char *path, const char *text)
{
    AUTO(fd) int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
    size_t n = strlen(text);
    return fd >= 0 && write(fd, text, n) == (ssize_t)n;
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
        if (!write_at(proc, files[i], "0") && errno != ENOENT) /* a kind that this kernel lacks */
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
static bool set_fds(const struct payload *p, int to, int parked_fd, int *keep)
{
    int wanted = p->assignment->spec.kind == LAUNCH_UNPACK ? 3 : LAUNCH_TELEMETRY_FD;
    int high = fcntl(*keep, F_DUPFD_CLOEXEC, 100);
    int parked = parked_fd < 0 ? -1 : fcntl(parked_fd, F_DUPFD_CLOEXEC, 100);
    int out = fcntl(to, F_DUPFD_CLOEXEC, 100);
    int extra = p->extra < 0 || to != p->out ? -1 : fcntl(p->extra, F_DUPFD_CLOEXEC, 100);
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

static bool load_filters(void)
{
    struct sock_fprog allow = {COUNT_OF(seccomp_allow),
                               (struct sock_filter *)(uintptr_t)seccomp_allow};
    struct sock_fprog deny = {COUNT_OF(seccomp_deny),
                              (struct sock_filter *)(uintptr_t)seccomp_deny};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &allow) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &deny) == 0;
}

static void reset_signals(void)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int s = 1; s < NSIG; s++)
        sigaction(s, &normal, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Cuts the strings of the spec into argv and envp. The launcher has checked their number and their
 * ends. */
static void cut_strings(const struct sandbox_spec *spec, char **argv, char **envp)
{
    char *at = (char *)(uintptr_t)spec->strings;
    for (uint32_t i = 0; i < spec->argc + spec->envc; i++) {
        if (i < spec->argc)
            argv[i] = at;
        else
            envp[i - spec->argc] = at;
        at += strlen(at) + 1;
    }
    argv[spec->argc] = NULL;
    envp[spec->envc] = NULL;
}

static _Noreturn void child(const struct payload *p, const struct payload_extension *extension,
                            int go, int parked, int report)
{
    const struct sandbox_spec *spec = &p->assignment->spec;
    char *argv[LAUNCH_ARGS_MAX + 1];
    char *envp[LAUNCH_ENV_MAX + 1];
    char byte = 0;
    /* A child of a non-dumpable init is non-dumpable; then nobody may write its id maps when
     * rootless. */
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (write(report, "m", 1) != 1 || read(go, &byte, 1) != 1)
        give_up(report, "id maps");
    if (!close_namespaces(p->proc))
        give_up(report, "namespace limits");
    /* Well before init, which must survive to report and to restart, and before the host's own. */
    write_at(p->proc, "self/oom_score_adj", "500");
    if (!set_fds(p, extension ? extension->out : p->out, parked,
                 &report)) /* before the limit on them */
        give_up(report, "descriptors");
    if (!set_limits(spec))
        give_up(report, "rlimits");
    if (chdir(extension ? "/" : "/var/task"))
        give_up(report, "chdir");
    if (!drop_privilege())
        give_up(report, "drop privilege");
    setsid();
    umask(022);
    reset_signals();
    cut_strings(spec, argv, envp);
    if (extension) {
        argv[0] = (char *)(uintptr_t)extension->path;
        argv[1] = NULL;
        envp[spec->extension_envc] = NULL;
    }
    if (!load_filters())
        give_up(report, "seccomp");
    execve(argv[0], argv, envp);
    give_up(report, "execve");
}

static bool write_maps(const struct payload *p, pid_t pid)
{
    char path[48];
    char map[48];
    snprintf(path, sizeof path, "%d/setgroups", pid);
    if (!write_at(p->proc, path, "deny"))
        return false;
    snprintf(map, sizeof map, "%d %u 1", PAYLOAD_ID, p->rootless ? 0 : p->assignment->host_uid);
    snprintf(path, sizeof path, "%d/uid_map", pid);
    if (!write_at(p->proc, path, map))
        return false;
    snprintf(path, sizeof path, "%d/gid_map", pid);
    return write_at(p->proc, path, map);
}

static pid_t clone_user(void)
{
    return (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
}

/* -1: failed. */
static pid_t start(const struct payload *p, const struct payload_extension *extension, int parked,
                   const char **step, int *os)
{
    static struct report failed;
    int go[2];
    int report[2];
    char byte = 0;
    *step = "pipe";
    if (pipe2(go, O_CLOEXEC))
        return *os = errno, -1;
    if (pipe2(report, O_CLOEXEC)) {
        *os = errno;
        close(go[0]);
        close(go[1]);
        return -1;
    }
    *step = "clone";
    pid_t pid = clone_user();
    if (pid == 0) {
        close(go[1]);
        child(p, extension, go[0], parked, report[1]);
    }
    *os = errno;
    AUTO(fd) int go_fd = go[1];
    AUTO(fd) int report_fd = report[0];
    close(go[0]);
    close(report[1]);
    if (pid < 0)
        return -1;

    *step = "id maps";
    bool mapped = read(report_fd, &byte, 1) == 1 && write_maps(p, pid) && write(go_fd, "g", 1) == 1;
    *os = errno;
    ssize_t n = mapped ? read(report_fd, &failed, sizeof failed) : -1;
    if (mapped && n == 0) /* closed by execve */
        return pid;
    if (n == (ssize_t)sizeof failed) {
        failed.step[sizeof failed.step - 1] = '\0';
        *step = failed.step;
        *os = failed.os;
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return -1;
}

pid_t payload_start_extension(const struct payload *p, const struct payload_extension *extension,
                              const char **step, int *os)
{
    return start(p, extension, -1, step, os);
}

bool payload_start(struct payload *p, const char **step, int *os)
{
    int ends[2] = {-1, -1};
    *step = "pipe";
    if (p->assignment->spec.kind == LAUNCH_PARKED &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return *os = errno, false;
    AUTO(fd) int theirs = ends[0];
    AUTO(fd) int ours = ends[1];
    pid_t pid = start(p, NULL, theirs, step, os);
    if (pid < 0)
        return false;
    p->pid = pid;
    p->parked = fd_take(&ours);
    return true;
}

static const char *variables_of(const struct sandbox_spec *spec, size_t *out_n)
{
    const char *variables = spec->strings;
    for (uint32_t i = 0; i < spec->argc; i++)
        variables += strlen(variables) + 1;
    *out_n = (size_t)(spec->strings + spec->strings_len - variables);
    return variables;
}

/* The bounds of the environment that the kernel made at execve: fields 50 and 51 of stat (proc(5)).
 */
static bool find_environ(const struct payload *p, unsigned long *begin, unsigned long *end)
{
    char path[32];
    char text[2048];
    snprintf(path, sizeof path, "%d/stat", p->pid);
    AUTO(fd) int fd = openat(p->proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (n <= 0)
        return false;
    text[n] = '\0';
    char *at = strrchr(text, ')'); /* behind the name, which may hold anything: field 3 follows */
    for (int field = 2; at && field < 50; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return false;
    *begin = strtoul(at, &at, 10);
    *end = strtoul(at, NULL, 10);
    return *begin && *begin < *end;
}

/* Only people and tools look there: the runtime has the variables from its socket. */
void payload_show_variables(const struct payload *p)
{
    static char block[LAUNCH_STRINGS_MAX];
    unsigned long begin = 0;
    unsigned long end = 0;
    size_t n = 0;
    const char *variables = variables_of(&p->assignment->spec, &n);
    if (!find_environ(p, &begin, &end) || end - begin > sizeof block || n > end - begin)
        return;
    memcpy(block, variables, n);
    struct iovec ours = {block, end - begin};
    struct iovec theirs = {(void *)begin, end - begin};
    ssize_t written = process_vm_writev(p->pid, &ours, 1, &theirs, 1, 0);
    (void)written;
}

bool payload_hand_over(struct payload *p)
{
    AUTO(fd) int to = fd_take(&p->parked);
    size_t n = 0;
    const char *variables = variables_of(&p->assignment->spec, &n);
    return send(to, variables, n, MSG_NOSIGNAL) == (ssize_t)n;
}
