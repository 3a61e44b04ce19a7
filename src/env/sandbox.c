#include "env/sandbox.h"

#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "loop/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    LAUNCHER_MAGIC = 0x4c4e4348,
    SANDBOX_MAGIC = 0x53424f58,
    REPLIES_A_TURN = 64,
    PEAK_AGE_MS = 50,
};

enum fd_role { FD_CONTROL, FD_LISTENER, FD_ENDPOINT, FD_PEAK, FD_OOM, FD_FREEZE, FD_ROLES };

struct launcher {
    uint32_t magic;
    int fd;
    struct map *sandboxes; /* by id, state from here on */
    struct list queue;     /* struct packet: what the socket does not take yet */
    uint64_t last_id;
    struct launch_facts facts;
    struct list unsent; /* struct sandbox */
    uv_poll_t poll;
    uv_timer_t soon;
    unsigned closing;
};

struct packet {
    struct list link;
    int fds[2]; /* -1 = none */
    struct launch_request request;
};

struct sandbox {
    uint32_t magic;
    struct launcher *launcher; /* configuration */
    const struct sandbox_handler *handler;
    void *arg;
    uint64_t id;
    bool oom_is_v2;
    int fds[FD_ROLES]; /* state */
    bool freezer_is_v1;
    bool killed;
    bool assigning;
    struct list unsent; /* in the launcher's list, or alone */
    int unsent_os;
    bool polling; /* the two handles below are open */
    unsigned closing;
    uint32_t steps[STEP_COUNT];
    uint64_t peak; /* bytes, as read last */
    uint64_t peak_until_ns;
    uv_poll_t control;
    uv_poll_t oom;
};

static struct slice id_key(const uint64_t *id)
{
    return (struct slice){(const char *)id, sizeof *id};
}

static void packet_free(struct packet *packet)
{
    for (size_t i = 0; i < COUNT_OF(packet->fds); i++) {
        if (packet->fds[i] >= 0)
            close(packet->fds[i]);
    }
    free(packet);
}

static void on_unsent(uv_timer_t *timer);

static void lose(struct launcher *launcher, const struct launch_request *request, int os)
{
    log_error("launcher.send", "op=%u os=%d", request->op, os);
    struct sandbox *sandbox = map_get(launcher->sandboxes, id_key(&request->id));
    if (sandbox && request->op == LAUNCH_ASSIGN)
        sandbox_kill(sandbox);
    if (request->op != LAUNCH_SPAWN || !sandbox)
        return;
    sandbox->unsent_os = os;
    list_push_back(&launcher->unsent, &sandbox->unsent);
    uv_timer_start(&launcher->soon, on_unsent, 0, 0);
}

/* True if the packet is done with: sent, or never to be sent. */
static bool packet_send(struct launcher *launcher, struct packet *packet)
{
    size_t count = (size_t)(packet->fds[0] >= 0) + (packet->fds[1] >= 0);
    struct slice bytes = {(const char *)&packet->request, sizeof packet->request};
    enum fdpass sent = fdpass_send(launcher->fd, bytes, packet->fds, count);
    if (sent != FDPASS_DONE && sent != FDPASS_WAIT)
        lose(launcher, &packet->request, errno);
    return sent != FDPASS_WAIT;
}

static void on_launcher(uv_poll_t *poll, int status, int events);

static void flush(struct launcher *launcher)
{
    while (!list_empty(&launcher->queue)) {
        struct packet *packet = LIST_FIRST(&launcher->queue, packet, link);
        if (!packet_send(launcher, packet))
            break;
        list_remove(&packet->link);
        packet_free(packet);
    }
    int events = UV_READABLE | (list_empty(&launcher->queue) ? 0 : UV_WRITABLE);
    must(uv_poll_start(&launcher->poll, events, on_launcher) == 0);
}

static struct packet *packet_new(enum launch_op op, uint64_t id)
{
    struct packet *packet = NEW(packet);
    packet->fds[0] = packet->fds[1] = -1;
    packet->request.magic = LAUNCH_MAGIC;
    packet->request.op = op;
    packet->request.id = id;
    return packet;
}

static void post(struct launcher *launcher, struct packet *packet)
{
    list_push_back(&launcher->queue, &packet->link);
    if (launcher->queue.next == &packet->link)
        flush(launcher);
}

static void on_sandbox_closed(uv_handle_t *handle)
{
    struct sandbox *sandbox = CAST(sandbox, handle->data, SANDBOX_MAGIC);
    if (--sandbox->closing == 0)
        free(sandbox);
}

static void sandbox_free(struct sandbox *sandbox)
{
    map_remove(sandbox->launcher->sandboxes, id_key(&sandbox->id));
    list_remove(&sandbox->unsent);
    if (sandbox->polling) {
        sandbox->closing = 1 + (sandbox->fds[FD_OOM] >= 0);
        uv_close((uv_handle_t *)&sandbox->control, on_sandbox_closed);
        if (sandbox->fds[FD_OOM] >= 0)
            uv_close((uv_handle_t *)&sandbox->oom, on_sandbox_closed);
    }
    for (int i = 0; i < FD_ROLES; i++) {
        if (sandbox->fds[i] >= 0)
            close(sandbox->fds[i]);
    }
    if (!sandbox->polling)
        free(sandbox);
}

static void on_event(struct sandbox *sandbox, struct control_event *event, int fd)
{
    event->step[sizeof event->step - 1] = '\0';
    if (event->what != CONTROL_CONNECTED)
        sandbox->handler->on_control(sandbox->arg, event);
    else if (sandbox->handler->on_connected)
        sandbox->handler->on_connected(sandbox->arg, event->process, fd_take(&fd));
    if (fd >= 0)
        close(fd);
}

static void on_control(uv_poll_t *poll, int status, int events)
{
    struct sandbox *sandbox = CAST(sandbox, poll->data, SANDBOX_MAGIC);
    struct control_event event;
    int fds[FDPASS_MAX];
    size_t n = 0, count = 0;
    enum fdpass got =
        fdpass_receive(sandbox->fds[FD_CONTROL], &event, sizeof event, &n, fds, &count);
    if (got == FDPASS_WAIT)
        return;
    if (got == FDPASS_END || got == FDPASS_FAILED) {
        uv_poll_stop(poll); /* init is gone; the launcher sees it too, and GONE follows */
        return;
    }
    if (got == FDPASS_DONE && n == sizeof event && event.magic == CONTROL_MAGIC && count <= 1) {
        on_event(sandbox, &event, count ? fds[0] : -1);
        return;
    }
    log_error("sandbox.event", "sandbox=%" PRIu64 " bytes=%zu", sandbox->id, n);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    sandbox_kill(sandbox);
}

/* v2: the counter oom_kill in memory.events; v1: the eventfd says it all. */
static bool oom_happened(struct sandbox *sandbox)
{
    char text[512];
    uint64_t count = 0;
    if (!sandbox->oom_is_v2)
        return read(sandbox->fds[FD_OOM], &count, sizeof count) == (ssize_t)sizeof count;
    ssize_t n = pread(sandbox->fds[FD_OOM], text, sizeof text, 0);
    struct slice rest = {text, n > 0 ? (size_t)n : 0};
    struct slice line;
    while (slice_cut(&rest, '\n', &line)) {
        if (slice_starts(line, S("oom_kill ")))
            return slice_u64(slice_sub(line, 9, line.n), &count) && count > 0;
    }
    return false;
}

static void on_oom(uv_poll_t *poll, int status, int events)
{
    struct sandbox *sandbox = CAST(sandbox, poll->data, SANDBOX_MAGIC);
    bool happened = oom_happened(sandbox);
    if (status < 0 || (sandbox->oom_is_v2 && happened))
        uv_poll_stop(poll);
    if (happened)
        sandbox->handler->on_oom(sandbox->arg);
}

static void watch(struct sandbox *sandbox, uv_loop_t *loop)
{
    sandbox->polling = true;
    must(uv_poll_init(loop, &sandbox->control, sandbox->fds[FD_CONTROL]) == 0);
    sandbox->control.data = sandbox;
    must(uv_poll_start(&sandbox->control, UV_READABLE, on_control) == 0);
    if (sandbox->fds[FD_OOM] < 0)
        return;
    if (uv_poll_init(loop, &sandbox->oom, sandbox->fds[FD_OOM]) != 0) {
        close(fd_take(&sandbox->fds[FD_OOM])); /* a file that cannot be waited for */
        return;
    }
    sandbox->oom.data = sandbox;
    must(uv_poll_start(&sandbox->oom, sandbox->oom_is_v2 ? UV_PRIORITIZED : UV_READABLE, on_oom) ==
         0);
}

static void spawned(struct sandbox *sandbox, const struct launch_reply *reply, int *fds, size_t n)
{
    static const uint32_t have[FD_ROLES] = {
        0, HAVE_LISTENER, HAVE_ENDPOINT, HAVE_MEMORY_PEAK, HAVE_OOM, HAVE_FREEZE};
    size_t at = 0;
    for (int role = 0; role < FD_ROLES; role++) {
        if ((role == FD_CONTROL || (reply->have & have[role])) && at < n)
            sandbox->fds[role] = fd_take(&fds[at++]);
    }
    must(sandbox->fds[FD_CONTROL] >= 0);
    sandbox->oom_is_v2 = reply->cgroup_v2_files != 0;
    memcpy(sandbox->steps, reply->step_us, sizeof sandbox->steps);
    watch(sandbox, sandbox->launcher->poll.loop);
    if (sandbox->killed)
        return; /* was not wanted any more while it came up; GONE follows */
    sandbox->handler->on_spawned(sandbox->arg);
}

static void refuse(struct sandbox *sandbox, const struct err *err)
{
    const struct sandbox_handler *handler = sandbox->handler;
    void *arg = sandbox->arg;
    sandbox_free(sandbox);
    handler->on_refused(arg, err);
}

/* Those whose request could not be sent: told from the loop, as if the launcher had said it. */
static void on_unsent(uv_timer_t *timer)
{
    struct launcher *launcher = CAST(launcher, timer->data, LAUNCHER_MAGIC);
    while (!list_empty(&launcher->unsent)) {
        struct sandbox *sandbox = LIST_FIRST(&launcher->unsent, sandbox, unsent);
        struct err err;
        err_os(&err, sandbox->unsent_os, "send to the launcher");
        list_remove(&sandbox->unsent);
        refuse(sandbox, &err);
    }
}

static void refused(struct sandbox *sandbox, const struct launch_reply *reply)
{
    struct err err;
    if (reply->os)
        err_os(&err, reply->os, "%.*s", (int)sizeof reply->text - 1, reply->text);
    else
        err_set(&err, FAULT_INTERNAL, "%.*s", (int)sizeof reply->text - 1, reply->text);
    refuse(sandbox, &err);
}

static void gone(struct sandbox *sandbox, const struct launch_reply *reply)
{
    const struct sandbox_handler *handler = sandbox->handler;
    void *arg = sandbox->arg;
    sandbox_free(sandbox);
    handler->on_gone(arg, reply);
}

static void assigned(struct sandbox *sandbox, const struct launch_reply *reply)
{
    sandbox->assigning = false;
    memcpy(sandbox->steps, reply->step_us, sizeof sandbox->steps);
    if (reply->event != LAUNCH_DONE) {
        log_error("sandbox.assign", "sandbox=%" PRIu64 " err=%.*s", sandbox->id,
                  (int)sizeof reply->text - 1, reply->text);
        sandbox_kill(sandbox); /* GONE follows */
    } else if (!sandbox->killed) {
        sandbox->handler->on_spawned(sandbox->arg);
    }
}

static void on_reply(struct launcher *launcher, const struct launch_reply *reply, int *fds,
                     size_t n)
{
    if (reply->event == LAUNCH_HELLO) {
        launcher->facts = reply->facts;
        return;
    }
    struct sandbox *sandbox = map_get(launcher->sandboxes, id_key(&reply->id));
    if (!sandbox || reply->op) /* an answer to FORGET_CODE or TUNE */
        return;
    if (reply->event == LAUNCH_SPAWNED)
        spawned(sandbox, reply, fds, n);
    else if (sandbox->assigning && reply->event != LAUNCH_GONE)
        assigned(sandbox, reply);
    else if (reply->event == LAUNCH_REFUSED && !sandbox->polling)
        refused(sandbox, reply);
    else if (reply->event == LAUNCH_GONE)
        gone(sandbox, reply);
}

static bool receive(struct launcher *launcher)
{
    struct launch_reply reply;
    int fds[FDPASS_MAX];
    size_t n = 0, count = 0;
    enum fdpass got = fdpass_receive(launcher->fd, &reply, sizeof reply, &n, fds, &count);
    switch (got) {
    case FDPASS_DONE:
        break;
    case FDPASS_WAIT:
        return false;
    case FDPASS_CUT:
        log_error("launcher.packet", "cut=yes");
        return true;
    case FDPASS_END:
    case FDPASS_FAILED:
        /* Without the launcher nothing can be ended or started. It ends us when it ends. */
        log_error("launcher.lost", "os=%d", got == FDPASS_FAILED ? errno : 0);
        uv_poll_stop(&launcher->poll);
        return false;
    }
    if (n == sizeof reply && reply.magic == LAUNCH_MAGIC)
        on_reply(launcher, &reply, fds, count);
    else
        log_error("launcher.packet", "bytes=%zu", n);
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return true;
}

static void on_launcher(uv_poll_t *poll, int status, int events)
{
    struct launcher *launcher = CAST(launcher, poll->data, LAUNCHER_MAGIC);
    if (events & UV_WRITABLE)
        flush(launcher);
    for (int i = 0; i < REPLIES_A_TURN && receive(launcher); i++)
        continue;
}

struct launcher *launcher_new(uv_loop_t *loop, int fd, struct err *err)
{
    struct launcher *launcher = NEW(launcher);
    launcher->magic = LAUNCHER_MAGIC;
    launcher->fd = fd;
    int rc = uv_poll_init(loop, &launcher->poll, fd);
    if (rc != 0) {
        free(launcher);
        err_os(err, -rc, "connection to the launcher");
        return NULL;
    }
    launcher->poll.data = launcher;
    launcher->sandboxes = map_new();
    list_init(&launcher->queue);
    list_init(&launcher->unsent);
    must(uv_timer_init(loop, &launcher->soon) == 0);
    launcher->soon.data = launcher;
    must(uv_poll_start(&launcher->poll, UV_READABLE, on_launcher) == 0);
    return launcher;
}

static void on_launcher_closed(uv_handle_t *handle)
{
    struct launcher *launcher = CAST(launcher, handle->data, LAUNCHER_MAGIC);
    if (--launcher->closing == 0)
        free(launcher);
}

void launcher_free(struct launcher *launcher)
{
    if (!launcher)
        return;
    size_t at = 0;
    void *value = NULL;
    while (map_next(launcher->sandboxes, &at, &value)) {
        sandbox_kill(value);
        sandbox_free(value);
        at = 0; /* the map has changed */
    }
    LIST_EACH(link, &launcher->queue)
    packet_free(LIST_ITEM(link, packet, link));
    map_free(launcher->sandboxes);
    launcher->closing = 2;
    uv_close((uv_handle_t *)&launcher->poll, on_launcher_closed);
    uv_close((uv_handle_t *)&launcher->soon, on_launcher_closed);
    close(launcher->fd);
}

const struct launch_facts *launcher_facts(const struct launcher *launcher)
{
    return &launcher->facts;
}

struct sandbox *sandbox_spawn(struct launcher *launcher, const struct sandbox_spec *spec,
                              const int fds[2], const struct sandbox_handler *handler, void *arg)
{
    struct sandbox *sandbox = NEW(sandbox);
    *sandbox = (struct sandbox){.magic = SANDBOX_MAGIC,
                                .launcher = launcher,
                                .handler = handler,
                                .arg = arg,
                                .id = ++launcher->last_id};
    for (int i = 0; i < FD_ROLES; i++)
        sandbox->fds[i] = -1;
    list_init(&sandbox->unsent);
    map_put(launcher->sandboxes, id_key(&sandbox->id), sandbox);

    struct packet *packet = packet_new(LAUNCH_SPAWN, sandbox->id);
    packet->request.spec = *spec;
    packet->fds[0] = fds[0];
    packet->fds[1] = fds[1];
    post(launcher, packet);
    return sandbox;
}

void sandbox_assign(struct sandbox *sandbox, const struct sandbox_spec *spec,
                    const struct sandbox_handler *handler, void *arg)
{
    struct packet *packet = packet_new(LAUNCH_ASSIGN, sandbox->id);
    sandbox->handler = handler;
    sandbox->arg = arg;
    sandbox->assigning = true;
    packet->request.spec = *spec;
    post(sandbox->launcher, packet);
}

uint64_t sandbox_id(const struct sandbox *sandbox)
{
    return sandbox->id;
}

void launcher_forget_code(struct launcher *launcher, const char *digest)
{
    struct packet *packet = packet_new(LAUNCH_FORGET_CODE, ++launcher->last_id);
    must(strlen(digest) == LAUNCH_DIGEST_LEN);
    memcpy(packet->request.spec.code, digest, LAUNCH_DIGEST_LEN);
    post(launcher, packet);
}

int sandbox_listener(const struct sandbox *sandbox)
{
    return sandbox->fds[FD_LISTENER];
}

int sandbox_take_endpoint(struct sandbox *sandbox)
{
    return fd_take(&sandbox->fds[FD_ENDPOINT]);
}

static void send_order(struct sandbox *sandbox, struct control_order *order, int fd)
{
    order->magic = CONTROL_MAGIC;
    struct slice bytes = {(const char *)order, sizeof *order};
    if (fdpass_send(sandbox->fds[FD_CONTROL], bytes, &fd, fd >= 0 ? 1 : 0) == FDPASS_DONE)
        return;
    /* init reads at once; one that does not is gone or stuck. */
    log_warn("sandbox.order", "sandbox=%" PRIu64 " op=%u os=%d", sandbox->id, order->op, errno);
    sandbox_kill(sandbox);
}

void sandbox_order(struct sandbox *sandbox, enum control_op op)
{
    send_order(sandbox, &(struct control_order){.op = op}, -1);
}

void sandbox_signal(struct sandbox *sandbox, uint32_t process, enum control_op op)
{
    send_order(sandbox, &(struct control_order){.op = op, .process = process}, -1);
}

void sandbox_start_extension(struct sandbox *sandbox, uint32_t process, struct slice name, int out)
{
    struct control_order order = {.op = CONTROL_EXTENSION, .process = process};
    must(name.n < sizeof order.name);
    memcpy(order.name, name.p, name.n);
    send_order(sandbox, &order, out);
}

void sandbox_connect(struct sandbox *sandbox, uint32_t ticket, uint16_t port)
{
    send_order(sandbox,
               &(struct control_order){.op = CONTROL_CONNECT, .process = ticket, .port = port}, -1);
}

void sandbox_tune(struct sandbox *sandbox, const struct launch_cpu *cpu)
{
    struct packet *packet = packet_new(LAUNCH_TUNE, sandbox->id);
    packet->request.spec.cpu = *cpu;
    post(sandbox->launcher, packet);
}

void sandbox_freeze(struct sandbox *sandbox, bool on)
{
    int fd = sandbox->fds[FD_FREEZE];
    if (fd < 0) {
        sandbox_order(sandbox, on ? CONTROL_STOP : CONTROL_CONTINUE);
        return;
    }
    struct slice v2 = on ? S("1") : S("0");
    struct slice v1 = on ? S("FROZEN") : S("THAWED");
    if (!sandbox->freezer_is_v1 && pwrite(fd, v2.p, v2.n, 0) == (ssize_t)v2.n)
        return;
    sandbox->freezer_is_v1 = true;
    if (pwrite(fd, v1.p, v1.n, 0) != (ssize_t)v1.n)
        log_warn("sandbox.freeze", "sandbox=%" PRIu64 " on=%d os=%d", sandbox->id, on, errno);
}

/* Reading the cgroup's file costs more than the rest of REPORT, and calls that follow one another
 * closely change little. */
uint64_t sandbox_peak(struct sandbox *sandbox, uint64_t now_ns)
{
    char text[32];
    uint64_t bytes = 0;
    if (sandbox->fds[FD_PEAK] < 0 || now_ns < sandbox->peak_until_ns)
        return sandbox->peak;
    sandbox->peak_until_ns = now_ns + (uint64_t)PEAK_AGE_MS * 1000000;
    ssize_t n = pread(sandbox->fds[FD_PEAK], text, sizeof text, 0);
    struct slice digits = {text, n > 0 ? (size_t)n : 0};
    if (slice_ends(digits, S("\n")))
        digits.n--;
    if (slice_u64(digits, &bytes))
        sandbox->peak = bytes;
    return sandbox->peak;
}

const uint32_t *sandbox_steps(const struct sandbox *sandbox)
{
    return sandbox->steps;
}

void sandbox_kill(struct sandbox *sandbox)
{
    if (sandbox->killed)
        return;
    sandbox->killed = true;
    post(sandbox->launcher, packet_new(LAUNCH_KILL, sandbox->id));
}
