#include "launch/confine.h"
#include "launch/init.h"
#include "launch/packet.h"
#include "launch/zygote.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The zygote's part takes a few, its fork's until it tells its pid one; what does not answer is not
 * waited for. */
enum { FORK_MS = 5000 };

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
        confine_give_up(report, "id maps");
    const struct confinement confinement = {.spec = spec,
                                            .proc = p->proc,
                                            .out = extension ? extension->out : p->out,
                                            .extra = extension ? -1 : p->extra,
                                            .parked = parked,
                                            .dir = extension ? "/" : "/var/task"};
    const char *failed = confine(&confinement, &report);
    if (failed)
        confine_give_up(report, failed);
    reset_signals();
    cut_strings(spec, argv, envp);
    if (extension) {
        argv[0] = (char *)(uintptr_t)extension->path;
        argv[1] = NULL;
        envp[spec->extension_envc] = NULL;
    }
    if (!confine_calls())
        confine_give_up(report, "seccomp");
    execve(extension ? extension->path : spec->strings, argv, envp);
    confine_give_up(report, "execve");
}

static bool write_maps(const struct payload *p, pid_t pid)
{
    char path[48];
    char map[48];
    snprintf(path, sizeof path, "%d/setgroups", pid);
    if (!confine_write(p->proc, path, "deny"))
        return false;
    snprintf(map, sizeof map, "%d %u 1", PAYLOAD_ID, p->rootless ? 0 : p->assignment->host_uid);
    snprintf(path, sizeof path, "%d/uid_map", pid);
    if (!confine_write(p->proc, path, map))
        return false;
    snprintf(path, sizeof path, "%d/gid_map", pid);
    return confine_write(p->proc, path, map);
}

static pid_t clone_user(void)
{
    return (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
}

/* The fork of a zygote (zygote.h) comes here when it gets what init has for it. */
static bool call_fork(const struct payload *p, int go, int parked, int report)
{
    static const char *const names[] = {[JOIN_NETWORK] = "self/ns/net",
                                        [JOIN_IPC] = "self/ns/ipc",
                                        [JOIN_NAMES] = "self/ns/uts",
                                        [JOIN_CGROUP] = "self/ns/cgroup",
                                        [JOIN_MOUNTS] = "self/ns/mnt"};
    int fds[JOIN_FDS] = {[JOIN_PROC] = p->proc,  [JOIN_GO] = go,      [JOIN_REPORT] = report,
                         [JOIN_PARKED] = parked, [JOIN_OUT] = p->out, [JOIN_EXTRA] = p->extra};
    bool ok = true;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        fds[i] = openat(p->proc, names[i], O_RDONLY | O_CLOEXEC);
        ok = ok && fds[i] >= 0;
    }
    ok = ok && packet_send(p->zygote, &p->assignment->spec, sizeof p->assignment->spec, fds,
                           p->extra < 0 ? JOIN_EXTRA : JOIN_FDS);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return ok;
}

/* Its pid in our namespace; -1: it does not come (ETIMEDOUT: it was not refused either), is none of
 * ours, or *failed says why. */
static pid_t await_fork(int report, struct confine_report *failed)
{
    struct pollfd ready = {.fd = report, .events = POLLIN};
    struct confine_report got = {0};
    pid_t pid = -1;
    int came = poll(&ready, 1, FORK_MS);
    errno = came == 0 ? ETIMEDOUT : ECHILD;
    ssize_t n = came == 1 ? read(report, &got, sizeof got) : -1;
    if (n == (ssize_t)sizeof got)
        *failed = got;
    if (n == (ssize_t)sizeof pid)
        memcpy(&pid, &got, sizeof pid);
    return pid > 1 ? pid : -1;
}

struct start {
    const struct payload_extension *extension; /* NULL = the payload itself */
    int parked;                                /* becomes its fd 61; -1 = none */
    bool forked;                               /* by the zygote */
};

/* Ends once its ids can be mapped. */
static pid_t bring_up(const struct payload *p, const struct start *how, int go[2], int report[2],
                      struct confine_report *failed)
{
    char byte = 0;
    if (how->forked) {
        bool called = call_fork(p, go[0], how->parked, report[1]);
        close(fd_take(&report[1]));
        return called ? await_fork(report[0], failed) : -1;
    }
    pid_t pid = clone_user();
    if (pid == 0) {
        close(go[1]);
        child(p, how->extension, go[0], how->parked, report[1]);
    }
    int os = errno;
    close(fd_take(&report[1]));
    bool lives = pid > 0 && read(report[0], &byte, 1) == 1;
    errno = os;
    return lives ? pid : -1;
}

/* -1: failed. */
static pid_t start(const struct payload *p, const struct start *how, const char **step, int *os)
{
    static struct confine_report failed; /* *step may point to it */
    int go[2] = {-1, -1};
    int report[2] = {-1, -1};
    failed = (struct confine_report){0};
    *step = "pipe";
    bool piped = !pipe2(go, O_CLOEXEC) && !pipe2(report, O_CLOEXEC);
    *os = errno;
    pid_t pid = -1;
    ssize_t n = -1;
    if (piped) {
        *step = "clone";
        pid = bring_up(p, how, go, report, &failed);
        *os = errno;
    }
    if (pid > 0) {
        *step = "id maps";
        bool mapped = write_maps(p, pid) && write(go[1], "g", 1) == 1;
        *os = errno;
        n = mapped ? read(report[0], &failed, sizeof failed) : -1;
    }
    for (int i = 0; i < 2; i++) {
        if (go[i] >= 0)
            close(go[i]);
        if (report[i] >= 0)
            close(report[i]);
    }
    if (n == 0) /* closed by execve, or by the fork when it is done */
        return pid;
    if (*failed.step) {
        failed.step[sizeof failed.step - 1] = '\0';
        *step = failed.step;
        *os = failed.os;
    }
    if (pid > 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    return -1;
}

pid_t payload_start_extension(const struct payload *p, const struct payload_extension *extension,
                              const char **step, int *os)
{
    return start(p, &(struct start){.extension = extension, .parked = -1}, step, os);
}

/* The zygote is asked once: what starts again has a history, which forks know nothing of. */
static bool join_fork(struct payload *p)
{
    int ends[2];
    const char *step = NULL;
    int os = 0;
    AUTO(fd) int zygote = p->zygote;
    p->fork = (struct payload_fork){0};
    if (zygote < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
        p->zygote = -1;
        return false;
    }
    AUTO(fd) int theirs = ends[0];
    AUTO(fd) int ours = ends[1];
    pid_t pid = start(p, &(struct start){.parked = theirs, .forked = true}, &step, &os);
    p->zygote = -1;
    if (pid < 0) {
        p->fork =
            (struct payload_fork){.how = os == ETIMEDOUT ? FORK_SILENT : FORK_FAILED, .os = os};
        snprintf(p->fork.step, sizeof p->fork.step, "%s", step);
        return false;
    }
    p->fork.how = FORK_DONE;
    p->pid = pid;
    p->parked = fd_take(&ours);
    bool waits = p->assignment->spec.kind == LAUNCH_PARKED || payload_hand_over(p);
    (void)waits; /* one that is dead by now tells so by its end */
    return true;
}

bool payload_start(struct payload *p, const char **step, int *os)
{
    int ends[2] = {-1, -1};
    if (join_fork(p))
        return true;
    *step = "pipe";
    if (p->assignment->spec.kind == LAUNCH_PARKED &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return *os = errno, false;
    AUTO(fd) int theirs = ends[0];
    AUTO(fd) int ours = ends[1];
    pid_t pid = start(p, &(struct start){.parked = theirs}, step, os);
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
