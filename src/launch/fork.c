/* lambkin-fork.so: preloaded into a zygote (zygote.h), whose fork(2) it is. */
#include "launch/confine.h"
#include "launch/packet.h"
#include "launch/zygote.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 4096, /* of both architectures */
    PAGES_AT_ONCE = 1024,
};

static bool is_zygote; /* not one of its forks */
static pid_t (*fork_of_libc)(void);
static char *variables; /* the block that /proc/PID/environ shows */
static size_t variables_size;

__attribute__((constructor)) static void begin(int argc, char **argv, char **envp)
{
    char **last = envp;
    (void)argc;
    (void)argv;
    void *found = dlsym(RTLD_NEXT, "fork");
    memcpy(&fork_of_libc, &found, sizeof found);
    is_zygote = getenv(ZYGOTE_MARK) != NULL;
    if (!is_zygote || !*envp)
        return;
    while (last[1])
        last++;
    variables = *envp;
    variables_size = (size_t)(*last + strlen(*last) + 1 - *envp);
}

/* ---- in the fork ---- */

static void join_namespaces(const int fds[JOIN_FDS])
{
    static const int kinds[] = {[JOIN_NETWORK] = CLONE_NEWNET,
                                [JOIN_IPC] = CLONE_NEWIPC,
                                [JOIN_NAMES] = CLONE_NEWUTS,
                                [JOIN_CGROUP] = CLONE_NEWCGROUP,
                                [JOIN_MOUNTS] = CLONE_NEWNS};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (setns(fds[i], kinds[i]))
            confine_give_up(fds[JOIN_REPORT], "join the sandbox");
    }
}

/* Then init is its parent, which reaps it. */
static void outlive_parent(void)
{
    pid_t parent = getppid();
    int fd = parent > 1 ? (int)syscall(SYS_pidfd_open, parent, 0) : -1;
    struct pollfd end = {.fd = fd, .events = POLLIN};
    if (fd < 0)
        return; /* it is gone */
    while (poll(&end, 1, -1) < 0 && errno == EINTR)
        ;
    close(fd);
}

/* What is in memory already, that is: nothing is filled or read from disk. */
static void touch(unsigned long from, unsigned long to, bool to_write)
{
    static unsigned char there[PAGES_AT_ONCE];
    for (unsigned long n; from < to; from += n * PAGE_BYTES) {
        n = MIN((to - from) / PAGE_BYTES, PAGES_AT_ONCE);
        volatile char *at = (volatile char *)from; // NOLINT(performance-no-int-to-ptr)
        if (mincore((void *)(uintptr_t)from, n * PAGE_BYTES, there))
            return;
        for (unsigned long i = 0; i < n; i++) {
            char byte = there[i] & 1 ? at[i * PAGE_BYTES] : '\0';
            if (to_write && there[i] & 1)
                at[i * PAGE_BYTES] = byte;
        }
    }
}

/* What a fork shares is copied when it is written to, and mapped anew when it is read: a fault for
 * each page, which is most of a cold start. One that waits for its function has the time for it
 * now. */
static void touch_memory(int proc)
{
    char line[512]; /* enough for what is looked at; the rest of a longer line is no mapping */
    unsigned long from = 0;
    unsigned long to = 0;
    char access[5];
    AUTO(fd) int fd = openat(proc, "self/maps", O_RDONLY | O_CLOEXEC);
    FILE *maps = fd < 0 ? NULL : fdopen(fd, "re");
    if (!maps)
        return;
    fd_take(&fd);
    while (fgets(line, sizeof line, maps)) {
        bool kernels = strstr(line, "[v") != NULL; /* vvar and the like */
        if (sscanf(line, "%lx-%lx %4s", &from, &to, access) == 3 && access[0] == 'r' && !kernels)
            touch(from, to, access[1] == 'w' && access[3] == 'p');
    }
    fclose(maps);
}

/* As an ordinary start would have them. */
static void show_variables(const struct sandbox_spec *spec)
{
    const char *from = spec->strings;
    for (uint32_t i = 0; i < spec->argc; i++)
        from += strlen(from) + 1;
    size_t n = (size_t)(spec->strings + spec->strings_len - from);
    memset(variables, 0, variables_size);
    memcpy(variables, from, MIN(n, variables_size - 1)); /* the room of a parked one may be cut */
}

static void join(int channel)
{
    static struct sandbox_spec spec;
    int fds[PACKET_FDS_MAX];
    size_t count = 0;
    char byte = 'p';
    ssize_t n = packet_receive(channel, &spec, sizeof spec, fds, &count);
    if (n != (ssize_t)sizeof spec || count < JOIN_EXTRA)
        _exit(0); /* init does without */
    int report = fds[JOIN_REPORT];
    join_namespaces(fds);
    outlive_parent();
    if (spec.kind == LAUNCH_PARKED)
        touch_memory(fds[JOIN_PROC]);
    if (unshare(CLONE_NEWUSER))
        confine_give_up(report, "user namespace");
    pid_t self = getpid();
    if (write(report, &self, sizeof self) != sizeof self || read(fds[JOIN_GO], &byte, 1) != 1)
        confine_give_up(report, "id maps");
    const struct confinement confinement = {.spec = &spec,
                                            .proc = fds[JOIN_PROC],
                                            .out = fds[JOIN_OUT],
                                            .extra = count > JOIN_EXTRA ? fds[JOIN_EXTRA] : -1,
                                            .parked = fds[JOIN_PARKED],
                                            .dir = "/var/task"};
    const char *failed = confine(&confinement, &report);
    if (failed)
        confine_give_up(report, failed);
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) || !confine_calls()) /* a change of ids has cleared it */
        confine_give_up(report, "seccomp");
    if (spec.kind == LAUNCH_PARKED && write(LAUNCH_PARKED_FD, "p", 1) != 1)
        confine_give_up(report, "park");
    show_variables(&spec);
    memset(&spec, 0, sizeof spec);
    close(report);
}

/* ---- in the zygote ---- */

/* Has a pid that no payload gets: the copy is the second process of its sandbox, as any payload. */
static pid_t fork_between(void)
{
    pid_t pid = 30000;
    struct clone_args args = {
        .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

/* By a child in the sandbox's pid namespace, which ends at once: so the copy becomes init's own.
 * The child moves into the cgroup first, so that what the kernel needs for the copy counts there.
 * True: in the copy. */
static bool fork_into(const int *fds, size_t count)
{
    pid_t between = fork_between();
    if (between == 0) {
        for (size_t i = 2; i < count; i++) {
            if (write(fds[i], "0", 1) != 1)
                _exit(1);
        }
        pid_t pid = fork_of_libc();
        if (pid == 0)
            return true;
        _exit(pid < 0);
    }
    while (between > 0 && waitpid(between, NULL, 0) < 0 && errno == EINTR)
        ;
    return false;
}

/* Returns in forks only. */
static void serve(void)
{
    struct zygote_order order;
    const struct control_event ready = {.magic = CONTROL_MAGIC, .what = CONTROL_PARKED};
    int fds[PACKET_FDS_MAX];
    size_t count = 0;
    if (!packet_send(ZYGOTE_FD_CONTROL, &ready, sizeof ready, NULL, 0))
        _exit(1);
    for (;;) {
        ssize_t n = packet_receive(ZYGOTE_FD_ORDERS, &order, sizeof order, fds, &count);
        if (n <= 0)
            _exit(n < 0);
        if (n == (ssize_t)sizeof order && order.magic == LAUNCH_MAGIC && count >= 2 &&
            !setns(fds[0], CLONE_NEWPID) && fork_into(fds, count))
            break;
        if (setns(ZYGOTE_FD_PIDS, CLONE_NEWPID))
            _exit(1);
        packet_close_fds(fds, count);
    }
    is_zygote = false;
    join(fds[1]);
}

__attribute__((visibility("default"))) pid_t fork(void)
{
    if (!is_zygote)
        return fork_of_libc();
    serve();
    return 0;
}
