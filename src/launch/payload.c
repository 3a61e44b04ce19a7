#include "launch/confine.h"
#include "launch/init.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
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
    const struct confinement confinement = {.spec = spec,
                                            .proc = p->proc,
                                            .out = extension ? extension->out : p->out,
                                            .extra = extension ? -1 : p->extra,
                                            .parked = parked,
                                            .dir = extension ? "/" : "/var/task"};
    const char *failed = confine(&confinement, &report);
    if (failed)
        give_up(report, failed);
    reset_signals();
    cut_strings(spec, argv, envp);
    if (extension) {
        argv[0] = (char *)(uintptr_t)extension->path;
        argv[1] = NULL;
        envp[spec->extension_envc] = NULL;
    }
    if (!confine_calls())
        give_up(report, "seccomp");
    execve(argv[0], argv, envp);
    give_up(report, "execve");
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
