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
    PAGES_A_LOOK = 32,
    RUNS_MAX = 1024,
};

static bool is_zygote; /* not one of its forks */
static pid_t (*fork_of_libc)(void);
static char *variables; /* the block that /proc/PID/environ shows */
static size_t variables_size;
static unsigned char own_fds[LAUNCH_PARKED_FD]; /* what the interpreter has open: 1 */

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

/* ---- its memory ----
 *
 * What a fork shares is copied when it is written to, and mapped anew when it is read: a fault for
 * each page, which is most of a cold start, and more so in a virtual machine. Asked for, the kernel
 * copies and maps without; and what one that waits for its function uses meanwhile is there for the
 * processor, too. (Where that was measured, a page took 30 us at its first use; 13 once it was
 * copied, which took 5; nothing once it was used.) */

/* Pages that are in memory. */
static struct run {
    unsigned long from;
    unsigned long to;
    bool own; /* to write to */
    bool file;
} runs[RUNS_MAX];
static size_t run_count;

static char *page(unsigned long at)
{
    return (char *)(uintptr_t)at; // NOLINT(performance-no-int-to-ptr)
}

/* Only root is told what is in memory of a file that it may not write to. */
static void add_runs(const struct run *region)
{
    static unsigned char there[PAGES_AT_ONCE];
    size_t n = 0;
    for (unsigned long at = region->from; at < region->to; at += n * PAGE_BYTES) {
        n = MIN((region->to - at) / PAGE_BYTES, PAGES_AT_ONCE);
        if (mincore(page(at), n * PAGE_BYTES, there))
            return;
        for (size_t i = 0, end; i < n; i = end) {
            for (end = i + 1; end < n && (there[end] & 1) == (there[i] & 1);)
                end++;
            if (there[i] & 1 && run_count < RUNS_MAX)
                runs[run_count++] = (struct run){at + i * PAGE_BYTES, at + end * PAGE_BYTES,
                                                 region->own, region->file};
        }
    }
}

static void find_runs(int proc)
{
    char line[512]; /* enough for what is looked at; the rest of a longer line is no mapping */
    char access[5];
    struct run region;
    AUTO(fd) int fd = openat(proc, "self/maps", O_RDONLY | O_CLOEXEC);
    FILE *maps = fd < 0 ? NULL : fdopen(fd, "re");
    if (!maps)
        return;
    fd_take(&fd);
    while (fgets(line, sizeof line, maps)) {
        bool kernels = strstr(line, "[v") != NULL; /* vvar and the like */
        bool found = sscanf(line, "%lx-%lx %4s", &region.from, &region.to, access) == 3;
        if (!found || access[0] != 'r' || kernels)
            continue;
        region.own = access[1] == 'w' && access[3] == 'p';
        region.file = strchr(line, '/') != NULL;
        add_runs(&region);
    }
    fclose(maps);
}

/* Of the interpreter's own data few functions write to half, so those that do not wait share it.
 * Before Linux 5.14 nothing happens here. */
static void ask_for_memory(bool all)
{
    for (const struct run *run = runs; run < runs + run_count; run++) {
        if (all || !run->own || !run->file)
            madvise(page(run->from), run->to - run->from,
                    run->own ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    }
}

/* Until its function comes: false. */
static bool use(const struct run *run)
{
    struct pollfd function = {.fd = LAUNCH_PARKED_FD, .events = POLLIN};
    for (unsigned long at = run->from; at < run->to; at += PAGE_BYTES) {
        if ((at - run->from) / PAGE_BYTES % PAGES_A_LOOK == 0 && poll(&function, 1, 0) != 0)
            return false;
        volatile char *byte = page(at);
        char value = *byte;
        if (run->own)
            *byte = value;
    }
    return true;
}

/* First what functions are sure to use. */
static void use_memory(void)
{
    bool goes_on = true;
    for (int own = 1; own >= 0; own--) {
        for (const struct run *run = runs; goes_on && run < runs + run_count; run++) {
            if (run->own == own)
                goes_on = use(run);
        }
    }
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

/* Interpreters close in their forks what they had open themselves, and end if it is not there. They
 * get something that leads nowhere instead. */
static bool stand_in_for_own(void)
{
    for (int fd = ZYGOTE_FD_PIDS + 1; fd < LAUNCH_PARKED_FD; fd++) {
        if (own_fds[fd] && dup3(0, fd, O_CLOEXEC) != fd)
            return false;
    }
    return true;
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
    bool waits = spec.kind == LAUNCH_PARKED;
    join_namespaces(fds);
    outlive_parent();
    if (unshare(CLONE_NEWUSER))
        confine_give_up(report, "user namespace");
    pid_t self = getpid();
    if (write(report, &self, sizeof self) != sizeof self || read(fds[JOIN_GO], &byte, 1) != 1)
        confine_give_up(report, "id maps");
    find_runs(fds[JOIN_PROC]);
    ask_for_memory(waits);
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
    if (!stand_in_for_own())
        confine_give_up(report, "descriptors");
    if (waits && write(LAUNCH_PARKED_FD, "p", 1) != 1)
        confine_give_up(report, "park");
    show_variables(&spec);
    memset(&spec, 0, sizeof spec);
    close(report);
    if (waits)
        use_memory();
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

static void note_own_fds(void)
{
    for (int fd = ZYGOTE_FD_PIDS + 1; fd < LAUNCH_PARKED_FD; fd++)
        own_fds[fd] = fcntl(fd, F_GETFD) >= 0;
}

/* Returns in forks only. */
static void serve(void)
{
    struct zygote_order order;
    const struct control_event ready = {.magic = CONTROL_MAGIC, .what = CONTROL_PARKED};
    int fds[PACKET_FDS_MAX];
    size_t count = 0;
    note_own_fds();
    if (unshare(CLONE_VM)) /* refused if there is another thread, which may hold a lock for ever */
        _exit(1);
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
