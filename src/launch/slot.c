#include "launch/launcher.h"
#include "launch/packet.h"
#include "launch/tmp_image.h"
#include "launch/zygote.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    ASSIGNED_FDS = 3, /* control socket, output, extra; the channel to a fork may follow */
    EXIT_BEFORE_INIT = 121,
    EXIT_NOT_KEPT = 124,   /* of an unpacking that went well but could not be stored */
    ZYGOTE_FULL_MS = 2000, /* a burst fills its queue, too, but never for so long */
};

uid_t launcher_slot_uid(const struct launcher *l, const struct slot *slot)
{
    return l->config.rootless ? 0 : l->config.uid_base + slot->number;
}

struct slot *slot_find(struct launcher *l, enum slot_state state)
{
    for (unsigned i = 0; i < l->config.max; i++) {
        if (l->slots[i].state == state)
            return &l->slots[i];
    }
    return NULL;
}

struct slot *slot_unclaimed(struct launcher *l)
{
    for (unsigned i = 0; i < l->config.max; i++) {
        if (l->slots[i].state == SLOT_PREPARING && !l->slots[i].waiting)
            return &l->slots[i];
    }
    return NULL;
}

struct slot *slot_by_id(struct launcher *l, uint64_t id)
{
    for (unsigned i = 0; i < l->config.max; i++) {
        struct slot *slot = &l->slots[i];
        if (slot->state == SLOT_LIVE ? slot->id == id : slot->waiting && slot->waiting->id == id)
            return slot;
    }
    return NULL;
}

static void move(struct launcher *l, struct slot *slot, enum slot_state to)
{
    l->in_state[slot->state]--;
    l->in_state[to]++;
    slot->state = to;
}

static uint32_t since_us(uint64_t begun)
{
    return (uint32_t)((clock_mono_ns() - begun) / 1000);
}

static bool write_proc(pid_t pid, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t n = strlen(text);
    return fd >= 0 && write(fd, text, n) == (ssize_t)n;
}

static void set_oom_score(const char *score)
{
    AUTO(fd) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, score, strlen(score)) < 0)
        return; /* needs CAP_SYS_RESOURCE */
}

static bool map_root(pid_t pid)
{
    char map[48];
    snprintf(map, sizeof map, "0 %u 1", geteuid());
    if (!write_proc(pid, "setgroups", "deny") || !write_proc(pid, "uid_map", map))
        return false;
    snprintf(map, sizeof map, "0 %u 1", getegid());
    return write_proc(pid, "gid_map", map);
}

static _Noreturn void give_up(int socket, const char *what)
{
    struct init_hello hello = {.os = errno ? errno : EIO};
    snprintf(hello.text, sizeof hello.text, "%s: %s", what, strerror(errno));
    bool sent = packet_send(socket, &hello, sizeof hello, NULL, 0);
    _exit(sent ? EXIT_BEFORE_INIT : EXIT_BEFORE_INIT + 1);
}

/* In the new process: into the cgroups, then init. With v2 it is born in its own. A move into a v1
 * cgroup waits for an RCU grace period, 6 to 30 ms (sandbox.md section 6), and whoever makes or
 * removes a cgroup meanwhile waits, too: so it is all done here, where it holds nobody else up, and
 * ahead of time for a spare. */
static _Noreturn void become_init(struct launcher *l, const struct slot *slot, int socket, int go)
{
    static char rootless[] = INIT_ROOTLESS "=1";
    static char zygote[] = INIT_ZYGOTE "=1";
    char tmp[sizeof INIT_TMP + TMP_PATH_MAX];
    char *env[4] = {NULL};
    size_t envc = 0;
    struct err err;
    sigset_t none;
    char byte = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (read(go, &byte, 1) != 1)
        _exit(EXIT_BEFORE_INIT);
    if (cgroups_move(&l->cgroups) && (!cgroup_create(&l->cgroups, slot->number, &err) ||
                                      !cgroup_enter(&l->cgroups, slot->number)))
        give_up(socket, "enter its cgroups");
    unshare(CLONE_NEWCGROUP); /* now, so that its own groups are all that it knows of */
    set_oom_score("-1000");   /* where this host lets us; the payload is first in any case */
    int high = fcntl(socket, F_DUPFD_CLOEXEC, 64);
    int code = fcntl(l->code, F_DUPFD_CLOEXEC, 64);
    int image = fcntl(l->init_image, F_DUPFD_CLOEXEC, 64);
    int loop = slot->tmp.loop < 0 ? -1 : fcntl(slot->tmp.loop, F_DUPFD_CLOEXEC, 64);
    if (high < 0 || code < 0 || image < 0 || dup3(high, INIT_FD_LAUNCHER, 0) < 0 ||
        dup3(code, INIT_FD_CODE, 0) < 0 || (loop >= 0 && dup3(loop, INIT_FD_LOOP, 0) < 0))
        give_up(socket, "pass descriptors");
    if (l->config.rootless)
        env[envc++] = rootless;
    if (slot->zygote)
        env[envc++] = zygote;
    if (loop >= 0) {
        snprintf(tmp, sizeof tmp, INIT_TMP "=%s", slot->tmp.path);
        env[envc++] = tmp;
    }
    syscall(SYS_execveat, image, "", l->argv, env, AT_EMPTY_PATH);
    give_up(socket, "execute lambkin-init");
}

static pid_t clone_sandbox(const struct launcher *l, const struct slot *slot, int *pidfd)
{
    AUTO(fd) int cgroup = cgroup_birth_fd(&l->cgroups, slot->number);
    struct clone_args args = {
        .flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_PIDFD |
                 (slot->zygote ? 0 : (uint64_t)CLONE_NEWPID) |
                 (cgroup >= 0 ? CLONE_INTO_CGROUP : 0) |
                 (l->config.rootless ? (uint64_t)CLONE_NEWUSER : 0),
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = cgroup >= 0 ? (unsigned)cgroup : 0,
    };
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static void reset(struct launcher *l, struct slot *slot)
{
    move(l, slot, SLOT_FREE);
    free(slot->digests);
    *slot = (struct slot){.number = slot->number,
                          .pidfd = -1,
                          .socket = -1,
                          .given = {-1, -1, -1},
                          .tmp = {.loop = -1},
                          .waiting_fds = {-1, -1}};
}

void slots_open(struct launcher *l)
{
    l->slots = mem_new_array(l->config.max, sizeof *l->slots);
    l->in_state[SLOT_FREE] = l->config.max;
    for (unsigned i = 0; i < l->config.max; i++) {
        l->slots[i].number = i;
        reset(l, &l->slots[i]);
    }
}

static void close_loop(struct slot *slot)
{
    if (slot->tmp.loop >= 0)
        close(fd_take(&slot->tmp.loop));
}

/* Where no image can be made, as on a full disk, the slot is left without: its /tmp will be memory.
 */
static bool new_image(struct launcher *l, struct slot *slot, uint64_t size, struct err *err)
{
    if (tmp_image_new(l->code, size, &slot->tmp, err))
        return true;
    slot->tmp = (struct tmp_image){.loop = -1};
    if (l->config.strict)
        return false;
    log_warn("launch.tmp", "slot=%u in=memory err=%s", slot->number, err->msg);
    return true;
}

static bool prepare(struct launcher *l, struct slot *slot, uint64_t tmp_size, struct err *err)
{
    int pair[2];
    int go[2];
    slot->begun_ns = clock_mono_ns();
    if (!cgroups_move(&l->cgroups) && !cgroup_create(&l->cgroups, slot->number, err))
        return false;
    slot->step_us[STEP_CGROUP] = since_us(slot->begun_ns);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return err_os(err, errno, "socketpair");
    AUTO(fd) int ours = pair[0];
    AUTO(fd) int theirs = pair[1];
    if (pipe2(go, O_CLOEXEC))
        return err_os(err, errno, "pipe");
    AUTO(fd) int go_read = go[0];
    AUTO(fd) int go_write = go[1];
    if (l->facts.tmp == TMP_LOOP && tmp_size && !new_image(l, slot, tmp_size, err))
        return false;
    uint64_t begun = clock_mono_ns();
    pid_t pid = clone_sandbox(l, slot, &slot->pidfd);
    if (pid == 0)
        become_init(l, slot, theirs, go_read);
    if (pid < 0) {
        err_os(err, errno, "clone a sandbox");
        close_loop(slot);
        return false;
    }
    slot->step_us[STEP_CLONE] = since_us(begun);
    slot->pid = pid;
    move(l, slot, SLOT_PREPARING);
    slot->socket = fd_take(&ours);
    launcher_watch(l, slot->pidfd, WATCH_SLOT_EXIT, slot->number);
    launcher_watch(l, slot->socket, WATCH_SLOT_SOCKET, slot->number);
    if ((l->config.rootless && !map_root(pid)) || write(go_write, "g", 1) != 1) {
        err_os(err, errno, "map ids");
        slot_kill(l, slot);
        return false;
    }
    return true;
}

static bool prepare_free(struct launcher *l, struct slot *slot, uint64_t tmp_size, bool zygote,
                         struct err *err)
{
    must(slot->state == SLOT_FREE);
    reset(l, slot);
    slot->zygote = zygote;
    if (prepare(l, slot, tmp_size, err))
        return true;
    if (slot->state == SLOT_FREE && !cgroup_remove(&l->cgroups, slot->number))
        log_warn("launch.cgroup", "slot=%u stays", slot->number);
    return false;
}

bool slot_prepare(struct launcher *l, struct slot *slot, uint64_t tmp_size, struct err *err)
{
    return prepare_free(l, slot, tmp_size, false, err);
}

bool slot_prepare_zygote(struct launcher *l, struct slot *slot, struct err *err)
{
    return prepare_free(l, slot, 0, true, err);
}

static void take_waiting(struct launcher *l, struct slot *slot, const struct err *failed)
{
    struct launch_request *request = STEAL(slot->waiting);
    if (!request)
        return;
    int fds[2] = {fd_take(&slot->waiting_fds[0]), fd_take(&slot->waiting_fds[1])};
    if (failed)
        launcher_refuse(l, request->id, failed);
    else if (!slot_assign(l, slot, request, fds))
        slot_kill(l, slot);
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(request);
}

void slot_on_hello(struct launcher *l, struct slot *slot)
{
    struct init_hello hello;
    struct err err = {FAULT_INTERNAL, 0, "init says nonsense"};
    int fds[PACKET_FDS_MAX];
    size_t count = 0;
    ssize_t n = packet_receive(slot->socket, &hello, sizeof hello, fds, &count);
    if (n == 0 && slot->state == SLOT_PREPARING) {
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, slot->socket, NULL);
        return; /* its exit says more */
    }
    if (slot->state != SLOT_PREPARING || n != (ssize_t)sizeof hello || hello.os ||
        count != INIT_HELLO_FDS) {
        packet_close_fds(fds, count);
        if (n == (ssize_t)sizeof hello && hello.os)
            err_set(&err, FAULT_INTERNAL, "%.159s", hello.text);
        if (slot->state == SLOT_PREPARING) {
            log_error("launch.prepare", "slot=%u err=%s", slot->number, err.msg);
            launcher_no_spares(l);
            take_waiting(l, slot, &err);
        }
        slot_kill(l, slot);
        return;
    }
    close_loop(slot); /* it is mounted */
    memcpy(slot->given, fds, sizeof slot->given);
    move(l, slot, SLOT_SPARE);
    slot->step_us[STEP_PREPARE] = hello.prepare_us;
    if (slot->waiting) {
        slot->step_us[STEP_SPARE] = since_us(slot->begun_ns); /* somebody waited for all of it */
        take_waiting(l, slot, NULL);
    }
}

/* Never waits for it: one that does not read would stop all sandboxes. */
static bool send_order(struct launcher *l, struct slot *zygote, const int *fds, size_t count)
{
    static const struct zygote_order order = {LAUNCH_MAGIC};
    uint64_t now = clock_mono_ns();
    if (packet_send_now(zygote->socket, &order, sizeof order, fds, count)) {
        zygote->full_ns = 0;
        return true;
    }
    int os = errno;
    if (!zygote->full_ns)
        zygote->full_ns = now;
    if (os != EAGAIN || now - zygote->full_ns > (uint64_t)ZYGOTE_FULL_MS * 1000000) {
        log_warn("launch.zygote", "slot=%u os=%d", zygote->number, os);
        slot_kill(l, zygote);
    }
    return false;
}

static bool may_fork(const struct slot *zygote, const struct slot *slot)
{
    return zygote && zygote->state == SLOT_LIVE && zygote->zygote &&
           !strcmp(zygote->rootfs, slot->rootfs) && !strcmp(zygote->runtime, slot->runtime);
}

/* Has the zygote fork a process that waits in the slot for what its init sends through the channel.
 * -1: it cannot, and the payload starts without it. */
static int ask_zygote(struct launcher *l, struct slot *slot, uint64_t id)
{
    struct slot *zygote = id ? slot_by_id(l, id) : NULL;
    int pair[2];
    int fds[2 + CGROUP_PROCS_MAX];
    size_t count = 0;
    if (!may_fork(zygote, slot) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -1;
    AUTO(fd) int ours = pair[0];
    AUTO(fd) int theirs = pair[1];
    if (!cgroup_procs_fds(&l->cgroups, slot->number, fds + 2, &count))
        return -1;
    fds[0] = slot->given[INIT_LISTENERS];
    fds[1] = theirs;
    bool asked = send_order(l, zygote, fds, 2 + count);
    packet_close_fds(fds + 2, count);
    return asked ? fd_take(&ours) : -1;
}

/* A /tmp of another size than the usual one goes along. */
static bool send_assignment(struct launcher *l, struct slot *slot, const struct sandbox_spec *spec,
                            const int *fds, size_t fd_count, struct err *err)
{
    static struct init_assignment assignment;
    assignment.host_uid = launcher_slot_uid(l, slot);
    assignment.spec = *spec;
    assignment.forked = fd_count > ASSIGNED_FDS;
    memcpy(assignment.unpack_dir, slot->unpack_dir, sizeof assignment.unpack_dir);
    uint64_t size = spec->tmp_size;
    bool has_tmp = spec->kind == LAUNCH_ENVIRONMENT;
    if (l->facts.tmp == TMP_LOOP && has_tmp && slot->tmp.size != size &&
        !new_image(l, slot, size, err))
        return false;
    assignment.tmp_in_memory = has_tmp && slot->tmp.size != size;
    bool fresh = slot->tmp.loop >= 0;
    memset(assignment.tmp, 0, sizeof assignment.tmp);
    if (fresh)
        memcpy(assignment.tmp, slot->tmp.path, sizeof assignment.tmp);
    int all[PACKET_FDS_MAX];
    for (size_t i = 0; i < fd_count; i++)
        all[i] = fds[i];
    all[fd_count] = slot->tmp.loop;
    bool sent = packet_send(slot->socket, &assignment, sizeof assignment, all, fd_count + fresh) ||
                err_os(err, errno, "assign");
    close_loop(slot);
    return sent;
}

static void reply_spawned(struct launcher *l, struct slot *slot, int control)
{
    struct launch_reply reply = {.event = LAUNCH_SPAWNED, .id = slot->id};
    int fds[6] = {control};
    size_t count = 1;
    bool alone = slot->unpack || slot->zygote; /* nothing in it connects to the daemon */
    const struct {
        uint32_t have;
        int fd;
    } more[] = {
        {HAVE_LISTENER, alone ? -1 : fd_take(&slot->given[0])},
        {HAVE_ENDPOINT, alone ? -1 : fd_take(&slot->given[1])},
        {HAVE_MEMORY_PEAK, cgroup_peak_fd(&l->cgroups, slot->number)},
        {HAVE_OOM, cgroup_oom_fd(&l->cgroups, slot->number)},
        {HAVE_FREEZE, slot->zygote ? -1 : cgroup_freeze_fd(&l->cgroups, slot->number)},
    };
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        if (more[i].fd >= 0) {
            reply.have |= more[i].have;
            fds[count++] = more[i].fd;
        }
    }
    reply.cgroup_v2_files = l->cgroups.v2[CGROUP_MEMORY];
    memcpy(reply.step_us, slot->step_us, sizeof slot->step_us);
    launcher_reply(l, &reply, fds, count);
    packet_close_fds(fds + 1, count - 1);
}

static void remember(struct slot *slot, const struct sandbox_spec *spec)
{
    const char *digests[LAUNCH_DIGESTS_MAX];
    memcpy(slot->rootfs, spec->rootfs, sizeof slot->rootfs);
    memcpy(slot->runtime, spec->runtime, sizeof slot->runtime);
    free(slot->digests);
    slot->digest_count = launch_spec_digests(spec, digests);
    slot->digests = mem_new_array(slot->digest_count, sizeof *slot->digests);
    for (size_t i = 0; i < slot->digest_count; i++)
        snprintf(slot->digests[i], sizeof *slot->digests, "%s", digests[i]);
}

bool slot_assign(struct launcher *l, struct slot *slot, const struct launch_request *request,
                 const int fds[2])
{
    const struct sandbox_spec *spec = &request->spec;
    const struct cgroup_limits limits = {spec->memory, spec->pids, spec->cpu};
    struct err err;
    int pair[2];
    uint64_t begun = clock_mono_ns();
    must(slot->state == SLOT_SPARE);
    slot->id = request->id;
    slot->unpack = spec->kind == LAUNCH_UNPACK;
    slot->parked = spec->kind == LAUNCH_PARKED;
    remember(slot, spec);
    if (spec->kind == LAUNCH_ENVIRONMENT)
        l->usual_tmp = spec->tmp_size;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return err_os(&err, errno, "socketpair"), launcher_refuse(l, request->id, &err), false;
    AUTO(fd) int ours = pair[0];
    AUTO(fd) int theirs = pair[1];
    bool ok = (!slot->unpack ||
               code_begin(l, slot, l->config.rootless ? 0 : launcher_slot_uid(l, slot), &err)) &&
              cgroup_limit(&l->cgroups, slot->number, &limits, &err);
    AUTO(fd) int channel = ok ? ask_zygote(l, slot, spec->zygote) : -1;
    const int all[] = {theirs, fds[0], fds[1], channel};
    ok = ok && send_assignment(l, slot, spec, all, ASSIGNED_FDS + (channel >= 0), &err);
    if (slot->given[INIT_LISTENERS] >= 0)
        close(fd_take(&slot->given[INIT_LISTENERS]));
    if (!ok) {
        launcher_refuse(l, request->id, &err);
        return false;
    }
    move(l, slot, SLOT_LIVE);
    slot->assigned = true;
    slot->step_us[STEP_MOUNT] =
        since_us(begun); /* the launcher's part; init's comes with STARTED */
    reply_spawned(l, slot, ours);
    l->last_spawn_ns = clock_mono_ns();
    return true;
}

bool slot_assign_parked(struct launcher *l, struct slot *slot, const struct sandbox_spec *spec,
                        struct err *err)
{
    const struct cgroup_limits limits = {spec->memory, spec->pids, spec->cpu};
    uint64_t begun = clock_mono_ns();
    if (!slot || slot->state != SLOT_LIVE || !slot->parked)
        return err_set(err, FAULT_NOT_FOUND, "no such parked sandbox");
    if (strcmp(slot->rootfs, spec->rootfs) != 0 || strcmp(slot->runtime, spec->runtime) != 0)
        return err_set(err, FAULT_INVALID, "it was parked for another runtime");
    slot->parked = false;
    remember(slot, spec);
    l->usual_tmp = spec->tmp_size;
    if (!cgroup_limit(&l->cgroups, slot->number, &limits, err) ||
        !send_assignment(l, slot, spec, NULL, 0, err))
        return false;
    struct launch_reply reply = {.event = LAUNCH_DONE, .id = slot->id};
    reply.step_us[STEP_MOUNT] = since_us(begun);
    launcher_reply(l, &reply, NULL, 0);
    l->last_spawn_ns = clock_mono_ns();
    return true;
}

void slot_kill(struct launcher *l, struct slot *slot)
{
    if (slot->state != SLOT_PREPARING && slot->state != SLOT_SPARE && slot->state != SLOT_LIVE)
        return;
    move(l, slot, SLOT_DYING);
    syscall(SYS_pidfd_send_signal, slot->pidfd, SIGKILL, NULL, 0);
    cgroup_let_die(&l->cgroups, slot->number);
}

void slot_on_exit(struct launcher *l, struct slot *slot)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)slot->pid, &info, WEXITED | WNOHANG) || info.si_pid == 0)
        return;
    struct err err = {FAULT_INTERNAL, 0, ""};
    slot->exit_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    if (slot->state == SLOT_PREPARING) {
        err_set(&err, FAULT_INTERNAL, "init ended with status %d", slot->exit_status);
        log_error("launch.prepare", "slot=%u err=%s", slot->number, err.msg);
        launcher_no_spares(l);
    } else if (slot->waiting) {
        err_set(&err, FAULT_INTERNAL, "killed before it began");
    }
    take_waiting(l, slot, &err);
    close_loop(slot);
    struct cgroup_stats stats = cgroup_stats(&l->cgroups, slot->number);
    close(fd_take(&slot->pidfd));
    close(fd_take(&slot->socket));
    for (size_t i = 0; i < INIT_HELLO_FDS; i++) {
        if (slot->given[i] >= 0)
            close(fd_take(&slot->given[i]));
    }
    bool killed = slot->state == SLOT_DYING;
    move(l, slot, SLOT_LEAVING);
    bool good = !killed && slot->exit_status == 0;
    if (slot->assigned && slot->unpack && !code_finish(l, slot, good) && good)
        slot->exit_status = EXIT_NOT_KEPT;
    if (slot->assigned) {
        struct launch_reply reply = {.event = LAUNCH_GONE,
                                     .id = slot->id,
                                     .os = slot->unpack ? slot->exit_status : 0,
                                     .peak = stats.peak,
                                     .oom = stats.oom_kills};
        launcher_reply(l, &reply, NULL, 0);
    }
}

bool slot_leave(struct launcher *l, struct slot *slot)
{
    if (!tmp_image_gone(&slot->tmp) || !cgroup_remove(&l->cgroups, slot->number))
        return false; /* the kernel is still busy with it */
    reset(l, slot);
    return true;
}
