#include "test.h"

#include "fake.h"

#include "base/arena.h"
#include "base/mem.h"
#include "model/credentials.h"
#include "store/log_store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* ---- functions ---- */

const struct function *function_ref(const struct function *fn)
{
    ((struct function *)(uintptr_t)fn)->refs++;
    return fn;
}

void function_unref(const struct function *fn)
{
    if (fn)
        ((struct function *)(uintptr_t)fn)->refs--;
}

void fake_function_init(struct fake_function *f, struct slice name)
{
    *f = (struct fake_function){
        .fn = {.account = S("000000000000"),
               .region = S("us-east-1"),
               .name = name,
               .version = S("$LATEST"),
               .arn = S("arn:aws:lambda:us-east-1:000000000000:function:f"),
               .generation = 1,
               .run_generation = 1,
               .memory_mb = 128,
               .timeout_s = 3,
               .tmp_mb = 512},
        .config = {.FunctionName = name, .Runtime = S("provided.al2023"), .Handler = S("h")},
    };
    f->fn.config = &f->config;
    memset(f->fn.code, 'a', FUNCTION_DIGEST_LEN);
}

/* ---- credentials ---- */

bool credentials_for_function(const struct iam *iam, struct arena *arena, struct slice role_arn,
                              struct slice account, struct slice function, uint64_t expires_ms,
                              struct session_keys *out)
{
    return false;
}

/* ---- http ---- */

struct http_server {
    int fd;
    const struct http_handler *handler;
    void *arg;
    struct http_server *older;
};

const struct http_limits http_limits_runtime;
const struct http_limits http_limits_endpoint;
size_t fake_servers;
static struct http_server *servers;
static struct fake_reply *replies;

struct http_server *http_listen_fd(uv_loop_t *loop, int fd, const struct http_limits *limits,
                                   const struct http_handler *handler, void *arg, struct err *err)
{
    struct http_server *server = NEW(http_server);
    *server = (struct http_server){fd, handler, arg, servers};
    servers = server;
    fake_servers++;
    return server;
}

void http_server_close(struct http_server *server)
{
    if (!server)
        return;
    for (struct fake_reply *reply = replies; reply; reply = reply->next) {
        if (reply->server != server || reply->answered || reply->aborted)
            continue;
        reply->aborted = true;
        if (server->handler->on_abort)
            server->handler->on_abort(&reply->req, server->arg);
    }
    struct http_server **at = &servers;
    while (*at != server)
        at = &(*at)->older;
    *at = server->older;
    close(server->fd);
    free(server);
    fake_servers--;
}

void http_respond(struct http_request *req, const struct http_response *response)
{
    struct fake_reply *reply = (struct fake_reply *)(void *)req;
    assert_false(reply->answered);
    reply->answered = true;
    reply->status = response->status;
    for (size_t i = 0; i < response->header_count; i++)
        buf_printf(&reply->head, "%.*s: %.*s\n", FMT(response->headers[i].name),
                   FMT(response->headers[i].value));
    buf_slice(&reply->body, response->body);
}

void fake_hang_up(struct fake_reply *reply)
{
    reply->aborted = true;
    reply->server->handler->on_abort(&reply->req, reply->server->arg);
}

struct slice http_header_get(const struct http_request *req, struct slice name)
{
    for (size_t i = 0; i < req->header_count; i++) {
        if (slice_eq_nocase(req->headers[i].name, name))
            return req->headers[i].value;
    }
    return (struct slice){NULL, 0};
}

struct slice fake_header(const struct fake_reply *reply, const char *name)
{
    struct slice rest = buf_all(&reply->head);
    struct slice line;
    size_t n = strlen(name);
    while (slice_cut(&rest, '\n', &line)) {
        if (line.n > n && slice_eq_nocase(slice_sub(line, 0, n), slice_str(name)))
            return slice_sub(line, n + 2, line.n);
    }
    return (struct slice){NULL, 0};
}

static size_t count_headers(const struct http_header *headers)
{
    size_t n = 0;
    while (n < 4 && headers[n].name.p)
        n++;
    return n;
}

void http_body_pause(struct http_request *req)
{
    ((struct fake_reply *)(void *)req)->paused = true;
}

void http_body_resume(struct http_request *req)
{
    ((struct fake_reply *)(void *)req)->paused = false;
}

struct fake_reply *fake_head(const struct fake_send *send)
{
    struct http_server *server = servers;
    assert_non_null(server);
    struct fake_reply *reply = NEW(fake_reply);
    struct http_request *req = &reply->req;
    reply->server = server;
    reply->next = replies;
    replies = reply;
    reply->head = reply->body = (struct buf)BUF_INIT(8 << 20);
    req->arena = arena_new();
    req->method = slice_str(send->method);
    req->target = req->path = slice_str(send->path);
    req->header_count = count_headers(send->headers);
    req->headers = arena_array(req->arena, 4, sizeof *req->headers);
    memcpy(req->headers, send->headers, sizeof send->headers);
    req->body_limit = 1024;
    if (server->handler->on_head)
        server->handler->on_head(req, server->arg);
    return reply;
}

void fake_piece(struct fake_reply *reply, struct slice piece)
{
    struct http_request *req = &reply->req;
    assert_true(req->want_pieces && !reply->answered && !reply->aborted);
    reply->taken += piece.n;
    req->body = (struct buf)BUF_INIT(piece.n);
    buf_slice(&req->body, piece);
    reply->server->handler->on_body(req, reply->server->arg);
    buf_free(&req->body);
}

void fake_rest(struct fake_reply *reply, const struct fake_send *send)
{
    struct http_request *req = &reply->req;
    struct http_server *server = reply->server;
    if (send->end == FAKE_ABORTED || (send->end == FAKE_TRUNCATED && !req->want_truncated)) {
        reply->aborted = true;
        if (server->handler->on_abort)
            server->handler->on_abort(req, server->arg);
        return;
    }
    if (send->body.n > req->body_limit - reply->taken) {
        server->handler->on_too_large(req, server->arg);
        return;
    }
    req->body = (struct buf)BUF_INIT(req->body_limit);
    buf_slice(&req->body, send->body);
    req->trailers = arena_array(req->arena, 4, sizeof *req->trailers);
    memcpy(req->trailers, send->trailers, sizeof send->trailers);
    req->trailer_count = count_headers(send->trailers);
    req->truncated = send->end == FAKE_TRUNCATED;
    server->handler->on_request(req, server->arg);
}

struct fake_reply *fake_request(const struct fake_send *send)
{
    struct fake_reply *reply = fake_head(send);
    if (!reply->answered)
        fake_rest(reply, send);
    return reply;
}

struct fake_reply *fake_get(const char *path)
{
    return fake_request(&(struct fake_send){.method = "GET", .path = path});
}

struct fake_reply *fake_post(const char *path, struct slice body)
{
    return fake_request(&(struct fake_send){.method = "POST", .path = path, .body = body});
}

struct fake_reply *fake_next(void)
{
    return fake_get("/2018-06-01/runtime/invocation/next");
}

/* ---- the loop ---- */

uv_loop_t *fake_loop;
int fake_launcher = -1;
static uv_loop_t loop_memory;

int fake_start(void)
{
    int pair[2];
    fake_loop = &loop_memory;
    assert_int_equal(uv_loop_init(fake_loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    fake_launcher = pair[0];
    fake_log = (struct buf)BUF_INIT(64 << 20);
    fake_log_events = 0;
    return pair[1];
}

void fake_reset(void)
{
    fake_turns(5);
    assert_int_equal(fake_servers, 0);
    assert_int_equal(uv_loop_close(fake_loop), 0); /* every handle was closed */
    close(fake_launcher);
    while (replies) {
        struct fake_reply *reply = replies;
        replies = reply->next;
        arena_free(reply->req.arena);
        buf_free(&reply->req.body);
        buf_free(&reply->head);
        buf_free(&reply->body);
        free(reply);
    }
    buf_free(&fake_log);
}

void fake_turns(int n)
{
    while (n-- > 0)
        uv_run(fake_loop, UV_RUN_NOWAIT);
}

void fake_until(bool (*ready)(void *arg), void *arg)
{
    while (!ready(arg))
        uv_run(fake_loop, UV_RUN_ONCE);
}

/* ---- launcher and init ---- */

static bool readable(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    return poll(&pollfd, 1, 0) == 1;
}

bool fake_launcher_has_request(void)
{
    fake_turns(3);
    return readable(fake_launcher);
}

static bool launcher_readable(void *arg)
{
    return readable(fake_launcher);
}

void fake_take_request(struct fake_sandbox *sandbox)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control;
    fake_until(launcher_readable, NULL);
    struct launch_request request;
    struct iovec iov = {&request, sizeof request};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    assert_int_equal(recvmsg(fake_launcher, &msg, MSG_CMSG_CLOEXEC), sizeof request);
    assert_int_equal(request.magic, LAUNCH_MAGIC);
    sandbox->request = request;
    if (request.op == LAUNCH_SPAWN) {
        assert_non_null(CMSG_FIRSTHDR(&msg));
        memcpy(&sandbox->output, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
        memcpy(&sandbox->frames, CMSG_DATA(CMSG_FIRSTHDR(&msg)) + sizeof(int), sizeof(int));
    }
}

static void reply_with(struct launch_reply *reply, const int *fds, size_t n)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(8 * sizeof(int))];
    } control = {0};
    struct iovec iov = {reply, sizeof *reply};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    reply->magic = LAUNCH_MAGIC;
    if (n) {
        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
    }
    assert_int_equal(sendmsg(fake_launcher, &msg, 0), sizeof *reply);
}

void fake_spawned(struct fake_sandbox *sandbox, uint32_t have)
{
    struct launch_reply reply = {.event = LAUNCH_SPAWNED, .id = sandbox->request.id, .have = have};
    int pair[2];
    int fds[5];
    size_t n = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    sandbox->control = pair[0];
    fds[n++] = pair[1];
    sandbox->peak = memfd_create("peak", MFD_CLOEXEC);
    sandbox->freeze = memfd_create("freeze", MFD_CLOEXEC);
    sandbox->oom = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(write(sandbox->peak, "37748736\n", 9), 9);
    if (have & HAVE_LISTENER)
        fds[n++] = sandbox->oom; /* any descriptor: the server is a fake */
    if (have & HAVE_MEMORY_PEAK)
        fds[n++] = sandbox->peak;
    if (have & HAVE_OOM)
        fds[n++] = sandbox->oom;
    if (have & HAVE_FREEZE)
        fds[n++] = sandbox->freeze;
    reply_with(&reply, fds, n);
    close(pair[1]);
    fake_turns(2);
}

void fake_refused(struct fake_sandbox *sandbox, int os, const char *text)
{
    struct launch_reply reply = {.event = LAUNCH_REFUSED, .id = sandbox->request.id, .os = os};
    snprintf(reply.text, sizeof reply.text, "%s", text);
    reply_with(&reply, NULL, 0);
    close(sandbox->output);
    close(sandbox->frames);
    fake_turns(3);
}

void fake_gone(struct fake_sandbox *sandbox)
{
    struct launch_reply reply = {.event = LAUNCH_GONE,
                                 .id = sandbox->request.id,
                                 .os = sandbox->exit_status,
                                 .oom = sandbox->oom_kills};
    reply_with(&reply, NULL, 0);
    close(sandbox->output);
    close(sandbox->frames);
    close(sandbox->control);
    close(sandbox->peak);
    close(sandbox->freeze);
    close(sandbox->oom);
    fake_turns(3);
}

static bool control_readable(void *arg)
{
    return readable(((struct fake_sandbox *)arg)->control);
}

bool fake_has_order(struct fake_sandbox *sandbox)
{
    fake_turns(3);
    return control_readable(sandbox);
}

struct control_order fake_order_whole(struct fake_sandbox *sandbox)
{
    struct control_order order;
    fake_until(control_readable, sandbox);
    assert_int_equal(recv(sandbox->control, &order, sizeof order, 0), sizeof order);
    assert_int_equal(order.magic, CONTROL_MAGIC);
    return order;
}

uint32_t fake_order(struct fake_sandbox *sandbox)
{
    return fake_order_whole(sandbox).op;
}

static void send_event(struct fake_sandbox *sandbox, struct control_event *event)
{
    event->magic = CONTROL_MAGIC;
    assert_int_equal(send(sandbox->control, event, sizeof *event, 0), sizeof *event);
    fake_turns(3);
}

void fake_event(struct fake_sandbox *sandbox, enum control_what what, uint32_t run, int32_t status)
{
    struct control_event event = {.what = what, .run = run, .status = status};
    send_event(sandbox, &event);
}

void fake_event_of(struct fake_sandbox *sandbox, uint32_t process, enum control_what what,
                   uint32_t run, int32_t status)
{
    struct control_event event = {.what = what, .run = run, .process = process, .status = status};
    send_event(sandbox, &event);
}

void fake_event_failed(struct fake_sandbox *sandbox, uint32_t run, int os, const char *step)
{
    struct control_event event = {.what = CONTROL_FAILED, .run = run, .os = os};
    snprintf(event.step, sizeof event.step, "%s", step);
    send_event(sandbox, &event);
}

void fake_write(int fd, struct slice s)
{
    assert_int_equal(write(fd, s.p, s.n), s.n);
}

/* ---- logs ---- */

struct buf fake_log;
uint64_t fake_log_ms;
size_t fake_log_events;
char fake_log_names[512];

struct log_stream *log_stream_open(struct log_store *store, struct slice account,
                                   struct slice region, struct slice group, struct slice stream)
{
    snprintf(fake_log_names, sizeof fake_log_names, "%.*s %.*s", FMT(group), FMT(stream));
    return (struct log_stream *)(uintptr_t)1;
}

void log_stream_close(struct log_stream *stream)
{
}

void log_append(struct log_stream *stream, uint64_t timestamp_ms, struct slice message)
{
    fake_log_ms = timestamp_ms;
    buf_slice(&fake_log, message);
    fake_log_events++;
}
