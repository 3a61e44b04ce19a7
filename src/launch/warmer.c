#include "launch/warmer.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WARM_NS = 400000000, /* cold starts come in flocks */
    STEP_NS = 1000000,
};

/* True as long as the launcher lives; takes what it wrote. */
static bool was_called(int pipe, int wait_ms)
{
    char bytes[64];
    struct pollfd ready = {.fd = pipe, .events = POLLIN};
    if (poll(&ready, 1, wait_ms) <= 0)
        return false;
    ssize_t n = read(pipe, bytes, sizeof bytes);
    if (n == 0)
        _exit(0);
    return n > 0;
}

static _Noreturn void run(int pipe, int procs)
{
    for (;;) {
        if (!was_called(pipe, -1))
            continue;
        for (uint64_t until = clock_mono_ns() + WARM_NS; clock_mono_ns() < until;) {
            if (write(procs, "0", 1) != 1)
                _exit(1);
            nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
            if (was_called(pipe, 0))
                until = clock_mono_ns() + WARM_NS;
        }
    }
}

static _Noreturn void become_warmer(const struct launch_config *config, int pipe, int procs)
{
    sigset_t none;
    prctl(PR_SET_NAME, "lambkin-warmer");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!config->rootless &&
        (setgroups(0, NULL) ||
         setresgid(config->daemon_gid, config->daemon_gid, config->daemon_gid) ||
         setresuid(config->daemon_uid, config->daemon_uid, config->daemon_uid)))
        _exit(1);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    int high = fcntl(procs, F_DUPFD_CLOEXEC, 10);
    if (dup2(pipe, 0) < 0 || dup2(high, 1) < 0)
        _exit(1);
    close_range(2, ~0U, 0);
    run(0, 1);
}

bool warmer_start(struct warmer *warmer, const struct cgroups *cgroups,
                  const struct launch_config *config)
{
    int ends[2];
    *warmer = (struct warmer){.pipe = -1};
    AUTO(fd) int procs = cgroups_procs_fd(cgroups);
    if (procs < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        return false;
    warmer->pipe = ends[1];
    warmer->pid = fork();
    if (warmer->pid == 0)
        become_warmer(config, ends[0], procs);
    close(ends[0]);
    return warmer->pid > 0;
}

void warmer_call(const struct warmer *warmer)
{
    if (warmer->pipe >= 0 && write(warmer->pipe, "w", 1) < 0)
        return; /* full: it knows */
}

void warmer_stop(struct warmer *warmer)
{
    if (warmer->pipe >= 0)
        close(fd_take(&warmer->pipe));
    if (warmer->pid > 0) {
        kill(warmer->pid, SIGKILL);
        waitpid(warmer->pid, NULL, 0);
    }
    warmer->pid = 0;
}
