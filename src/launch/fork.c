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
    REGIONS_MAX = 512,
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
 * copies and maps without; and what one that waits for its function looks at meanwhile is there
 * for the processor, too. (Where that was measured, a page took 30 us at its first use; 13 once it
 * was copied, which took 5; nothing once it was looked at.) */

static struct region {
    unsigned long from;
    unsigned long to;
    bool own; /* to write to */
    bool file;
} regions[REGIONS_MAX];
static size_t region_count;

static void find_regions(int proc)
{
    char line[512]; /* enough for what is looked at; the rest of a longer line is no mapping */
    char access[5];
    AUTO(fd) int fd = openat(proc, "self/maps", O_RDONLY | O_CLOEXEC);
    FILE *maps = fd < 0 ? NULL : fdopen(fd, "re");
    if (!maps)
        return;
    fd_take(&fd);
    while (region_count < REGIONS_MAX && fgets(line, sizeof line, maps)) {
        struct region *r = &regions[region_count];
        bool kernels = strstr(line, "[v") != NULL; /* vvar and the like */
        bool found = sscanf(line, "%lx-%lx %4s", &r->from, &r->to, access) == 3;
        if (!found || access[0] != 'r' || kernels)
            continue;
        r->own = access[1] == 'w' && access[3] == 'p';
        r->file = strchr(line, '/') != NULL;
        region_count++;
    }
    fclose(maps);
}

static char *page(unsigned long at)
{
    return (char *)(uintptr_t)at; // NOLINT(performance-no-int-to-ptr)
}

/* Of each run of pages that are in memory; nothing is filled or read from disk. False: no more. */
static bool each_run(const struct region *r, bool (*do_it)(const struct region *run))
{
    static unsigned char there[PAGES_AT_ONCE];
    size_t n = 0;
    for (unsigned long at = r->from; at < r->to; at += n * PAGE_BYTES) {
        n = MIN((r->to - at) / PAGE_BYTES, PAGES_AT_ONCE);
        if (mincore(page(at), n * PAGE_BYTES, there))
            return true;
        for (size_t i = 0, end; i < n; i = end) {
            for (end = i + 1; end < n && (there[end] & 1) == (there[i] & 1);)
                end++;
            const struct region run = {at + i * PAGE_BYTES, at + end * PAGE_BYTES, r->own, r->file};
            if (there[i] & 1 && !do_it(&run))
                return false;
        }
    }
    return true;
}

static bool ask_for(const struct region *run)
{
    madvise(page(run->from), run->to - run->from,
            run->own ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    return true;
}

/* Until its function comes. */
static bool look_at(const struct region *run)
{
    struct pollfd function = {.fd = LAUNCH_PARKED_FD, .events = POLLIN};
    for (unsigned long at = run->from; at < run->to; at += PAGE_BYTES) {
        if ((at - run->from) / PAGE_BYTES % PAGES_A_LOOK == 0 && poll(&function, 1, 0) != 0)
            return false;
        volatile char *byte = page(at);
        (void)*byte;
    }
    return true;
}

/* Of the interpreter's own data few functions write to half, so those that do not wait share it. */
static void ask_for_memory(bool all)
{
    for (size_t i = 0; i < region_count; i++) {
        const struct region *r = &regions[i];
        if (all || !r->own || !r->file)
            each_run(r, ask_for);
    }
}

/* First what is sure to be used. */
static void look_at_memory(void)
{
    bool more = true;
    for (int own = 1; own >= 0; own--) {
        for (size_t i = 0; more && i < region_count; i++) {
            if (regions[i].own == own)
                more = each_run(&regions[i], look_at);
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
    for (int fd = 3; fd < LAUNCH_PARKED_FD; fd++) {
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
    find_regions(fds[JOIN_PROC]);
    ask_for_memory(waits);
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
    if (!stand_in_for_own())
        confine_give_up(report, "descriptors");
    if (waits && write(LAUNCH_PARKED_FD, "p", 1) != 1)
        confine_give_up(report, "park");
    show_variables(&spec);
    memset(&spec, 0, sizeof spec);
    close(report);
    if (waits)
        look_at_memory();
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
