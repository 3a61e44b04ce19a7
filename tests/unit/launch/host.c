#include "../test.h"

#include "host.h"

#include "launch/config.h"

#include "base/mem.h"
#include "launch/packet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, TEXT_MAX = 1 << 20 };

const char test_digest[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/* ---- the daemon ---- */

static void leave(int signal)
{
    _exit(0);
}

bool test_is_daemon(int argc, char **argv)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char order = 0;
    if (argc != 3 || strcmp(argv[1], "--daemon") != 0)
        return false;
    signal(SIGTERM, leave);
    int fd = (int)strtoul(getenv("LAMBKIN_LAUNCH_FD"), NULL, 10);
    int channel = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", argv[2]);
    pid_t self = getpid();
    if (connect(channel, (const struct sockaddr *)&at, sizeof at) != 0 ||
        !packet_send(channel, &self, sizeof self, &fd, 1))
        _exit(99);
    if (read(channel, &order, 1) == 1 && order == 'k')
        raise(SIGKILL);
    _exit(order >= '0' && order <= '9' ? order - '0' : 98);
}

/* ---- the folder ---- */

static void find_build(char *build, size_t cap)
{
    static const char *const up[] = {"../../..", ".."};
    char exe[256];
    char program[512];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    assert_true(n > 0);
    exe[n] = '\0';
    *strrchr(exe, '/') = '\0';
    for (size_t i = 0; i < COUNT_OF(up); i++) {
        snprintf(build, cap, "%s/%s", exe, up[i]);
        snprintf(program, sizeof program, "%s/lambkin-launch", build);
        if (access(program, X_OK) == 0)
            return;
    }
    fail_msg("no lambkin-launch near %s", exe);
}

uid_t host_daemon_uid(const struct host *host)
{
    return host->uid ? host->uid : LAUNCH_UID_BASE - 1;
}

static void make_folder(struct host *host)
{
    char path[256];
    snprintf(host->dir, sizeof host->dir, "/var/tmp/lambkin-test-XXXXXX");
    assert_non_null(mkdtemp(host->dir));
    assert_int_equal(chmod(host->dir, 0755), 0);
    static unsigned hosts;
    snprintf(host->parent, sizeof host->parent, "lambkin-test-%d-%u", getpid(), ++hosts);
    static const char *const dirs[] = {"data", "data/code", "runtimes", "runtimes/any"};
    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        snprintf(path, sizeof path, "%s/%s", host->dir, dirs[i]);
        assert_int_equal(mkdir(path, 0755), 0);
        assert_int_equal(chown(path, host->uid, host->uid), 0);
    }
    snprintf(path, sizeof path, "%s/data", host->dir);
    assert_int_equal(chown(path, host_daemon_uid(host), host_daemon_uid(host)), 0);
    snprintf(path, sizeof path, "%s/data/code/%s", host->dir, test_digest);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(chown(path, host->uid, host->uid), 0);
    snprintf(path, sizeof path, "%s/door", host->dir);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    host->door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(host->door, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(chmod(path, 0777), 0);
    assert_int_equal(listen(host->door, 8), 0);
}

static _Noreturn void become_launcher(const struct host *host)
{
    char build[300], launch[320], data[80], runtimes[80], door[80], exe[256];
    find_build(build, sizeof build);
    snprintf(launch, sizeof launch, "%s/lambkin-launch", build);
    snprintf(data, sizeof data, "%s/data", host->dir);
    snprintf(runtimes, sizeof runtimes, "%s/runtimes", host->dir);
    snprintf(door, sizeof door, "%s/door", host->dir);
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    if (host->cgroup) {
        char procs[256];
        snprintf(procs, sizeof procs, "%s/cgroup.procs", host->cgroup);
        int fd = open(procs, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1)
            _exit(95);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* the test's own time limit ends the launcher too */
    if (host->uid && (setresgid(host->uid, host->uid, host->uid) != 0 ||
                      setresuid(host->uid, host->uid, host->uid) != 0))
        _exit(97);
    execl(launch, launch, "--data", data, "--runtimes", runtimes, "--libexec", build,
          "--cgroup-parent", host->parent, "--spares", host->spares ? host->spares : "2", "--max",
          host->max ? host->max : "1100", "--", exe, "--daemon", door, (char *)NULL);
    _exit(96);
}

/* ---- life ---- */

void wait_readable(int fd, const char *what)
{
    struct pollfd wait = {fd, POLLIN, 0};
    if (poll(&wait, 1, PATIENCE_MS) != 1)
        fail_msg("waited in vain for %s", what);
}

void host_meet_daemon(struct host *host)
{
    int fds[PACKET_FDS_MAX];
    size_t count = 0;
    wait_readable(host->door, "the daemon");
    host->channel = accept4(host->door, NULL, NULL, SOCK_CLOEXEC);
    assert_true(host->channel >= 0);
    wait_readable(host->channel, "the daemon's socket");
    assert_int_equal(packet_receive(host->channel, &host->daemon, sizeof host->daemon, fds, &count),
                     sizeof host->daemon);
    assert_int_equal(count, 1);
    host->socket = fds[0];
    struct launch_reply hello = host_reply(host, NULL, NULL);
    assert_int_equal(hello.event, LAUNCH_HELLO);
    host->facts = hello.facts;
}

void host_start(struct host *host)
{
    alarm(240);
    make_folder(host);
    host_resume(host);
}

void host_resume(struct host *host)
{
    host->launcher = fork();
    assert_true(host->launcher >= 0);
    if (host->launcher == 0)
        become_launcher(host);
    host_meet_daemon(host);
}

void host_tell_daemon(struct host *host, char order)
{
    assert_int_equal(write(host->channel, &order, 1), 1);
    close(host->channel);
    close(host->socket);
    host->channel = host->socket = -1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static bool has_half_made(const char *path)
{
    bool found = false;
    DIR *code = opendir(path);
    for (struct dirent *e; code && (e = readdir(code));)
        found |= !strncmp(e->d_name, ".tmp", 4);
    if (code)
        closedir(code);
    return found;
}

/* Neither cgroups, mounts, loop devices nor files of the launcher remain. */
void host_clean(struct host *host)
{
    static const char *const trees[] = {"/sys/fs/cgroup",        "/sys/fs/cgroup/unified",
                                        "/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu",
                                        "/sys/fs/cgroup/pids",   "/sys/fs/cgroup/freezer"};
    char path[512];
    for (size_t i = 0; i < COUNT_OF(trees); i++) {
        snprintf(path, sizeof path, "%s/%s", trees[i], host->parent);
        if (access(path, F_OK) == 0)
            fail_msg("%s is left", path);
    }
    char *mounts = read_text("/proc/self/mountinfo");
    assert_null(strstr(mounts, host->dir));
    free(mounts);
    DIR *block = opendir("/sys/block");
    for (struct dirent *e; block && (e = readdir(block));) {
        snprintf(path, sizeof path, "/sys/block/%s/loop/backing_file", e->d_name);
        char *file = strncmp(e->d_name, "loop", 4) ? NULL : read_text(path);
        if (file && strstr(file, host->dir))
            fail_msg("%s still has %s", e->d_name, file);
        free(file);
    }
    if (block)
        closedir(block);
    snprintf(path, sizeof path, "%s/data/code", host->dir);
    for (int i = 0; i < 200 && has_half_made(path); i++) /* large trees are removed behind */
        usleep(10000);
    assert_false(has_half_made(path));
    close(host->door);
    nftw(host->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int host_stop(struct host *host)
{
    int status = 0;
    kill(host->launcher, SIGTERM);
    assert_int_equal(waitpid(host->launcher, &status, 0), host->launcher);
    host_clean(host);
    if (host->channel >= 0)
        close(host->channel);
    if (host->socket >= 0)
        close(host->socket);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ---- requests ---- */

void request_args(struct launch_request *request, const char *const *args, const char *const *env)
{
    struct sandbox_spec *spec = &request->spec;
    memset(spec->strings, 0, sizeof spec->strings);
    spec->argc = spec->envc = spec->strings_len = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (const char *const *s = pass ? env : args; s && *s; s++) {
            size_t n = strlen(*s) + 1;
            assert_true(spec->strings_len + n <= sizeof spec->strings);
            memcpy(spec->strings + spec->strings_len, *s, n);
            spec->strings_len += (uint32_t)n;
            *(pass ? &spec->envc : &spec->argc) += 1;
        }
    }
}

struct launch_request *request_script(uint64_t id, const char *script)
{
    const char *const args[] = {"/bin/sh", "-c", script, NULL};
    const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    struct launch_request *request = NEW(launch_request);
    request->magic = LAUNCH_MAGIC;
    request->op = LAUNCH_SPAWN;
    request->id = id;
    request->spec.kind = LAUNCH_ENVIRONMENT;
    request->spec.memory = (uint64_t)BOX_MB << 20;
    request->spec.tmp_size = 16 << 20;
    request->spec.pids = 64;
    request->spec.nofile = 1024;
    request->spec.cpu.weight_mb = 128;
    memcpy(request->spec.code, test_digest, sizeof request->spec.code);
    request_args(request, args, env);
    return request;
}

void host_send(struct host *host, const struct launch_request *request, const int *fds,
               size_t count)
{
    if (!packet_send(host->socket, request, sizeof *request, fds, count))
        fail_msg("send: %s", strerror(errno));
}

struct launch_reply host_reply(struct host *host, int *fds, size_t *count)
{
    struct launch_reply reply;
    int got[PACKET_FDS_MAX];
    size_t n = 0;
    wait_readable(host->socket, "a reply");
    ssize_t size = packet_receive(host->socket, &reply, sizeof reply, fds ? fds : got, &n);
    assert_int_equal(size, sizeof reply);
    assert_int_equal(reply.magic, LAUNCH_MAGIC);
    if (count)
        *count = n;
    else
        assert_int_equal(n, 0);
    return reply;
}

struct box host_spawn(struct host *host, struct launch_request *request)
{
    int fds[PACKET_FDS_MAX];
    int out[2];
    int telemetry[2];
    size_t count = 0;
    struct box box = {request->id, -1, -1, -1, -1, -1, -1, -1, -1, false, {0}};
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(telemetry, O_CLOEXEC), 0);
    uid_t uid = host_daemon_uid(host);
    assert_int_equal(fchown(out[1], uid, uid), 0); /* as if the daemon had made them */
    assert_int_equal(fchown(telemetry[1], uid, uid), 0);
    host_send(host, request, (int[]){out[1], telemetry[1]}, 2);
    close(out[1]);
    close(telemetry[1]);
    struct launch_reply reply = host_reply(host, fds, &count);
    if (reply.event != LAUNCH_SPAWNED)
        fail_msg("event %u for %llu: %s", reply.event, (unsigned long long)reply.id, reply.text);
    assert_int_equal(reply.id, request->id);
    size_t at = 0;
    box.control = fds[at++];
    box.listener = reply.have & HAVE_LISTENER ? fds[at++] : -1;
    box.endpoint = reply.have & HAVE_ENDPOINT ? fds[at++] : -1;
    box.peak = reply.have & HAVE_MEMORY_PEAK ? fds[at++] : -1;
    box.oom = reply.have & HAVE_OOM ? fds[at++] : -1;
    box.freeze = reply.have & HAVE_FREEZE ? fds[at++] : -1;
    assert_int_equal(at, count);
    box.v2 = reply.cgroup_v2_files;
    box.out = out[0];
    box.telemetry = telemetry[0];
    memcpy(box.step_us, reply.step_us, sizeof box.step_us);
    free(request);
    return box;
}

void host_refuse(struct host *host, const struct launch_request *request)
{
    int fds[2] = {open("/dev/null", O_RDWR | O_CLOEXEC), open("/dev/null", O_RDWR | O_CLOEXEC)};
    host_send(host, request, fds, 2);
    close(fds[0]);
    close(fds[1]);
    struct launch_reply reply = host_reply(host, NULL, NULL);
    assert_int_equal(reply.event, LAUNCH_REFUSED);
    assert_int_equal(reply.id, request->id);
    assert_true(reply.text[0] != '\0');
}

void host_kill(struct host *host, const struct box *box)
{
    AUTO(free) struct launch_request *request = NEW(launch_request);
    request->magic = LAUNCH_MAGIC;
    request->op = LAUNCH_KILL;
    request->id = box->id;
    host_send(host, request, NULL, 0);
}

struct launch_reply host_gone(struct host *host, uint64_t id)
{
    struct launch_reply reply = host_reply(host, NULL, NULL);
    assert_int_equal(reply.event, LAUNCH_GONE);
    assert_int_equal(reply.id, id);
    return reply;
}

/* ---- one sandbox ---- */

void box_order(const struct box *box, enum control_op op)
{
    struct control_order order = {.magic = CONTROL_MAGIC, .op = op};
    assert_true(packet_send(box->control, &order, sizeof order, NULL, 0));
}

struct control_event box_event(const struct box *box)
{
    struct control_event event;
    int fds[PACKET_FDS_MAX];
    size_t count = 0;
    wait_readable(box->control, "an event of init");
    ssize_t n = packet_receive(box->control, &event, sizeof event, fds, &count);
    assert_int_equal(n, sizeof event);
    assert_int_equal(event.magic, CONTROL_MAGIC);
    return event;
}

void box_start(const struct box *box)
{
    box_order(box, CONTROL_START);
    struct control_event event = box_event(box);
    if (event.what != CONTROL_STARTED)
        fail_msg("not started: %s: %s", event.step, strerror(event.os));
    assert_int_equal(event.run, 1);
}

char *box_read(const struct box *box, const char *last)
{
    char *text = mem_new(TEXT_MAX);
    size_t n = 0;
    size_t tail = last ? strlen(last) : 0;
    for (;;) {
        struct pollfd wait = {box->out, POLLIN, 0};
        if (poll(&wait, 1, PATIENCE_MS) != 1)
            fail_msg("no more output after: %s", text);
        ssize_t got = read(box->out, text + n, TEXT_MAX - 1 - n);
        assert_true(got >= 0);
        if (got == 0)
            break;
        n += (size_t)got;
        text[n] = '\0';
        if (last && n >= tail && !memcmp(text + n - tail, last, tail))
            return text;
    }
    if (last)
        fail_msg("output ended before \"%s\": %s", last, text);
    return text;
}

void box_close(struct box *box)
{
    const int fds[] = {box->control, box->listener, box->endpoint, box->peak,
                       box->oom,     box->freeze,   box->out,      box->telemetry};
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

char *host_run(struct host *host, const char *script)
{
    static uint64_t id = 1000;
    struct box box = host_spawn(host, request_script(++id, script));
    box_start(&box);
    assert_int_equal(box_event(&box).what, CONTROL_EXITED);
    host_kill(host, &box);
    char *text = box_read(&box, NULL);
    host_gone(host, box.id);
    box_close(&box);
    return text;
}

bool host_is_small(void)
{
    return sysconf(_SC_PHYS_PAGES) < (4L << 30) / sysconf(_SC_PAGESIZE);
}

char *read_text(const char *path)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    if (fd < 0)
        return NULL;
    char *text = mem_new(TEXT_MAX);
    for (ssize_t got; (got = read(fd, text + n, TEXT_MAX - 1 - n)) > 0;)
        n += (size_t)got;
    return text;
}
