/* What a function finds inside its sandbox. */
#include "../test.h"

#include "base/mem.h"
#include "host.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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

#define HAS(text, part)                                                                            \
    do {                                                                                           \
        if (!strstr((text), (part)))                                                               \
            fail_msg("no \"%s\" in:\n%s", (part), (text));                                         \
    } while (0)

static void test_identity(void **state)
{
    char *text = host_run(&host, "cat /proc/self/status; id; pwd; umask; ulimit -n; ulimit -c; "
                                 "cat /etc/passwd; hostname; echo pid $$; ls /proc/self/fd");
    static const char *const lines[] = {"CapInh:\t0000000000000000",
                                        "CapPrm:\t0000000000000000",
                                        "CapEff:\t0000000000000000",
                                        "CapBnd:\t0000000000000000",
                                        "CapAmb:\t0000000000000000",
                                        "NoNewPrivs:\t1",
                                        "Seccomp:\t2",
                                        "Seccomp_filters:\t2",
                                        "Groups:\t \n",
                                        "uid=1000(sbx_user1051) gid=1000",
                                        "/var/task\n0022\n1024\n0\n",
                                        "sbx_user1051:x:1000:1000",
                                        "169.254.100.1\n",
                                        "\n0\n1\n2\n3\n62\n"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        if (host.uid && !strncmp(lines[i], "Groups", 6))
            continue;
        HAS(text, lines[i]);
    }
    free(text);
}

static void test_mounts(void **state)
{
    char *text = host_run(&host, "cat /proc/self/mountinfo; cat /proc/self/cgroup");
    static const char *const never[] = {"/root", "/home", "/sys", "/sys/fs/cgroup", "/run"};
    static const char *const read_only[] = {" / ro,",     " /usr ro,", " /var/task ro,",
                                            " /proc ro,", " /dev ro,", " /proc/sys ro,"};
    for (size_t i = 0; i < COUNT_OF(read_only); i++)
        HAS(text, read_only[i]);
    for (size_t i = 0; i < COUNT_OF(never); i++) {
        char point[2][40];
        snprintf(point[0], sizeof point[0], " / %s r", never[i]);
        snprintf(point[1], sizeof point[1], " %s %s r", never[i], never[i]);
        assert_true(!strstr(text, point[0]) && !strstr(text, point[1]));
    }
    assert_null(strstr(text, "slot-"));
    free(text);
    text =
        host_run(&host, "for d in / /usr /etc /opt /var /var/task /dev /proc /root; do "
                        "(echo x >$d/probe) 2>/dev/null && echo hole $d; done; "
                        "echo ok >/tmp/x && cat /tmp/x; echo shm >/dev/shm/x && cat /dev/shm/x; "
                        "echo x >/dev/null && echo null; ls -d /sys/* /home/* /mnt/* 2>/dev/null; "
                        "wc -c </proc/kallsyms; ls /proc/fs; ls -A /opt");
    assert_string_equal(text, "ok\nshm\nnull\n0\n");
    free(text);
}

static void test_processes(void **state)
{
    char *text = host_run(&host, "ls -d /proc/[0-9]* | wc -l; kill -9 1; kill -9 -1; "
                                 "cat /proc/1/environ /proc/1/maps; echo alive");
    HAS(text, "alive");
    free(text);
}

/* The quota is exact to the byte. Where a file of the whole size needs no index block, 16 MB, only
 * an allocation in one step is sure to get none: a file that is written piece by piece may be
 * scattered when its delayed allocation meets a full disk. */
static void test_tmp(void **state)
{
    static const struct {
        unsigned mb;
        const char *fill;
    } cases[] = {
        {16, "fallocate -l $max /tmp/big; cat /dev/zero 2>/dev/null >>/tmp/big"},
        {512, "dd if=/dev/zero of=/tmp/big bs=64k 2>/dev/null"},
        {1024, "dd if=/dev/zero of=/tmp/big bs=1M 2>/dev/null"},
    };
    size_t n = host.facts.tmp == TMP_LOOP && !host_is_small() ? COUNT_OF(cases) : 1;
    for (size_t i = 0; i < n; i++) {
        char script[400];
        char expected[80];
        unsigned max = cases[i].mb << 20;
        snprintf(script, sizeof script,
                 "max=%u; ls -A /tmp; %s; stat -c %%s /tmp/big; "
                 "cat /dev/zero 2>/dev/null | dd bs=1 2>/dev/null >>/tmp/big; "
                 "stat -c %%s /tmp/big; echo x >/tmp/more 2>/dev/null || echo full; echo end",
                 max, cases[i].fill);
        struct launch_request *request = request_script(50 + i, script);
        request->spec.tmp_size = max;
        struct box box = host_spawn(&host, request);
        box_start(&box);
        char *text = box_read(&box, "end\n");
        snprintf(expected, sizeof expected, "%u\n%u\nfull\nend\n", max, max);
        assert_string_equal(text, expected);
        free(text);
        host_kill(&host, &box);
        host_gone(&host, box.id);
        box_close(&box);
    }
}

static void test_listener(void **state)
{
    static const char script[] =
        "exec /bin/bash -c 'for a in 127.0.0.1 169.254.100.1; do "
        "exec 3<>/dev/tcp/$a/9001 && read -r line <&3 && echo $a $line; exec 3>&-; done'";
    if (access("/bin/bash", X_OK) != 0)
        skip();
    struct box box = host_spawn(&host, request_script(1, script));
    box_start(&box);
    for (int i = 0; i < 2; i++) {
        wait_readable(box.listener, "a connection");
        int fd = accept(box.listener, NULL, NULL);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "hello\n", 6), 6);
        close(fd);
    }
    char *text = box_read(&box, "169.254.100.1 hello\n");
    assert_string_equal(text, "127.0.0.1 hello\n169.254.100.1 hello\n");
    free(text);
    host_kill(&host, &box);
    host_gone(&host, 1);
    box_close(&box);
}

static void test_port_is_taken(void **state)
{
    static const char script[] =
        "exec /usr/bin/python3 -c '\n"
        "import socket\n"
        "for host in (\"127.0.0.1\", \"0.0.0.0\", \"169.254.100.1\"):\n"
        "  for reuse in (0, socket.SO_REUSEADDR, socket.SO_REUSEPORT):\n"
        "    s = socket.socket()\n"
        "    if reuse: s.setsockopt(socket.SOL_SOCKET, reuse, 1)\n"
        "    try:\n"
        "      s.bind((host, 9001)); s.listen(); print(\"hole\", host, reuse)\n"
        "    except OSError as e: print(e.errno)\n'";
    if (access("/usr/bin/python3", X_OK) != 0)
        skip();
    char *text = host_run(&host, script);
    assert_string_equal(text, "98\n98\n98\n98\n98\n98\n98\n98\n98\n");
    free(text);
}

static void test_telemetry(void **state)
{
    char byte[8];
    struct box box = host_spawn(&host, request_script(2, "echo hi >/proc/self/fd/62; echo done"));
    box_start(&box);
    wait_readable(box.telemetry, "telemetry");
    assert_int_equal(read(box.telemetry, byte, sizeof byte), 3);
    free(box_read(&box, "done\n"));
    host_kill(&host, &box);
    host_gone(&host, 2);
    box_close(&box);
}

static void test_missing_program(void **state)
{
    const char *const args[] = {"/var/task/bootstrap", NULL};
    struct launch_request *request = request_script(3, "");
    request_args(request, args, NULL);
    struct box box = host_spawn(&host, request);
    box_order(&box, CONTROL_START);
    struct control_event event = box_event(&box);
    assert_int_equal(event.what, CONTROL_FAILED);
    assert_string_equal(event.step, "execve");
    assert_int_equal(event.os, 2);
    host_kill(&host, &box);
    host_gone(&host, 3);
    box_close(&box);
}

static void test_exit_status(void **state)
{
    struct box box = host_spawn(&host, request_script(4, "exit 42"));
    box_start(&box);
    struct control_event event = box_event(&box);
    assert_int_equal(event.what, CONTROL_EXITED);
    assert_true(WIFEXITED(event.status) && WEXITSTATUS(event.status) == 42);
    host_kill(&host, &box);
    host_gone(&host, 4);
    box_close(&box);
}

/* With "rootless" as argument the launcher is an ordinary user's. */
int main(int argc, char **argv)
{
    if (test_is_daemon(argc, argv))
        return 0;
    if (getuid() != 0)
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),   cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_processes),  cmocka_unit_test(test_tmp),
        cmocka_unit_test(test_listener),   cmocka_unit_test(test_port_is_taken),
        cmocka_unit_test(test_telemetry),  cmocka_unit_test(test_missing_program),
        cmocka_unit_test(test_exit_status)};
    host.uid = argc == 2 && !strcmp(argv[1], "rootless") ? UID_ROOTLESS : 0;
    return cmocka_run_group_tests_name(host.uid ? "rootless" : "root", tests, setup, teardown);
}
