#include "launch/init.h"
#include "launch/packet.h"
#include "launch/zygote.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_EXEC = 127 };

/* What it takes to join namespaces; execve leaves root what the bounding set has. */
static bool keep_to_join(void)
{
    for (int cap = 0; cap < 64; cap++) {
        bool kept = cap == CAP_SYS_ADMIN || cap == CAP_SYS_CHROOT;
        if (!kept && prctl(PR_CAPBSET_DROP, cap) && errno != EINVAL)
            return false;
    }
    return true;
}

static bool set_fds(const int fds[3], int pids)
{
    int control = fcntl(fds[0], F_DUPFD_CLOEXEC, 64);
    int out = fcntl(fds[1], F_DUPFD_CLOEXEC, 64);
    int own = fcntl(pids, F_DUPFD_CLOEXEC, 64);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return control >= 0 && out >= 0 && own >= 0 && null >= 0 && dup2(null, 0) == 0 &&
           dup2(out, 1) == 1 && dup2(out, 2) == 2 && fcntl(ZYGOTE_FD_ORDERS, F_SETFD, 0) == 0 &&
           dup2(control, ZYGOTE_FD_CONTROL) >= 0 && dup2(own, ZYGOTE_FD_PIDS) >= 0 &&
           close_range(ZYGOTE_FD_PIDS + 1, ~0U, 0) == 0;
}

/* The spec's strings, and ours behind them; the last of the spec's makes room for them, so that all
 * together are no more than a sandbox's init looks for (payload_show_variables). */
static void make_strings(struct sandbox_spec *spec, char **argv, char **envp)
{
    static char ours[][64] = {ZYGOTE_MARK "=1", "LD_PRELOAD=" ZYGOTE_FOLDER "/" ZYGOTE_LIBRARY};
    char *at = spec->strings;
    for (uint32_t i = 0; i < spec->argc + spec->envc; i++, at += strlen(at) + 1) {
        if (i < spec->argc)
            argv[i] = at;
        else
            envp[i - spec->argc] = at;
    }
    argv[spec->argc] = NULL;
    uint32_t n = spec->envc;
    size_t room = n ? strlen(envp[n - 1]) : 0;
    if (room > 2 * sizeof ours)
        envp[n - 1][room - sizeof ours] = '\0';
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        envp[n++] = ours[i];
    envp[n] = NULL;
}

/* Whoever can write to it is root then. */
static bool is_roots(const char *path)
{
    struct stat st;
    if (stat(path, &st))
        return false;
    errno = EPERM;
    return st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static bool is_safe(const char *program)
{
    return is_roots(program) && is_roots("/var/runtime") &&
           is_roots(ZYGOTE_FOLDER "/" ZYGOTE_LIBRARY);
}

_Noreturn void interpreter_start(const struct init_assignment *assignment, const int fds[3],
                                 int pids)
{
    static struct sandbox_spec spec;
    static char *argv[LAUNCH_ARGS_MAX + 1];
    static char *envp[LAUNCH_ENV_MAX + 3];
    spec = assignment->spec;
    make_strings(&spec, argv, envp);
    umask(022);
    if (set_fds(fds, pids) && is_safe(spec.strings) && keep_to_join())
        execve(spec.strings, argv, envp);
    fprintf(stderr, "%s: %s\n", spec.strings, strerror(errno));
    _exit(EXIT_EXEC);
}
