/* lambkin-launch: the only privileged program. Starts the daemon without privilege, makes and ends
 * sandboxes at its request, starts it again when it dies. No parser, no network, no threads. */
#include "launch/launcher.h"
#include "launch/packet.h"
#include "launch/tmp_image.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    EXIT_USAGE = 2,
    EXIT_FAILED = 1,
    QUIET_NS = 2000000,      /* spares are made only after this pause: they never delay a request */
    CRASH_WINDOW_MS = 10000, /* a daemon that lived longer starts again at once */
    CRASH_PAUSE_MS = 50,     /* one that did not, after a pause that doubles */
    CRASH_PAUSE_MAX_MS = 5000,
    SPARE_PAUSE_MS = 1000,
    USUAL_TMP_MB = 512, /* AWS's default */
    STOP_SIGNALS = 3,   /* as many, and the daemon is no longer asked */
    LEAVE_RETRY_MS = 2,
    LEAVE_AT_ONCE = 4,
    LEAVING_MAX = 64,
};

/* ---- talking to the daemon ---- */

void launcher_reply(struct launcher *l, const struct launch_reply *reply, const int *fds,
                    size_t fd_count)
{
    struct launch_reply out = *reply;
    out.magic = LAUNCH_MAGIC;
    if (l->daemon_socket >= 0 && !packet_send(l->daemon_socket, &out, sizeof out, fds, fd_count))
        log_warn("launch.reply", "event=%u id=%" PRIu64 " errno=%d", out.event, out.id, errno);
}

static void refuse(struct launcher *l, uint32_t op, uint64_t id, const struct err *err)
{
    struct launch_reply reply = {.event = LAUNCH_REFUSED, .op = op, .id = id, .os = err->os};
    snprintf(reply.text, sizeof reply.text, "%.159s", err->msg);
    log_warn("launch.refused", "id=%" PRIu64 " err=%s", id, err->msg);
    launcher_reply(l, &reply, NULL, 0);
}

void launcher_refuse(struct launcher *l, uint64_t id, const struct err *err)
{
    refuse(l, 0, id, err);
}

bool launcher_watch(struct launcher *l, int fd, enum watch what, unsigned slot)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)what << 32 | slot};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Frees up to n slots whose sandboxes are gone. */
static void leave(struct launcher *l, unsigned n)
{
    for (unsigned i = 0; n && i < l->config.max; i++) {
        if (l->slots[i].state == SLOT_LEAVING)
            n -= slot_leave(l, &l->slots[i]);
    }
}

static struct slot *prepare(struct launcher *l, const struct launch_request *request,
                            struct err *err)
{
    struct slot *slot = slot_find(l, SLOT_FREE);
    if (!slot) {
        leave(l, l->config.max);
        slot = slot_find(l, SLOT_FREE);
    }
    if (!slot) {
        err_set(err, FAULT_LIMIT, "all %u sandboxes are in use", l->config.max);
        return NULL;
    }
    bool unpack = request->spec.kind == LAUNCH_UNPACK;
    if (request->spec.kind == LAUNCH_ZYGOTE)
        return slot_prepare_zygote(l, slot, err) ? slot : NULL;
    return slot_prepare(l, slot, unpack ? 0 : request->spec.tmp_size, err) ? slot : NULL;
}

static void spawn(struct launcher *l, const struct launch_request *request, const int fds[2])
{
    struct err err = {FAULT_NONE, 0, ""};
    struct slot *slot = slot_by_id(l, request->id);
    if (slot) {
        err_set(&err, FAULT_CONFLICT, "id is in use");
        launcher_refuse(l, request->id, &err);
        return;
    }
    bool zygote = request->spec.kind == LAUNCH_ZYGOTE; /* spares have a pid namespace */
    slot = zygote ? NULL : slot_find(l, SLOT_SPARE);
    if (slot) {
        slot->step_us[STEP_SPARE] = 0;
        if (!slot_assign(l, slot, request, fds))
            slot_kill(l, slot);
        return;
    }
    slot = zygote ? NULL : slot_unclaimed(l);
    if (!slot)
        slot = prepare(l, request, &err);
    if (!slot) {
        launcher_refuse(l, request->id, &err);
        return;
    }
    slot->waiting = NEW(launch_request);
    *slot->waiting = *request;
    for (int i = 0; i < 2; i++)
        slot->waiting_fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
}

/* init gives what it gets to the function's user, with root's right to do so: only the daemon's own
 * pipes, and the socket that its zips come from. */
static bool is_pipe(const struct launcher *l, int fd)
{
    uid_t owner = l->config.rootless ? geteuid() : l->config.daemon_uid;
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_uid == owner &&
           (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
}

static bool is_socket(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool are_fit(const struct launcher *l, const struct launch_request *request, const int *fds,
                    size_t count, struct err *err)
{
    bool unpack = request->spec.kind == LAUNCH_UNPACK;
    if (count == 2 && is_pipe(l, fds[0]) && (unpack ? is_socket(fds[1]) : is_pipe(l, fds[1])))
        return true;
    return err_set(err, FAULT_INVALID,
                   "descriptors: two pipes to write to are due, or one and a socket");
}

static void answer(struct launcher *l, const struct launch_request *request, bool ok,
                   const struct err *err)
{
    const struct launch_reply done = {.event = LAUNCH_DONE, .op = request->op, .id = request->id};
    if (ok)
        launcher_reply(l, &done, NULL, 0);
    else
        refuse(l, request->op, request->id, err);
}

static void obey(struct launcher *l, const struct launch_request *request, const int *fds,
                 size_t fd_count)
{
    struct err err = {FAULT_NONE, 0, ""};
    struct slot *slot = NULL;
    switch ((enum launch_op)request->op) {
    case LAUNCH_SPAWN:
        warmer_call(&l->warmer);
        if (are_fit(l, request, fds, fd_count, &err))
            spawn(l, request, fds);
        else
            launcher_refuse(l, request->id, &err);
        break;
    case LAUNCH_KILL:
        slot = slot_by_id(l, request->id);
        if (slot)
            slot_kill(l, slot);
        break;
    case LAUNCH_ASSIGN:
        slot = slot_by_id(l, request->id);
        if (!slot_assign_parked(l, slot, &request->spec, &err))
            launcher_refuse(l, request->id, &err);
        break;
    case LAUNCH_TUNE:
        slot = slot_by_id(l, request->id);
        answer(l, request,
               slot ? cgroup_tune(&l->cgroups, slot->number, &request->spec.cpu, &err)
                    : err_set(&err, FAULT_NOT_FOUND, "no such sandbox"),
               &err);
        break;
    case LAUNCH_FORGET_CODE:
        answer(l, request, code_forget(l, request->spec.code, &err), &err);
        break;
    }
}

static void on_daemon_packet(struct launcher *l)
{
    static struct launch_request request;
    struct err err;
    int fds[PACKET_FDS_MAX];
    size_t count = 0;
    ssize_t n = packet_receive(l->daemon_socket, &request, sizeof request, fds, &count);
    if (n == 0 || (n < 0 && errno != EMSGSIZE)) {
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->daemon_socket, NULL);
        close(fd_take(&l->daemon_socket)); /* its end is on its way */
        return;
    }
    if (n > 0 && launch_request_check(&request, (size_t)n, &l->config, &err))
        obey(l, &request, fds, count);
    else {
        if (n < 0)
            err_set(&err, FAULT_INVALID, "bad request: too large");
        else
            err_add(&err, "bad request");
        launcher_refuse(l, n == (ssize_t)sizeof request ? request.id : 0, &err);
    }
    packet_close_fds(fds, count);
}

/* ---- the daemon as a process ---- */

static _Noreturn void become_daemon(struct launcher *l, int socket)
{
    const struct launch_config *c = &l->config;
    char text[16];
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!c->rootless) {
        for (int cap = 0; cap < 64; cap++)
            prctl(PR_CAPBSET_DROP, cap);
        if (setgroups(0, NULL) || setresgid(c->daemon_gid, c->daemon_gid, c->daemon_gid) ||
            setresuid(c->daemon_uid, c->daemon_uid, c->daemon_uid)) {
            fprintf(stderr, "lambkin: cannot become uid %u: %s\n", c->daemon_uid, strerror(errno));
            _exit(EXIT_FAILED);
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* a change of ids clears it */
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _exit(EXIT_FAILED);
    int fd = fcntl(socket, F_DUPFD, 3);
    snprintf(text, sizeof text, "%d", fd);
    if (fd < 0 || setenv("LAMBKIN_LAUNCH_FD", text, 1))
        _exit(EXIT_FAILED);
    int runtimes = fcntl(l->runtimes, F_DUPFD, 3);
    snprintf(text, sizeof text, "%d", runtimes);
    if (runtimes >= 0 && setenv("LAMBKIN_RUNTIMES_FD", text, 1))
        _exit(EXIT_FAILED);
    syscall(SYS_execveat, l->daemon_image, "", c->daemon_argv, environ, AT_EMPTY_PATH);
    fprintf(stderr, "lambkin: cannot start %s: %s\n", c->daemon_argv[0], strerror(errno));
    _exit(EXIT_FAILED);
}

static bool start_daemon(struct launcher *l, struct err *err)
{
    int pair[2];
    int size = 4 << 20; /* many requests may wait while the launcher is busy */
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return err_os(err, errno, "socketpair");
    AUTO(fd) int ours = pair[0];
    AUTO(fd) int theirs = pair[1];
    for (int i = 0; i < 2; i++) { /* root may have more than the host's usual */
        if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size))
            setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    l->daemon_begun_ns = clock_mono_ns();
    pid_t pid = fork();
    if (pid < 0)
        return err_os(err, errno, "fork");
    if (pid == 0)
        become_daemon(l, theirs);
    l->daemon_pid = pid;
    l->daemon_socket = fd_take(&ours);
    launcher_watch(l, l->daemon_socket, WATCH_DAEMON, 0);
    launcher_reply(l, &(struct launch_reply){.event = LAUNCH_HELLO, .facts = l->facts}, NULL, 0);
    return true;
}

static void kill_all(struct launcher *l, bool spares_too)
{
    for (unsigned i = 0; i < l->config.max; i++) {
        struct slot *slot = &l->slots[i];
        if (slot->state == SLOT_LIVE || slot->waiting || spares_too)
            slot_kill(l, slot);
    }
}

static bool any_left(const struct launcher *l, bool spares_too)
{
    return l->in_state[SLOT_LIVE] || l->in_state[SLOT_DYING] || l->in_state[SLOT_LEAVING] ||
           (spares_too && (l->in_state[SLOT_SPARE] || l->in_state[SLOT_PREPARING]));
}

static void on_daemon_exit(struct launcher *l, int status)
{
    bool clean = WIFEXITED(status);
    uint64_t lived_ms = (clock_mono_ns() - l->daemon_begun_ns) / 1000000;
    l->daemon_pid = 0;
    if (l->daemon_socket >= 0) {
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->daemon_socket, NULL);
        close(fd_take(&l->daemon_socket));
    }
    kill_all(l, clean || l->stopping);
    if (!clean && l->stopping)
        log_error("launch.daemon", "died signal=%d while it was stopping", WTERMSIG(status));
    if (clean || l->stopping) {
        l->stopping = true; /* it said itself that it is done, or that it cannot run */
        l->exit_code = clean ? WEXITSTATUS(status) : EXIT_FAILED;
        return;
    }
    l->crashes = lived_ms < CRASH_WINDOW_MS ? l->crashes + 1 : 1;
    uint64_t pause_ms = l->crashes < 2 ? 0 : (uint64_t)CRASH_PAUSE_MS << MIN(l->crashes - 2, 7U);
    pause_ms = MIN(pause_ms, (uint64_t)CRASH_PAUSE_MAX_MS);
    l->daemon_at_ns = clock_mono_ns() + pause_ms * 1000000;
    log_error("launch.daemon",
              "died signal=%d lived_ms=%" PRIu64 " crashes=%u again_in_ms=%" PRIu64,
              WTERMSIG(status), lived_ms, l->crashes, pause_ms);
}

static void on_signal(struct launcher *l)
{
    struct signalfd_siginfo info;
    while (read(l->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            int status = 0;
            if (l->daemon_pid > 0 && waitpid(l->daemon_pid, &status, WNOHANG) == l->daemon_pid)
                on_daemon_exit(l, status);
        } else if (info.ssi_signo == SIGHUP || info.ssi_signo == SIGTERM ||
                   info.ssi_signo == SIGINT) {
            l->stopping = true;
            if (l->daemon_pid > 0) /* people who ask again and again want it gone */
                kill(l->daemon_pid, ++l->stop_signals < STOP_SIGNALS ? SIGTERM : SIGKILL);
            else /* it died just now, and nobody else ends what waited for the next one */
                kill_all(l, true);
        }
    }
}

/* ---- the loop ---- */

static void refill(struct launcher *l)
{
    struct err err;
    struct slot *slot = slot_find(l, SLOT_FREE);
    if (slot && !slot_prepare(l, slot, l->usual_tmp, &err)) {
        log_error("launch.spare", "err=%s", err.msg);
        launcher_no_spares(l);
    }
}

static bool wants_spare(const struct launcher *l)
{
    return !l->stopping && l->daemon_pid > 0 &&
           l->in_state[SLOT_SPARE] + l->in_state[SLOT_PREPARING] < l->config.spares;
}

static void on_event(struct launcher *l, uint64_t data)
{
    struct slot *slot = &l->slots[data & 0xffffffff];
    switch ((enum watch)(data >> 32)) {
    case WATCH_DAEMON:
        if (l->daemon_socket >= 0)
            on_daemon_packet(l);
        break;
    case WATCH_SIGNAL:
        on_signal(l);
        break;
    case WATCH_SLOT_SOCKET:
        if (slot->state == SLOT_PREPARING)
            slot_on_hello(l, slot);
        else if (slot->socket >= 0)
            epoll_ctl(l->epoll, EPOLL_CTL_DEL, slot->socket, NULL); /* its end; the exit follows */
        break;
    case WATCH_SLOT_EXIT:
        if (slot->pidfd >= 0)
            slot_on_exit(l, slot);
        break;
    }
}

/* Making and removing cgroups waits for the kernel's one lock, which a sandbox that is just being
 * prepared may hold for tens of milliseconds (an RCU grace period): so slots are freed in quiet
 * moments, a few at a time, and not while one prepares; unless too many wait or the end is near. */
static unsigned may_leave(const struct launcher *l, bool quiet)
{
    unsigned waiting = l->in_state[SLOT_LEAVING];
    if (l->stopping || waiting > LEAVING_MAX)
        return waiting;
    return quiet && !l->in_state[SLOT_PREPARING] ? LEAVE_AT_ONCE : 0;
}

static int left_ms(uint64_t until_ns)
{
    uint64_t now = clock_mono_ns();
    return now >= until_ns ? 0 : (int)((until_ns - now) / 1000000) + 1;
}

void launcher_no_spares(struct launcher *l)
{
    l->spare_at_ns = clock_mono_ns() + (uint64_t)SPARE_PAUSE_MS * 1000000;
}

static int wait_ms(const struct launcher *l)
{
    if (l->in_state[SLOT_LEAVING])
        return LEAVE_RETRY_MS;
    if (wants_spare(l))
        return QUIET_NS / 1000000 + left_ms(l->spare_at_ns);
    if (!l->stopping && l->daemon_pid <= 0 && !any_left(l, false))
        return left_ms(l->daemon_at_ns);
    return -1;
}

static int run(struct launcher *l)
{
    struct epoll_event events[64];
    struct err err;
    for (;;) {
        if (l->stopping && l->daemon_pid <= 0 && !any_left(l, true))
            return l->exit_code;
        if (!l->stopping && l->daemon_pid <= 0 && !any_left(l, false) &&
            left_ms(l->daemon_at_ns) == 0 && !start_daemon(l, &err)) {
            log_error("launch.daemon", "err=%s", err.msg);
            return EXIT_FAILED;
        }
        int n = epoll_wait(l->epoll, events, COUNT_OF(events), wait_ms(l));
        for (int i = 0; i < n; i++)
            on_event(l, events[i].data.u64);
        leave(l, may_leave(l, n <= 0));
        if (n <= 0 && wants_spare(l) && left_ms(l->spare_at_ns) == 0 &&
            clock_mono_ns() - l->last_spawn_ns > QUIET_NS)
            refill(l);
    }
}

/* ---- start ---- */

/* A copy that nobody can change any more: what pid 1 of each sandbox runs. */
static bool load_init(struct launcher *l, struct err *err)
{
    char path[512];
    static char block[65536];
    snprintf(path, sizeof path, "%s/lambkin-init", l->config.libexec);
    AUTO(fd) int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return err_os(err, errno, "open %s", path);
    l->init_image = memfd_create("lambkin-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (l->init_image < 0)
        return err_os(err, errno, "memfd_create");
    for (ssize_t n; (n = read(from, block, sizeof block)) != 0;) {
        if (n < 0 || write(l->init_image, block, (size_t)n) != n)
            return err_os(err, errno, "copy %s", path);
    }
    if (fchmod(l->init_image, 0500) ||
        fcntl(l->init_image, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
        return err_os(err, errno, "seal lambkin-init");
    return true;
}

static void find_facts(struct launcher *l)
{
    struct err err;
    const struct cgroups *c = &l->cgroups;
    l->facts = (struct launch_facts){
        .rootless = l->config.rootless,
        .cgroup = (uint8_t)c->mode,
        .can_memory = c->parent[CGROUP_MEMORY] >= 0,
        .can_cpu = c->parent[CGROUP_CPU] >= 0,
        .can_pids = c->parent[CGROUP_PIDS] >= 0,
        .can_freeze = c->parent[CGROUP_FREEZE] >= 0,
        .tmp = tmp_image_possible(&err) ? TMP_LOOP : TMP_TMPFS,
        .separate_ids = !l->config.rootless,
        .seccomp = 1,
        .zygotes = !l->config.rootless,
    };
}

static bool strict_check(const struct launcher *l, struct err *err)
{
    const struct launch_facts *f = &l->facts;
    const struct {
        bool there;
        const char *what;
    } pieces[] = {{f->can_memory, "a memory limit (no memory cgroup)"},
                  {f->can_pids, "a process limit (no pids cgroup)"},
                  {f->can_cpu, "a processor share (no cpu cgroup)"},
                  {f->can_freeze, "freezing by cgroup"},
                  {f->separate_ids, "a host uid per sandbox (not root)"},
                  {f->tmp == TMP_LOOP, "a /tmp that is not memory (no loop devices or no mke2fs)"}};
    for (size_t i = 0; l->config.strict && i < COUNT_OF(pieces); i++) {
        if (!pieces[i].there)
            return err_set(err, FAULT_UNAVAILABLE,
                           "isolation = strict, but this host cannot give %s; see lambkin doctor",
                           pieces[i].what);
    }
    return true;
}

/* The daemon inherits it. For a busy environment it has up to twelve descriptors, its caller's
 * among them, and clients keep idle connections. Root may have more than the host's usual. */
static void raise_fd_limit(unsigned sandboxes)
{
    enum { FDS_EACH = 16, FDS_CLIENTS = 16384 };
    const rlim_t wanted = FDS_CLIENTS + (rlim_t)FDS_EACH * sandboxes;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = MAX(limit.rlim_max, wanted);
    if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){limit.rlim_cur, limit.rlim_cur})) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool launcher_open(struct launcher *l, char **argv, struct err *err)
{
    sigset_t set;
    l->argv = argv;
    l->daemon_socket = -1;
    if (!launch_config_parse(&l->config, argv, err))
        return false;
    raise_fd_limit(l->config.max);
    umask(022);
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->signals < 0 || l->epoll < 0 || !launcher_watch(l, l->signals, WATCH_SIGNAL, 0))
        return err_os(err, errno, "set up the loop");
    /* An installation below a folder like /root is reached before the privilege is dropped. */
    l->daemon_image = open(l->config.daemon_argv[0], O_PATH | O_CLOEXEC);
    l->runtimes = open(l->config.runtimes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l->daemon_image < 0)
        return err_os(err, errno, "open %s", l->config.daemon_argv[0]);
    if (!code_open(l, err) || !load_init(l, err))
        return false;
    cgroups_open(&l->cgroups, &l->config);
    warmer_start(&l->warmer, &l->cgroups, &l->config); /* slower without it, and no worse */
    find_facts(l);
    if (!strict_check(l, err))
        return false;
    slots_open(l);
    l->usual_tmp = (uint64_t)USUAL_TMP_MB << 20;
    return true;
}

int main(int argc, char **argv)
{
    static struct launcher launcher;
    struct err err;
    (void)argc;
    if (!launcher_open(&launcher, argv, &err)) {
        fprintf(stderr, "lambkin: %s\n", err.msg);
        return err.fault == FAULT_INVALID ? EXIT_USAGE : EXIT_FAILED;
    }
    int code = run(&launcher);
    warmer_stop(&launcher.warmer);
    cgroups_close(&launcher.cgroups, &launcher.config);
    return code;
}
