/* Limits, restarts, freezing and every way to end: what must be kept, and that nothing else is. */
#include "../test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "host.h"
#include "launch/packet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct host host;

static int setup(void **state)
{
    host = (struct host){.uid = host.uid};
    host_start(&host);
    return 0;
}

static int teardown(void **state)
{
    return host_stop(&host);
}

static void end(struct box *box)
{
    host_kill(&host, box);
    host_gone(&host, box->id);
    box_close(box);
}

/* Processes of sandboxes on this host, by the name of their pid 1's program. */
static unsigned count_inits(void)
{
    unsigned n = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; (e = readdir(proc));) {
        char path[300];
        snprintf(path, sizeof path, "/proc/%s/cmdline", e->d_name);
        char *line = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? read_text(path) : NULL;
        if (!line)
            continue;
        for (char *at = line; *at; at += strlen(at) + 1)
            n += strstr(at, host.dir) != NULL && strstr(at, "/data") != NULL;
        free(line);
    }
    closedir(proc);
    return n;
}

static void wait_for_no_inits(void)
{
    for (int i = 0; i < 1000 && count_inits(); i++)
        usleep(10000);
    assert_int_equal(count_inits(), 0);
}

static void wait_for_end(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    for (int i = 0; i < 1000; i++) {
        char *stat = read_text(path);
        bool ended = !stat || strstr(stat, ") Z ");
        free(stat);
        if (ended)
            return;
        usleep(10000);
    }
    fail_msg("process %d is still there", pid);
}

/* ---- limits ---- */

static void test_out_of_memory(void **state)
{
    if (!host.facts.can_memory)
        skip();
    struct box box =
        host_spawn(&host, request_script(1, "dd if=/dev/zero of=/dev/null bs=200M; echo survived"));
    box_start(&box);
    assert_true(box.oom >= 0 && box.peak >= 0);
    struct pollfd wait = {box.oom, box.v2 ? POLLPRI : POLLIN, 0};
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(box_event(&box).what, CONTROL_EXITED);
    /* init has survived it: the environment can be reset in place */
    box_order(&box, CONTROL_KILL_ALL);
    assert_int_equal(box_event(&box).what, CONTROL_CLEARED);
    box_order(&box, CONTROL_START);
    assert_int_equal(box_event(&box).what, CONTROL_STARTED);
    host_kill(&host, &box);
    struct launch_reply gone = host_gone(&host, 1);
    assert_true(gone.oom >= 1);
    assert_in_range(gone.peak, (BOX_MB - 16) << 20, BOX_MB << 20);
    box_close(&box);
}

static void test_fork_bomb(void **state)
{
    char *text = host_run(&host, "i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i+1)); done; "
                                 "echo unlimited");
    assert_null(strstr(text, "unlimited"));
    assert_non_null(strstr(text, "fork"));
    free(text);
}

static void test_descriptors(void **state)
{
    struct launch_request *request = request_script(2, "ulimit -Hn; ulimit -Sn");
    request->spec.nofile = 40;
    struct box box = host_spawn(&host, request);
    box_start(&box);
    char *text = box_read(&box, "40\n40\n");
    free(text);
    end(&box);
}

/* ---- restart ---- */

static void test_restart(void **state)
{
    static const char script[] = "cat /proc/[0-9]*/comm 2>/dev/null | grep -c sleep; "
                                 "[ -e /tmp/kept ] && echo again || echo first; echo x >/tmp/kept; "
                                 "setsid sleep 1000 & sleep 1000 & echo up; wait";
    struct box box = host_spawn(&host, request_script(3, script));
    box_start(&box);
    char *text = box_read(&box, "up\n");
    assert_string_equal(text, "0\nfirst\nup\n");
    free(text);
    for (uint32_t run = 2; run < 5; run++) {
        box_order(&box, CONTROL_KILL_ALL);
        struct control_event event = box_event(&box);
        assert_int_equal(event.what, CONTROL_EXITED);
        assert_int_equal(event.run, run - 1);
        assert_true(WIFSIGNALED(event.status) && WTERMSIG(event.status) == SIGKILL);
        event = box_event(&box);
        assert_int_equal(event.what, CONTROL_CLEARED);
        assert_int_equal(event.run, run - 1);
        box_order(&box, CONTROL_START);
        event = box_event(&box);
        assert_int_equal(event.what, CONTROL_STARTED);
        assert_int_equal(event.run, run);
        text = box_read(&box, "up\n");
        assert_string_equal(text, "0\nagain\nup\n");
        free(text);
    }
    end(&box);
}

static void test_term(void **state)
{
    struct box box = host_spawn(
        &host,
        request_script(4, "trap 'echo term; exit 3' TERM; echo up; while :; do sleep 0.01; done"));
    box_start(&box);
    free(box_read(&box, "up\n"));
    box_order(&box, CONTROL_TERM);
    free(box_read(&box, "term\n"));
    struct control_event event = box_event(&box);
    assert_true(event.what == CONTROL_EXITED && WEXITSTATUS(event.status) == 3);
    end(&box);
}

/* ---- freezing ---- */

static const char flood[] = "while :; do echo x; done";

/* Reads until nothing more comes: what a stopped payload has left in the pipe. */
static bool stands_still(const struct box *box)
{
    char block[65536];
    struct pollfd wait = {box->out, POLLIN, 0};
    size_t n = 0;
    while (poll(&wait, 1, 200) == 1 && n < (4 << 20)) {
        ssize_t got = read(box->out, block, sizeof block);
        n += got > 0 ? (size_t)got : 0;
    }
    return n < (4 << 20);
}

static void freeze(const struct box *box, bool on)
{
    const char *word =
        host.facts.cgroup == CGROUP_V1 ? (on ? "FROZEN" : "THAWED") : (on ? "1" : "0");
    if (box->freeze >= 0)
        assert_int_equal(write(box->freeze, word, strlen(word)), strlen(word));
    else
        box_order(box, on ? CONTROL_STOP : CONTROL_CONTINUE);
}

static void test_freeze(void **state)
{
    struct box box = host_spawn(&host, request_script(5, flood));
    box_start(&box);
    for (int i = 0; i < 3; i++) {
        wait_readable(box.out, "output");
        freeze(&box, true);
        assert_true(stands_still(&box));
        freeze(&box, false);
        wait_readable(box.out, "output after thawing");
    }
    freeze(&box, true);
    end(&box); /* a frozen one can be killed */
}

/* ---- ends ---- */

static void test_kill_leaves_nothing(void **state)
{
    struct host other = {.uid = host.uid, .spares = "0"};
    host_start(&other);
    struct box box = host_spawn(
        &other,
        request_script(6, "for i in 1 2 3 4 5 6 7 8; do (trap '' TERM; setsid sleep 1000) & done; "
                          "dd if=/dev/zero of=/tmp/x bs=1M count=8 2>/dev/null; echo up; wait"));
    box_start(&box);
    free(box_read(&box, "up\n"));
    host_kill(&other, &box);
    host_gone(&other, 6);
    /* GONE is said when all is gone: no loop device holds the image any more. */
    DIR *block = opendir("/sys/block");
    for (struct dirent *e; block && (e = readdir(block));) {
        char path[300];
        snprintf(path, sizeof path, "/sys/block/%s/loop/backing_file", e->d_name);
        char *file = strncmp(e->d_name, "loop", 4) ? NULL : read_text(path);
        if (file)
            assert_null(strstr(file, other.dir));
        free(file);
    }
    if (block)
        closedir(block);
    box_close(&box);
    assert_int_equal(host_stop(&other), 0);
}

static void test_closed_control_ends_it(void **state)
{
    struct box box = host_spawn(&host, request_script(7, "sleep 1000"));
    box_start(&box);
    box_close(&box);
    host_gone(&host, 7);
}

static void test_kill_before_start(void **state)
{
    struct box box = host_spawn(&host, request_script(8, "sleep 1000"));
    end(&box);
}

static void test_bad_requests(void **state)
{
    struct launch_request *request = request_script(9, "exit 0");
    request->spec.runtime[0] = '/';
    host_refuse(&host, request);
    request->spec.runtime[0] = '\0';
    memset(request->spec.code, '0', LAUNCH_DIGEST_LEN);
    struct box box = host_spawn(&host, request); /* well-formed, but there is no such code */
    box_order(&box, CONTROL_START);
    assert_int_equal(box_event(&box).what, CONTROL_FAILED);
    struct launch_request *twice = request_script(9, "exit 0");
    host_refuse(&host, twice);
    host_send(&host, twice, NULL, 0); /* without descriptors; the id is in use, too */
    assert_int_equal(host_reply(&host, NULL, NULL).event, LAUNCH_REFUSED);
    free(twice);
    end(&box);
    assert_int_equal(write(host.socket, "x", 1), 1);
    assert_int_equal(host_reply(&host, NULL, NULL).event, LAUNCH_REFUSED);
    static char large[sizeof(struct launch_request) + 100];
    assert_int_equal(write(host.socket, large, sizeof large), sizeof large);
    assert_int_equal(host_reply(&host, NULL, NULL).event, LAUNCH_REFUSED);
}

static void test_forget_code(void **state)
{
    char path[256];
    struct launch_request *request = request_script(10, "exit 0");
    struct launch_request forget = {.magic = LAUNCH_MAGIC, .op = LAUNCH_FORGET_CODE, .id = 11};
    memset(request->spec.code, 'a', LAUNCH_DIGEST_LEN);
    request->spec.layer_count = 1;
    memset(request->spec.layers[0], 'b', LAUNCH_DIGEST_LEN);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/data/code/%s", host.dir,
                 i ? request->spec.layers[0] : request->spec.code);
        assert_int_equal(mkdir(path, 0755), 0);
        assert_int_equal(chown(path, host.uid, host.uid), 0);
        snprintf(path + strlen(path), 8, "/link");
        assert_int_equal(symlink("/etc", path), 0);
    }
    struct launch_request kept = *request;
    struct box box = host_spawn(&host, request);
    for (int i = 0; i < 2; i++) {
        memcpy(forget.spec.code, i ? kept.spec.layers[0] : kept.spec.code, LAUNCH_DIGEST_LEN + 1);
        host_send(&host, &forget, NULL, 0);
        assert_int_equal(host_reply(&host, NULL, NULL).event, LAUNCH_REFUSED); /* in use */
    }
    end(&box);
    for (int i = 0; i < 2; i++) {
        memcpy(forget.spec.code, i ? kept.spec.layers[0] : kept.spec.code, LAUNCH_DIGEST_LEN + 1);
        host_send(&host, &forget, NULL, 0);
        assert_int_equal(host_reply(&host, NULL, NULL).event, LAUNCH_DONE);
        snprintf(path, sizeof path, "%s/data/code/%s", host.dir, forget.spec.code);
        assert_int_equal(access(path, F_OK), -1);
    }
    assert_int_equal(access("/etc/passwd", F_OK), 0);
}

static void test_layers(void **state)
{
    static const char *const files[][3] = {
        {"a", "one", "1"}, {"b", "two", "2"}, {"a", "both", "a"}, {"b", "both", "b"}};
    char path[256];
    char *known = read_text("/proc/filesystems");
    bool overlay = strstr(known, "\toverlay\n") != NULL;
    free(known);
    if (!overlay)
        skip();
    struct launch_request *request =
        request_script(12, "cat /opt/one /opt/two /opt/both; echo x >/opt/one || echo ro");
    request->spec.layer_count = 2;
    memset(request->spec.layers[0], 'a', LAUNCH_DIGEST_LEN);
    memset(request->spec.layers[1], 'b', LAUNCH_DIGEST_LEN);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/data/code/%s", host.dir, request->spec.layers[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/data/code/%s/%s", host.dir,
                 request->spec.layers[files[i][0][0] - 'a'], files[i][1]);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(files[i][2], file);
        fclose(file);
    }
    struct box box = host_spawn(&host, request);
    box_start(&box);
    char *text = box_read(&box, "ro\n");
    assert_memory_equal(text, "12b", 3);
    free(text);
    end(&box);
}

/* ---- parked runtimes ---- */

static struct launch_request *request_parked(uint64_t id, const char *script)
{
    struct launch_request *request = request_script(id, script);
    request->spec.kind = LAUNCH_PARKED;
    memset(request->spec.code, 0, sizeof request->spec.code);
    return request;
}

static void assign(const struct box *box, const char *script)
{
    const char *const args[] = {"/bin/sh", "-c", script, NULL};
    const char *const env[] = {"COLOUR=blue", "SHAPE=round", NULL};
    AUTO(free) struct launch_request *request = request_script(box->id, "");
    request->op = LAUNCH_ASSIGN;
    request->spec.tmp_size = 32 << 20; /* not the usual one */
    request_args(request, args, env);
    host_send(&host, request, NULL, 0);
    assert_int_equal(host_reply(&host, NULL, NULL).event, LAUNCH_DONE);
}

/* It boots without code, and gets it, its variables and its /tmp later. Nothing of the other code
 * is in sight then, and nothing of the host's privilege is left. */
static void test_parked(void **state)
{
    /* bash: sh knows descriptors of one digit only */
    const char *const args[] = {
        "/bin/bash", "-c",
        "echo booted; printf p >&61; tr '\\0' '\\n' <&61; exec 61<&-; cd /var/task; "
        "ls . /mnt; echo over; sleep 1000",
        NULL};
    struct launch_request *request = request_parked(30, "");
    request_args(request, args, NULL);
    struct box box = host_spawn(&host, request);
    box_start(&box);
    free(box_read(&box, "booted\n"));
    assert_int_equal(box_event(&box).what, CONTROL_PARKED);
    assign(&box, "echo never");
    box_order(&box, CONTROL_START);
    struct control_event event = box_event(&box);
    if (event.what != CONTROL_STARTED)
        fail_msg("not started: %s: %s", event.step, strerror(event.os));
    assert_int_equal(event.run, 2);
    char *text = box_read(&box, "over\n");
    assert_non_null(strstr(text, "COLOUR=blue\nSHAPE=round\n"));
    assert_non_null(strstr(text, "/mnt:\n"));
    assert_null(strstr(text, test_digest));
    free(text);
    end(&box);
}

/* One that died while it waited leaves a sandbox in which the function starts as if there had been
 * none. */
static void test_parked_and_dead(void **state)
{
    struct box box = host_spawn(&host, request_parked(31, "echo booted; exit 3"));
    box_start(&box);
    assert_int_equal(box_event(&box).what, CONTROL_EXITED);
    free(box_read(&box, "booted\n"));
    assign(&box, "echo $COLOUR; sleep 1000");
    box_order(&box, CONTROL_START);
    struct control_event event = box_event(&box);
    if (event.what != CONTROL_STARTED)
        fail_msg("not started: %s: %s", event.step, strerror(event.os));
    free(box_read(&box, "blue\n"));
    end(&box);
}

static void test_only_the_parked_are_assigned(void **state)
{
    struct box box = host_spawn(&host, request_script(32, "echo up; sleep 1000"));
    AUTO(free) struct launch_request *request = request_script(32, "");
    request->op = LAUNCH_ASSIGN;
    box_start(&box);
    free(box_read(&box, "up\n"));
    host_send(&host, request, NULL, 0);
    assert_int_equal(host_reply(&host, NULL, NULL).event, LAUNCH_REFUSED);
    request->id = 99;
    host_send(&host, request, NULL, 0);
    assert_int_equal(host_reply(&host, NULL, NULL).event, LAUNCH_REFUSED);
    end(&box);
}

/* ---- unpacking ---- */

static int make_zip(const char *python)
{
    char zip[128];
    char command[1024];
    snprintf(zip, sizeof zip, "%s/x.zip", host.dir);
    snprintf(
        command, sizeof command,
        "/usr/bin/python3 -c 'import zipfile; z = zipfile.ZipFile(\"%s\", \"w\"); %s; z.close()'",
        zip, python);
    assert_int_equal(system(command), 0);
    int file = open(zip, O_RDONLY | O_CLOEXEC);
    unlink(zip);
    return file;
}

/* The digests and what makes their zips, up to two. */
static struct launch_reply unpack(const char *const *digests, const char *const *pythons)
{
    static uint64_t id = 100;
    const char *const args[] = {"/var/runtime/lambkin-unpack", digests[0], digests[1], NULL};
    struct launch_request *request = request_script(++id, "");
    request->spec.kind = LAUNCH_UNPACK;
    request->spec.memory = 256 << 20;
    memset(request->spec.code, 0, sizeof request->spec.code);
    request_args(request, args, NULL);
    int out[2];
    int zips[2];
    int fds[8];
    size_t count = 0;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, zips), 0);
    for (size_t i = 0; i < 2 && digests[i]; i++) {
        int file = make_zip(pythons[i]);
        assert_true(packet_send(zips[0], "z", 1, &file, 1));
        close(file);
    }
    assert_int_equal(fchown(out[1], host_daemon_uid(&host), host_daemon_uid(&host)), 0);
    host_send(&host, request, (int[]){out[1], zips[1]}, 2);
    close(out[1]);
    close(zips[0]);
    close(zips[1]);
    struct launch_reply reply = host_reply(&host, fds, &count);
    assert_int_equal(reply.event, LAUNCH_SPAWNED);
    struct box box = {.id = id, .control = fds[0], .listener = -1, .endpoint = -1, .out = out[0]};
    assert_true(!(reply.have & HAVE_LISTENER));
    box_order(&box, CONTROL_START);
    assert_int_equal(box_event(&box).what, CONTROL_STARTED);
    free(box_read(&box, NULL));
    reply = host_gone(&host, id);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    close(out[0]);
    free(request);
    return reply;
}

static int unpack_one(const char *digest, const char *python)
{
    return unpack((const char *[]){digest, NULL}, &python).os;
}

static bool tree_has(const char *digest, const char *file)
{
    char path[256];
    snprintf(path, sizeof path, "%s/data/code/%s/%s", host.dir, digest, file);
    return access(path, F_OK) == 0;
}

static void test_unpack(void **state)
{
    char path[256];
    struct stat st;
    char digest[LAUNCH_DIGEST_LEN + 1] = {0};
    if (access("/usr/bin/python3", X_OK) != 0)
        skip();
    memset(digest, 'c', LAUNCH_DIGEST_LEN);
    assert_int_equal(unpack_one(digest, "z.writestr(\"d/f\", \"content\")"), 0);
    snprintf(path, sizeof path, "%s/data/code/%s/d/f", host.dir, digest);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, host.uid);
    char *text = read_text(path);
    assert_string_equal(text, "content");
    free(text);
    /* The same again is fine and changes nothing. */
    assert_int_equal(unpack_one(digest, "z.writestr(\"other\", \"content\")"), 0);
    assert_int_equal(access(path, F_OK), 0);
    memset(digest, 'd', LAUNCH_DIGEST_LEN);
    assert_int_equal(unpack_one(digest, "z.writestr(\"../slip\", \"x\")"), UNPACK_BAD_ZIP);
    assert_false(tree_has(digest, ""));
}

static void test_unpack_several(void **state)
{
    char first[LAUNCH_DIGEST_LEN + 1] = {0};
    char second[LAUNCH_DIGEST_LEN + 1] = {0};
    const char *const digests[] = {first, second};
    const char *const bad[] = {"z.writestr(\"f\", \"1\")", "z.writestr(\"../slip\", \"x\")"};
    const char *const good[] = {bad[0], "z.writestr(\"g\", \"2\")"};
    if (access("/usr/bin/python3", X_OK) != 0)
        skip();
    memset(first, 'e', LAUNCH_DIGEST_LEN);
    memset(second, 'f', LAUNCH_DIGEST_LEN);
    assert_int_equal(unpack(digests, bad).os, UNPACK_BAD_ZIP); /* all or none */
    assert_false(tree_has(first, ""));
    assert_int_equal(unpack(digests, good).os, 0);
    assert_true(tree_has(first, "f") && !tree_has(first, "g"));
    assert_true(tree_has(second, "g") && !tree_has(second, "f"));
}

/* ---- the launcher and the daemon ---- */

static void test_daemon_crash(void **state)
{
    struct box box = host_spawn(&host, request_script(20, "sleep 1000"));
    box_start(&box);
    for (int i = 0; i < 4; i++) {
        pid_t before = host.daemon;
        host_tell_daemon(&host, 'k');
        host_meet_daemon(&host);
        assert_int_not_equal(host.daemon, before);
        if (i == 0) {
            /* Its sandboxes are gone before the new one begins. */
            wait_readable(box.control, "the end of the sandbox");
            box_close(&box);
        }
    }
    free(host_run(&host, "echo fine"));
}

static void test_daemon_exit(void **state)
{
    int status = 0;
    struct host other = {.uid = host.uid};
    host_start(&other);
    struct box box = host_spawn(&other, request_script(21, "sleep 1000"));
    box_start(&box);
    host_tell_daemon(&other, '7');
    assert_int_equal(waitpid(other.launcher, &status, 0), other.launcher);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    box_close(&box);
    host_clean(&other);
}

/* init would give them to the function's user. */
static void test_foreign_descriptors(void **state)
{
    int pipes[2];
    int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0); /* root's */
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const int bad[][2] = {{file, file}, {null, null}, {pipes[0], pipes[0]}, {pipes[1], file}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct launch_request *request = request_script(60 + i, "echo bad");
        host_send(&host, request, bad[i], 2);
        free(request);
        struct launch_reply reply = host_reply(&host, NULL, NULL);
        assert_int_equal(reply.event, LAUNCH_REFUSED);
        assert_int_equal(reply.id, 60 + i);
    }
    close(file);
    close(null);
    close(pipes[0]);
    close(pipes[1]);
}

static void test_launcher_killed(void **state)
{
    struct host other = {.uid = host.uid};
    int status = 0;
    host_start(&other);
    struct box boxes[3];
    for (uint64_t i = 0; i < COUNT_OF(boxes); i++) {
        boxes[i] = host_spawn(&other, request_script(30 + i, "setsid sleep 1000 & sleep 1000"));
        box_start(&boxes[i]);
    }
    struct host mine = host;
    host = other; /* for count_inits() */
    assert_true(count_inits() >= COUNT_OF(boxes) + 1);
    kill(other.launcher, SIGKILL);
    assert_int_equal(waitpid(other.launcher, &status, 0), other.launcher);
    wait_for_no_inits();
    host = mine;
    for (size_t i = 0; i < COUNT_OF(boxes); i++) {
        wait_for_end(other.daemon);
        free(box_read(&boxes[i], NULL)); /* nobody holds the pipe's other end */
        box_close(&boxes[i]);
    }
    close(other.channel);
    close(other.socket);
    /* The next launcher on the same folder sweeps the cgroups and the half-made code. */
    char path[256];
    snprintf(path, sizeof path, "%s/data/code/.tmp-left", other.dir);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(chown(path, other.uid, other.uid), 0);
    host_resume(&other);
    assert_int_equal(access(path, F_OK), -1);
    free(host_run(&other, "echo fine"));
    assert_int_equal(host_stop(&other), 0);
}

static void test_full(void **state)
{
    struct host other = {.uid = host.uid, .spares = "0", .max = "2"};
    host_start(&other);
    struct box a = host_spawn(&other, request_script(40, "sleep 1000"));
    struct box b = host_spawn(&other, request_script(41, "sleep 1000"));
    struct launch_request *request = request_script(42, "sleep 1000");
    host_refuse(&other, request);
    host_kill(&other, &a);
    host_gone(&other, 40);
    struct box c = host_spawn(&other, request);
    box_close(&a);
    box_close(&b);
    box_close(&c);
    host_gone(&other, host_reply(&other, NULL, NULL).id == 41 ? 42 : 41);
    /* One that is killed while it still waits for its sandbox. */
    request = request_script(43, "sleep 1000");
    struct box quick = {.id = 43};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    host_send(&other, request, (int[]){null, null}, 2);
    host_kill(&other, &quick);
    assert_int_equal(host_reply(&other, NULL, NULL).event, LAUNCH_REFUSED);
    free(request);
    close(null);
    assert_int_equal(host_stop(&other), 0);
}

/* ---- a part of the v2 tree that belongs to an ordinary user ---- */

static void delegate(const char *dir)
{
    static const char *const files[] = {"", "/cgroup.procs", "/cgroup.threads",
                                        "/cgroup.subtree_control"};
    assert_true(mkdir(dir, 0755) == 0 || errno == EEXIST);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s", dir, files[i]);
        assert_int_equal(chown(path, UID_ROOTLESS, UID_ROOTLESS), 0);
    }
}

static void test_delegated(void **state)
{
    char dir[64] = "/sys/fs/cgroup/unified";
    char path[256];
    if (access(dir, F_OK) != 0)
        *strrchr(dir, '/') = '\0';
    snprintf(path, sizeof path, "%s/cgroup.subtree_control", dir);
    char *given = read_text(path);
    bool tree = given != NULL;
    bool all = given && strstr(given, "memory") && strstr(given, "pids") && strstr(given, "cpu");
    free(given);
    if (!tree || host.uid)
        skip();
    strcat(dir, "/lambkin-test-user");
    delegate(dir);
    struct host other = {.uid = UID_ROOTLESS, .cgroup = dir};
    host_start(&other);
    assert_true(other.facts.rootless && other.facts.can_freeze);
    assert_true(!all || (other.facts.can_memory && other.facts.can_cpu && other.facts.can_pids));
    struct box box =
        host_spawn(&other, request_script(60, "dd if=/dev/zero of=/dev/null bs=200M count=1"));
    box_start(&box);
    assert_int_equal(box_event(&box).what, CONTROL_EXITED);
    host_kill(&other, &box);
    assert_true(host_gone(&other, 60).oom >= 1 || !all);
    box_close(&box);
    assert_int_equal(host_stop(&other), 0);
    snprintf(path, sizeof path, "%s/%s-launcher", dir, other.parent);
    rmdir(path);
    assert_int_equal(rmdir(dir), 0);
}

/* ---- many ---- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void test_many(void **state)
{
    enum { ROOT_MANY = 500, FEW = 40 };
    size_t n = host.uid || host_is_small() ? FEW : ROOT_MANY;
    struct box *boxes = mem_new_array(n, sizeof *boxes);
    uint64_t begun = clock_mono_ns();
    for (size_t i = 0; i < n; i++) {
        boxes[i] = host_spawn(&host, request_script(1000 + i, "echo up; sleep 1000"));
        box_start(&boxes[i]);
        free(box_read(&boxes[i], "up\n"));
    }
    print_message("%zu alive after %llu ms\n", n,
                  (unsigned long long)(clock_mono_ns() - begun) / 1000000);
    begun = clock_mono_ns();
    for (size_t i = 0; i < n; i++)
        host_kill(&host, &boxes[i]);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(host_reply(&host, NULL, NULL).event, LAUNCH_GONE);
        box_close(&boxes[i]);
    }
    print_message("gone after %llu ms\n", (unsigned long long)(clock_mono_ns() - begun) / 1000000);
    free(boxes);
}

/* From the request to the payload's execve, with a spare at hand. */
static void test_speed(void **state)
{
    enum { ROUNDS = 40 };
    uint32_t total[ROUNDS], assign[ROUNDS], mount[ROUNDS], ids[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        usleep(60000); /* as real cold starts are: far apart, the spare made in between */
        uint64_t begun = clock_mono_ns();
        struct box box = host_spawn(&host, request_script(5000 + i, "exit 0"));
        box_order(&box, CONTROL_START);
        struct control_event event = box_event(&box);
        total[i] = (uint32_t)((clock_mono_ns() - begun) / 1000);
        assert_int_equal(event.what, CONTROL_STARTED);
        assign[i] = box.step_us[STEP_MOUNT];
        mount[i] = event.mount_us;
        ids[i] = event.ids_us;
        assert_int_equal(box_event(&box).what, CONTROL_EXITED);
        end(&box);
    }
    uint32_t *const all[] = {total, assign, mount, ids};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        qsort(all[i], ROUNDS, sizeof **all, compare);
    print_message("us p50/p90: request to execve %u/%u (launcher %u, mounts %u, payload %u)\n",
                  total[ROUNDS / 2], total[ROUNDS * 9 / 10], assign[ROUNDS / 2], mount[ROUNDS / 2],
                  ids[ROUNDS / 2]);
}

/* For this process alone the host has v1 controllers only, or none at all. */
static void hide_cgroups(const char *path)
{
    if (access(path, F_OK) != 0)
        return;
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    umount2(path, MNT_DETACH);
}

/* Modes: root, rootless, v1 and none (root with fewer cgroups). */
int main(int argc, char **argv)
{
    const char *mode = argc == 2 ? argv[1] : "root";
    if (test_is_daemon(argc, argv))
        return 0;
    if (getuid() != 0)
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_fork_bomb),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_term),
        cmocka_unit_test(test_foreign_descriptors),
        cmocka_unit_test(test_freeze),
        cmocka_unit_test(test_kill_leaves_nothing),
        cmocka_unit_test(test_closed_control_ends_it),
        cmocka_unit_test(test_kill_before_start),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_forget_code),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_parked),
        cmocka_unit_test(test_parked_and_dead),
        cmocka_unit_test(test_only_the_parked_are_assigned),
        cmocka_unit_test(test_unpack),
        cmocka_unit_test(test_unpack_several),
        cmocka_unit_test(test_daemon_crash),
        cmocka_unit_test(test_daemon_exit),
        cmocka_unit_test(test_launcher_killed),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_delegated),
        cmocka_unit_test(test_speed),
        cmocka_unit_test(test_many),
    };
    host.uid = !strcmp(mode, "rootless") ? UID_ROOTLESS : 0;
    if (!strcmp(mode, "v1"))
        hide_cgroups("/sys/fs/cgroup/unified");
    if (!strcmp(mode, "none"))
        hide_cgroups("/sys/fs/cgroup");
    return cmocka_run_group_tests_name(mode, tests, setup, teardown);
}
