/* Processes beside the payload, as the daemon orders them from init. */
#include "../test.h"

#include "base/mem.h"
#include "host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/packet.h"

static struct host host;

static int setup(void **state)
{
    host_start(&host);
    return 0;
}

static int teardown(void **state)
{
    return host_stop(&host);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[256];
    char digest[LAUNCH_DIGEST_LEN + 1] = "";
    memset(digest, 'c', LAUNCH_DIGEST_LEN);
    snprintf(path, sizeof path, "%s/data/code/%s", host.dir, digest);
    mkdir(path, 0755);
    strncat(path, "/extensions", sizeof path - strlen(path) - 1);
    mkdir(path, 0755);
    snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

/* With one layer that holds the extensions of this file, and two variables that they get. */
static struct box spawn(const char *script)
{
    const char *const args[] = {"/bin/sh", "-c", script, NULL};
    const char *const env[] = {"COLOUR=blue", "SHAPE=round", "SECRET=1", NULL};
    struct launch_request *request = request_script(31, script);
    request_args(request, args, env);
    request->spec.extension_envc = 2;
    request->spec.layer_count = 1;
    memset(request->spec.layers[0], 'c', LAUNCH_DIGEST_LEN);
    return host_spawn(&host, request);
}

static void order(const struct box *box, const struct control_order *order, int fd)
{
    struct control_order it = *order;
    it.magic = CONTROL_MAGIC;
    assert_true(packet_send(box->control, &it, sizeof it, &fd, fd >= 0 ? 1 : 0));
}

static void start_extension(const struct box *box, uint32_t process, const char *name, int out)
{
    struct control_order it = {.op = CONTROL_EXTENSION, .process = process};
    snprintf(it.name, sizeof it.name, "%s", name);
    order(box, &it, out);
}

static void end(struct box *box)
{
    host_kill(&host, box);
    host_gone(&host, box->id);
    box_close(box);
}

static void read_until(int fd, const char *last, char *text, size_t cap)
{
    size_t n = 0;
    while (n < cap - 1) {
        wait_readable(fd, last);
        ssize_t got = read(fd, text + n, cap - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
        text[n] = '\0';
        if (strstr(text, last))
            return;
    }
    fail_msg("no %s", last);
}

static void test_beside_the_payload(void **state)
{
    char text[4096];
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    write_file("one",
               "#!/bin/sh\nenv; pwd; id -u; ls /proc/self/fd | tr '\\n' ' '\n"
               "grep -E 'CapEff|Seccomp:' /proc/self/status; echo up; sleep 600",
               0755);
    struct box box = spawn("echo payload; sleep 600");
    start_extension(&box, 2, "one", out[1]);
    struct control_event event = box_event(&box);
    assert_int_equal(event.what, CONTROL_STARTED);
    assert_int_equal(event.process, 2);
    assert_int_equal(event.run, 1);
    read_until(out[0], "up\n", text, sizeof text);
    assert_non_null(strstr(text, "COLOUR=blue\n"));
    assert_non_null(strstr(text, "SHAPE=round\n"));
    assert_null(strstr(text, "SECRET"));
    assert_non_null(strstr(text, "\n/\n1000\n0 1 2 3 CapEff:\t0000000000000000\nSeccomp:\t2\n"));

    box_start(&box); /* run 1, as the extension's */
    free(box_read(&box, "payload\n"));
    order(&box, &(struct control_order){.op = CONTROL_KILL, .process = 2}, -1);
    event = box_event(&box);
    assert_int_equal(event.what, CONTROL_EXITED);
    assert_int_equal(event.process, 2);
    assert_int_equal(WTERMSIG(event.status), SIGKILL);
    order(&box, &(struct control_order){.op = CONTROL_TERM, .process = 2}, -1); /* nobody's */
    order(&box, &(struct control_order){.op = CONTROL_TERM}, -1);
    event = box_event(&box);
    assert_int_equal(event.what, CONTROL_EXITED);
    assert_int_equal(event.process, 0);
    assert_int_equal(WTERMSIG(event.status), SIGTERM);

    start_extension(&box, 1, "one", out[1]);
    event = box_event(&box);
    assert_int_equal(event.run, 2); /* the next init */
    box_order(&box, CONTROL_KILL_ALL);
    assert_int_equal(box_event(&box).process, 1);
    assert_int_equal(box_event(&box).what, CONTROL_CLEARED);
    close(out[0]);
    close(out[1]);
    end(&box);
}

static void test_cannot_be_started(void **state)
{
    static const struct {
        uint32_t process;
        const char *name;
        const char *step;
        int os;
    } cases[] = {
        {1, "plain", "execve", EACCES},  {2, "missing", "execve", ENOENT},
        {3, "..", "execve", EACCES},     {4, "../bootstrap", "order", 0},
        {0, "one", "order", 0},          {11, "one", "order", 0},
        {UINT32_MAX, "one", "order", 0}, {5, "", "execve", EACCES},
    };
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    write_file("plain", "no program", 0644);
    struct box box = spawn("sleep 600");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        start_extension(&box, cases[i].process, cases[i].name, out[1]);
        struct control_event event = box_event(&box);
        assert_int_equal(event.what, CONTROL_FAILED);
        assert_int_equal(event.process, cases[i].process);
        assert_string_equal(event.step, cases[i].step);
        assert_int_equal(event.os, cases[i].os);
    }
    start_extension(&box, 1, "plain", -1); /* without a descriptor */
    assert_int_equal(box_event(&box).what, CONTROL_FAILED);
    close(out[0]);
    close(out[1]);
    end(&box);
}

/* The daemon has no way into the network of a sandbox but this. */
static void test_connect(void **state)
{
    static const char script[] =
        "exec /usr/bin/python3 -c 'import socket\n"
        "s = socket.create_server((\"sandbox.localdomain\", 4243))\n"
        "print(\"up\", flush=True)\nc, _ = s.accept()\nc.sendall(b\"hello\\n\")\nc.recv(1)'";
    if (access("/usr/bin/python3", X_OK) != 0)
        skip();
    char text[64];
    struct box box = spawn(script);
    box_start(&box);
    free(box_read(&box, "up\n"));
    for (uint32_t port = 4242; port <= 4243; port++) {
        struct control_event event;
        int fds[PACKET_FDS_MAX];
        size_t count = 0;
        order(&box, &(struct control_order){.op = CONTROL_CONNECT, .process = port, .port = port},
              -1);
        wait_readable(box.control, "the connection");
        assert_int_equal(packet_receive(box.control, &event, sizeof event, fds, &count),
                         sizeof event);
        assert_int_equal(event.what, CONTROL_CONNECTED);
        assert_int_equal(event.process, port); /* as asked */
        assert_int_equal(count, 1);
        if (port == 4243) {
            read_until(fds[0], "hello\n", text, sizeof text);
        } else {
            int os = 0;
            socklen_t n = sizeof os;
            struct pollfd wait = {fds[0], POLLOUT, 0};
            assert_int_equal(poll(&wait, 1, 10000), 1);
            assert_int_equal(getsockopt(fds[0], SOL_SOCKET, SO_ERROR, &os, &n), 0);
            assert_int_equal(os, ECONNREFUSED);
        }
        close(fds[0]);
    }
    end(&box);
}

int main(int argc, char **argv)
{
    if (test_is_daemon(argc, argv))
        return 0;
    if (getuid() != 0)
        return SKIPPED;
    host.uid = argc == 2 && !strcmp(argv[1], "rootless") ? UID_ROOTLESS : 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beside_the_payload),
        cmocka_unit_test(test_cannot_be_started),
        cmocka_unit_test(test_connect),
    };
    return cmocka_run_group_tests_name("launch/extensions", tests, setup, teardown);
}
