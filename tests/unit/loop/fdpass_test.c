#include "test.h"

#include "loop/fdpass.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static int setup(void **state)
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int teardown(void **state)
{
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static size_t open_fds(void)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void packets_and_descriptors_arrive(void **state)
{
    for (size_t count = 0; count <= FDPASS_MAX; count++) {
        int sent[FDPASS_MAX] = {0}, got[FDPASS_MAX];
        char text[16];
        size_t n = 0, fd_count = 99;
        for (size_t i = 0; i < count; i++) {
            sent[i] = open("/dev/null", O_RDONLY); /* not close-on-exec: the copy is */
            assert_true(sent[i] >= 0);
        }
        assert_int_equal(fdpass_send(pair[0], S("hello"), sent, count), FDPASS_DONE);
        assert_int_equal(fdpass_receive(pair[1], text, sizeof text, &n, got, &fd_count),
                         FDPASS_DONE);
        assert_int_equal(n, 5);
        assert_memory_equal(text, "hello", 5);
        assert_int_equal(fd_count, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
            close(got[i]);
            close(sent[i]);
        }
    }
}

static void empty_full_and_ended_sockets(void **state)
{
    char text[16];
    int fds[FDPASS_MAX];
    size_t n = 7, count = 7, packets = 0;
    assert_int_equal(fdpass_receive(pair[1], text, sizeof text, &n, fds, &count), FDPASS_WAIT);
    while (fdpass_send(pair[0], S("0123456789"), NULL, 0) == FDPASS_DONE)
        packets++;
    assert_int_equal(fdpass_send(pair[0], S("0123456789"), NULL, 0), FDPASS_WAIT);
    for (; packets; packets--)
        assert_int_equal(fdpass_receive(pair[1], text, sizeof text, &n, fds, &count), FDPASS_DONE);
    shutdown(pair[0], SHUT_WR);
    assert_int_equal(fdpass_receive(pair[1], text, sizeof text, &n, fds, &count), FDPASS_END);
    assert_int_equal(fdpass_send(pair[0], S("x"), NULL, 0), FDPASS_END);
    assert_int_equal(fdpass_receive(-1, text, sizeof text, &n, fds, &count), FDPASS_FAILED);
    assert_int_equal(errno, EBADF);
}

static void cut_packets_leave_nothing_open(void **state)
{
    int sent[FDPASS_MAX + 1], got[FDPASS_MAX];
    char text[4];
    size_t n = 0, count = 0;
    for (size_t i = 0; i < COUNT_OF(sent); i++)
        sent[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    size_t before = open_fds();

    assert_int_equal(fdpass_send(pair[0], S("hello"), sent, 2), FDPASS_DONE);
    assert_int_equal(fdpass_receive(pair[1], text, sizeof text, &n, got, &count), FDPASS_CUT);
    assert_int_equal(open_fds(), before);

    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof sent)];
    } control = {0};
    struct iovec iov = {text, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    control.align.cmsg_level = SOL_SOCKET;
    control.align.cmsg_type = SCM_RIGHTS;
    control.align.cmsg_len = CMSG_LEN(sizeof sent);
    memcpy(CMSG_DATA(&control.align), sent, sizeof sent);
    assert_int_equal(sendmsg(pair[0], &msg, 0), 1);
    assert_int_equal(fdpass_receive(pair[1], text, sizeof text, &n, got, &count), FDPASS_CUT);
    assert_int_equal(open_fds(), before);

    for (size_t i = 0; i < COUNT_OF(sent); i++)
        close(sent[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packets_and_descriptors_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_full_and_ended_sockets, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_packets_leave_nothing_open, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
