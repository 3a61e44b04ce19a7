/* lambkin-init: pid 1 of one sandbox. Prepares what does not depend on the function, waits for its
 * assignment, mounts the rest, then starts, restarts and reaps the payload as the daemon orders.
 *
 *   PREPARE --hello--> SPARE --assignment--> ASSIGNED --START--> RUNNING
 *                        \--parked assignment--> PARKED --START--> its runtime boots and waits
 *                                                  \--assignment--> ASSIGNED
 *
 * For a zygote it prepares the same, a procfs aside, and becomes the interpreter (interpreter.c).
 *
 * It ends, and with it everything in its pid namespace, when the launcher or the daemon closes its
 * socket. */
#include "launch/init.h"
#include "launch/packet.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_SETUP = 120 }; /* of init itself, seen by the launcher */

static struct init_assignment assignment; /* large, and there is only one */

static uint32_t since_us(uint64_t begun)
{
    return (uint32_t)((clock_mono_ns() - begun) / 1000);
}

/* ---- prepare ---- */

static bool prepare(struct init_root *root, const struct launch_config *config,
                    int given[INIT_HELLO_FDS], struct err *err)
{
    given[INIT_LISTENERS] = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (given[INIT_LISTENERS] < 0)
        return err_os(err, errno, "open the pid namespace");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return err_os(err, errno, "prctl");
    if (config->rootless && (setresgid(0, 0, 0) || setresuid(0, 0, 0)))
        return err_os(err, errno, "become root of the user namespace");
    if (!config->rootless && setgroups(0, NULL))
        return err_os(err, errno, "drop groups");
    umask(0);
    setsid();
    const char *tmp = getenv(INIT_TMP);
    if (!mount_prepare(root, config, tmp, err))
        return false;
    if (tmp)
        close(INIT_FD_LOOP);
    static const char hostname[] = "169.254.100.1"; /* Lambda's hosts are called by their address */
    if (!net_prepare(given, err))
        return false;
    return sethostname(hostname, sizeof hostname - 1) == 0 || err_os(err, errno, "sethostname");
}

static void say_hello(const struct err *err, uint64_t begun, const int given[INIT_HELLO_FDS])
{
    struct init_hello hello = {.prepare_us = since_us(begun)};
    if (err->fault != FAULT_NONE) {
        hello.os = err->os ? err->os : EIO;
        snprintf(hello.text, sizeof hello.text, "%.159s", err->msg);
    }
    if (!packet_send(INIT_FD_LAUNCHER, &hello, sizeof hello, given, hello.os ? 0 : INIT_HELLO_FDS))
        _exit(EXIT_SETUP);
}

enum given { GIVEN_CONTROL, GIVEN_OUT, GIVEN_EXTRA, GIVEN_CHANNEL, GIVEN_LOOP, GIVEN };

/* Waits for the assignment; -1 stands for descriptors that it does not bring. */
static void take_assignment(int fds[GIVEN])
{
    int got[PACKET_FDS_MAX];
    size_t count = 0;
    ssize_t n = packet_receive(INIT_FD_LAUNCHER, &assignment, sizeof assignment, got, &count);
    size_t loop = GIVEN_CHANNEL + (assignment.forked ? 1U : 0U);
    if (n != (ssize_t)sizeof assignment || count != loop + (*assignment.tmp ? 1U : 0U))
        _exit(n == 0 ? 0 : EXIT_SETUP);
    for (size_t i = 0; i < GIVEN_CHANNEL; i++)
        fds[i] = got[i];
    fds[GIVEN_CHANNEL] = assignment.forked ? got[GIVEN_CHANNEL] : -1;
    fds[GIVEN_LOOP] = *assignment.tmp ? got[loop] : -1;
}

/* ---- after the assignment ---- */

/* What init still needs: mapping the payload's id, ending it. It owns nothing in the host any more.
 */
static bool keep_few_capabilities(bool rootless)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    uint32_t keep = (1U << CAP_SETUID) | (1U << CAP_SETGID) | (1U << CAP_KILL);
    /* Rootless, the inner namespace's ids are mapped by us, and the outer one's root is among them:
     * since Linux 5.12 that needs CAP_SETFCAP too. All of it holds over our own namespaces only. */
    if (rootless)
        keep |= (1U << CAP_SYS_ADMIN) | (1U << CAP_SETFCAP);
    data[0].effective = data[0].permitted = keep;
    for (int cap = 0; cap < 64; cap++) {
        bool kept = cap < 32 && (keep & (1U << cap));
        if (!kept && prctl(PR_CAPBSET_DROP, cap) && errno != EINVAL)
            return false;
    }
    return syscall(SYS_capset, &header, data) == 0;
}

struct init {
    struct payload payload;
    struct init_root root;
    struct launch_config config;
    int control;
    int signals;
    pid_t extensions[LAUNCH_EXTENSIONS_MAX]; /* 0 = none */
    uint32_t run;                            /* inits so far */
    bool run_open;                           /* this one has extensions and no runtime yet */
    uint32_t mount_us;
    bool parked; /* the function is still to come */
    bool waits;  /* the parked runtime has booted */
    bool failed; /* the mounts did not work: START is answered with FAILED */
    struct err err;
};

static void tell_with(struct init *init, struct control_event event, int fd)
{
    event.magic = CONTROL_MAGIC;
    event.run = init->run;
    if (!packet_send(init->control, &event, sizeof event, &fd, fd >= 0 ? 1 : 0))
        _exit(0); /* the daemon is gone, so are we */
}

static void tell(struct init *init, struct control_event event)
{
    tell_with(init, event, -1);
}

static void reap(struct init *init, int flags);

/* A parked runtime that still lives goes on with its function; of one that does not, nothing is
 * left. */
static bool is_handed_over(struct init *init)
{
    if (init->payload.parked < 0)
        return false;
    if (init->payload.pid && init->waits && payload_hand_over(&init->payload))
        return true;
    pid_t pid = init->payload.pid;
    init->payload.pid = 0; /* its end is nobody's business any more */
    if (pid) {             /* extensions may run already: only what it is itself */
        kill(-pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return false;
}

static void add_fork(struct control_event *event, struct payload_fork *fork)
{
    event->fork = fork->how;
    event->os = fork->os;
    memcpy(event->step, fork->step, sizeof event->step);
    *fork = (struct payload_fork){0};
}

static void start(struct init *init)
{
    struct control_event event = {.what = CONTROL_STARTED, .mount_us = init->mount_us};
    const char *step = NULL;
    uint64_t begun = clock_mono_ns();
    init->run += !init->run_open;
    init->run_open = false;
    if (init->failed) {
        event.what = CONTROL_FAILED;
        event.os = init->err.os;
        snprintf(event.step, sizeof event.step, "%.31s", init->err.msg);
    } else if (!is_handed_over(init) && !payload_start(&init->payload, &step, &event.os)) {
        event.what = CONTROL_FAILED;
        snprintf(event.step, sizeof event.step, "%.31s", step);
    }
    if (event.what == CONTROL_STARTED)
        add_fork(&event, &init->payload.fork);
    event.ids_us = since_us(begun);
    tell(init, event);
}

/* The name is a file's in one folder, whatever it holds: the sandbox confines what it leads to. */
static void start_extension(struct init *init, const struct control_order *order, int out)
{
    struct control_event event = {.what = CONTROL_STARTED, .process = order->process};
    char path[sizeof order->name + 20];
    const char *step = "order";
    pid_t pid = -1;
    init->run += !init->run_open;
    init->run_open = true;
    if (init->failed) {
        event.os = init->err.os;
        step = init->err.msg;
    } else if (order->process - 1 < LAUNCH_EXTENSIONS_MAX && out >= 0 &&
               !init->extensions[order->process - 1] &&
               !memchr(order->name, '/', LAUNCH_FILE_MAX)) {
        snprintf(path, sizeof path, "/opt/extensions/%.*s", LAUNCH_FILE_MAX, order->name);
        pid = payload_start_extension(&init->payload, &(struct payload_extension){path, out}, &step,
                                      &event.os);
    }
    if (pid > 0) {
        init->extensions[order->process - 1] = pid;
        event.os = 0;
    } else {
        event.what = CONTROL_FAILED;
        snprintf(event.step, sizeof event.step, "%.31s", step);
    }
    tell(init, event);
}

static void extension_ended(struct init *init, pid_t pid, int status)
{
    for (uint32_t i = 0; i < LAUNCH_EXTENSIONS_MAX; i++) {
        if (init->extensions[i] != pid)
            continue;
        init->extensions[i] = 0;
        tell(init,
             (struct control_event){.what = CONTROL_EXITED, .process = i + 1, .status = status});
    }
}

static void payload_ended(struct init *init, int status)
{
    init->payload.pid = 0;
    tell(init, (struct control_event){.what = CONTROL_EXITED, .status = status});
    if (assignment.spec.kind == LAUNCH_UNPACK) /* the launcher reads the outcome from our exit */
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SETUP);
}

/* Collects the dead; orphans of the sandbox are our children too. */
static void reap(struct init *init, int flags)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, flags);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid <= 0)
            return;
        if (pid == init->payload.pid)
            payload_ended(init, status);
        else
            extension_ended(init, pid, status);
    }
}

static void kill_everything(struct init *init)
{
    kill(-1, SIGKILL); /* everything in this pid namespace but ourselves, a fork that waits too */
    if (init->payload.zygote >= 0)
        close(fd_take(&init->payload.zygote));
    reap(init, 0);
}

/* 0: it does not live. */
static pid_t pid_of(const struct init *init, uint32_t process)
{
    if (process == 0)
        return init->payload.pid;
    return process <= LAUNCH_EXTENSIONS_MAX ? init->extensions[process - 1] : 0;
}

static void signal_group(const struct init *init, uint32_t process, int number)
{
    pid_t pid = pid_of(init, process);
    if (pid)
        kill(-pid, number);
}

static void connect_to(struct init *init, const struct control_order *order)
{
    struct control_event event = {.what = CONTROL_CONNECTED, .process = order->process};
    AUTO(fd) int fd = net_connect((uint16_t)order->port, &event.os);
    tell_with(init, event, fd);
}

static void obey(struct init *init, const struct control_order *order, int fd)
{
    switch ((enum control_op)order->op) {
    case CONTROL_START:
        if (!init->payload.pid || (init->payload.parked >= 0 && !init->parked))
            start(init);
        break;
    case CONTROL_STOP:
        kill(-1, SIGSTOP);
        break;
    case CONTROL_CONTINUE:
        kill(-1, SIGCONT);
        break;
    case CONTROL_KILL_ALL:
        kill_everything(init);
        init->run_open = false;
        tell(init, (struct control_event){.what = CONTROL_CLEARED});
        break;
    case CONTROL_TERM:
        signal_group(init, order->process, SIGTERM);
        break;
    case CONTROL_KILL:
        signal_group(init, order->process, SIGKILL);
        break;
    case CONTROL_EXTENSION:
        start_extension(init, order, fd);
        break;
    case CONTROL_CONNECT:
        connect_to(init, order);
        break;
    }
}

static void on_control(struct init *init)
{
    struct control_order order;
    int fds[PACKET_FDS_MAX];
    size_t count = 0;
    ssize_t n = packet_receive(init->control, &order, sizeof order, fds, &count);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EMSGSIZE))
        _exit(0);
    if (n == (ssize_t)sizeof order && order.magic == CONTROL_MAGIC)
        obey(init, &order, count ? fds[0] : -1);
    packet_close_fds(fds, count);
}

/* Nothing of the host stays in reach: after this only what init still needs. */
static void settle(struct init *init)
{
    if (!keep_few_capabilities(init->config.rootless))
        init->failed = !err_os(&init->err, errno, "drop capabilities");
}

static void on_parked(struct init *init)
{
    char byte = 0;
    init->waits = true; /* or it is about to end */
    if (read(init->payload.parked, &byte, 1) == 1)
        tell(init, (struct control_event){.what = CONTROL_PARKED});
}

/* The function of a parked runtime, or the end. */
static void on_launcher(struct init *init)
{
    int fds[PACKET_FDS_MAX];
    size_t count = 0;
    uint64_t begun = clock_mono_ns();
    if (!init->parked)
        _exit(0);
    ssize_t n = packet_receive(INIT_FD_LAUNCHER, &assignment, sizeof assignment, fds, &count);
    if (n != (ssize_t)sizeof assignment || count != (*assignment.tmp ? 1U : 0U))
        _exit(n == 0 ? 0 : EXIT_SETUP);
    init->parked = false;
    if (count) /* the host's /dev is out of sight */
        snprintf(assignment.tmp, sizeof assignment.tmp, "/proc/self/fd/%d", fds[0]);
    init->failed |= !mount_assigned(&init->root, &init->config, &assignment, &init->err);
    packet_close_fds(fds, count);
    if (init->payload.pid && init->waits)
        payload_show_variables(&init->payload);
    settle(init);
    init->mount_us = since_us(begun);
}

static void serve(struct init *init)
{
    struct signalfd_siginfo info;
    struct pollfd fds[] = {{init->control, POLLIN, 0},
                           {INIT_FD_LAUNCHER, POLLIN, 0},
                           {init->signals, POLLIN, 0},
                           {-1, POLLIN, 0}};
    for (;;) {
        fds[3].fd = init->waits ? -1 : init->payload.parked;
        if (poll(fds, COUNT_OF(fds), -1) < 0 && errno != EINTR)
            _exit(EXIT_SETUP);
        if (fds[1].revents)
            on_launcher(init);
        if (fds[3].revents)
            on_parked(init);
        if (fds[2].revents && read(init->signals, &info, sizeof info) > 0)
            reap(init, WNOHANG);
        if (fds[0].revents)
            on_control(init);
    }
}

static int block_signals(void)
{
    sigset_t all;
    sigset_t child;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
    static struct init init;
    struct launch_config *config = &init.config;
    struct err err = {FAULT_NONE, 0, ""};
    int given[INIT_HELLO_FDS] = {-1, -1, -1};
    int fds[GIVEN];
    uint64_t begun = clock_mono_ns();

    if (argc < 2 || !launch_config_parse(config, argv, &err) || close_range(INIT_FDS, ~0U, 0))
        _exit(EXIT_SETUP);
    /* The launcher says by its own state whether we are rootless: inside the namespace our uid is
     * not telling. */
    config->rootless = getenv(INIT_ROOTLESS) != NULL;
    fcntl(INIT_FD_LAUNCHER, F_SETFD, FD_CLOEXEC);
    init.root.zygote = getenv(INIT_ZYGOTE) != NULL;
    if (!prepare(&init.root, config, given, &err)) {
        say_hello(&err, begun, given);
        _exit(EXIT_SETUP);
    }
    say_hello(&err, begun, given);
    packet_close_fds(given, INIT_LISTENERS);

    take_assignment(fds);
    begun = clock_mono_ns();
    init.control = fds[GIVEN_CONTROL];
    init.parked = assignment.spec.kind == LAUNCH_PARKED;
    init.failed = !mount_assigned(&init.root, config, &assignment, &init.err);
    if (init.root.zygote && !init.failed)
        interpreter_start(&assignment, fds, given[INIT_LISTENERS]);
    close(given[INIT_LISTENERS]);
    if (fds[GIVEN_LOOP] >= 0)
        close(fds[GIVEN_LOOP]);
    /* So that /dev/stdout can be opened again by its owner. */
    uid_t owner = config->rootless ? 0 : assignment.host_uid;
    if (fchown(fds[GIVEN_OUT], owner, owner) ||
        (fds[GIVEN_EXTRA] >= 0 && assignment.spec.kind != LAUNCH_UNPACK &&
         fchown(fds[GIVEN_EXTRA], owner, owner)))
        init.failed = !err_os(&init.err, errno, "fchown");
    init.signals = block_signals();
    if (init.signals < 0)
        init.failed = !err_os(&init.err, errno, "signalfd");
    if (!init.parked)
        settle(&init);
    init.mount_us = since_us(begun);
    init.payload = (struct payload){.assignment = &assignment,
                                    .proc = init.root.proc,
                                    .out = fds[GIVEN_OUT],
                                    .extra = fds[GIVEN_EXTRA],
                                    .rootless = config->rootless,
                                    .zygote = fds[GIVEN_CHANNEL],
                                    .parked = -1};
    serve(&init);
}
