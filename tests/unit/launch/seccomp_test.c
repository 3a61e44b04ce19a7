/* The filters as the kernel sees them: what passes, what does not, and the arguments whose upper
 * half the kernel ignores (sandbox.md section 1). */
#include "../test.h"

#include "base/mem.h"
#include "seccomp_filters.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGH (1L << 32)

struct call {
    const char *what;
    long nr;
    long args[6];
    int expected; /* errno; 0 = success; -1 = anything but what the filter says */
};

static bool load(const struct sock_filter *filter, size_t n)
{
    struct sock_fprog program = {(unsigned short)n, (struct sock_filter *)(uintptr_t)filter};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

static bool load_both(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           load(seccomp_allow, COUNT_OF(seccomp_allow)) &&
           load(seccomp_deny, COUNT_OF(seccomp_deny));
}

/* In a child; -1 = the child was killed. */
static int errno_of(const struct call *c)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!load_both())
            _exit(255);
        const long *a = c->args;
        long r = syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        _exit(r < 0 ? errno : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check(const struct call *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int got = errno_of(&calls[i]);
        if (got != calls[i].expected)
            fail_msg("%s: errno %d, expected %d", calls[i].what, got, calls[i].expected);
    }
}

static void test_sockets(void **state)
{
    static const struct call calls[] = {
        {"unix", SYS_socket, {AF_UNIX, SOCK_STREAM}, 0},
        {"unix seqpacket", SYS_socket, {AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC}, 0},
        {"tcp", SYS_socket, {AF_INET, SOCK_STREAM, 6}, 0},
        {"udp6", SYS_socket, {AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 17}, 0},
        {"netlink route", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, 0},
        {"vsock", SYS_socket, {40, SOCK_STREAM}, EAFNOSUPPORT},
        {"vsock, high bit", SYS_socket, {40 | HIGH, SOCK_STREAM}, EAFNOSUPPORT},
        {"alg, high bit", SYS_socket, {38 | HIGH, SOCK_SEQPACKET}, EAFNOSUPPORT},
        {"packet, high bit", SYS_socket, {17 | HIGH, SOCK_DGRAM}, EAFNOSUPPORT},
        {"unix, high bit", SYS_socket, {AF_UNIX | HIGH, SOCK_STREAM}, ENOSYS},
        {"mptcp", SYS_socket, {AF_INET, SOCK_STREAM, 262}, ENOSYS},
        {"mptcp, high bit", SYS_socket, {AF_INET, SOCK_STREAM, 262 | HIGH}, ENOSYS},
        {"sctp", SYS_socket, {AF_INET, SOCK_STREAM, 132}, ENOSYS},
        {"raw", SYS_socket, {AF_INET, SOCK_RAW, 1}, ENOSYS},
        {"netlink xfrm", SYS_socket, {AF_NETLINK, SOCK_RAW, 6}, ENOSYS},
        {"netlink xfrm, high bit", SYS_socket, {AF_NETLINK, SOCK_RAW, 6 | HIGH}, ENOSYS},
        {"socketpair inet", SYS_socketpair, {AF_INET, SOCK_STREAM}, ENOSYS},
    };
    check(calls, COUNT_OF(calls));
}

static void test_arguments(void **state)
{
    static const struct call calls[] = {
        {"TIOCSTI", SYS_ioctl, {0, 0x5412}, EPERM},
        {"TIOCSTI, high bit", SYS_ioctl, {0, 0x5412 | HIGH}, EPERM},
        {"TIOCSTI, all high bits", SYS_ioctl, {0, (long)0xffffffff00005412}, EPERM},
        {"TIOCLINUX", SYS_ioctl, {0, 0x541c}, EPERM},
        {"TIOCLINUX, high bit", SYS_ioctl, {0, 0x541c | HIGH}, EPERM},
        {"another ioctl", SYS_ioctl, {-1, 0x5413}, EBADF},
        {"ULP", SYS_setsockopt, {-1, 6, 31}, EPERM},
        {"ULP, high bit in the level", SYS_setsockopt, {-1, 6 | HIGH, 31}, EPERM},
        {"ULP, high bit in the name", SYS_setsockopt, {-1, 6, 31 | HIGH}, EPERM},
        {"REPAIR, high bits", SYS_setsockopt, {-1, 6 | HIGH, 19 | HIGH}, EPERM},
        {"another option", SYS_setsockopt, {-1, 1, 31}, EBADF},
        {"NEWUSER", SYS_clone, {CLONE_NEWUSER | SIGCHLD}, ENOSYS},
        {"NEWUSER, high bit", SYS_clone, {CLONE_NEWUSER | SIGCHLD | HIGH}, ENOSYS},
        {"NEWNS", SYS_clone, {CLONE_NEWNS | SIGCHLD}, ENOSYS},
        {"clone3", SYS_clone3, {0, 0}, ENOSYS},
        {"personality", SYS_personality, {0xffffffff}, 0},
        {"no randomize", SYS_personality, {0x0040000}, ENOSYS},
        {"no randomize, high bit", SYS_personality, {0x0040000 | HIGH}, ENOSYS},
        {"SCHED_FIFO", SYS_sched_setscheduler, {0, 1, 0}, ENOSYS},
        {"SCHED_FIFO, high bit", SYS_sched_setscheduler, {0, 1 | HIGH, 0}, ENOSYS},
        {"char device", SYS_mknodat, {AT_FDCWD, 0, 0020666, 0x103}, ENOSYS},
        {"char device, high bit", SYS_mknodat, {AT_FDCWD, 0, 0020666 | HIGH, 0x103}, ENOSYS},
        {"block device", SYS_mknodat, {AT_FDCWD, 0, 0060666, 0x103}, ENOSYS},
        {"fifo", SYS_mknodat, {AT_FDCWD, 0, 0010666, 0}, EFAULT},
    };
    check(calls, COUNT_OF(calls));
}

static void test_denied(void **state)
{
    static const struct call calls[] = {
        {"mount", SYS_mount, {0}, EPERM},
        {"unshare", SYS_unshare, {CLONE_NEWUSER}, EPERM},
        {"setns", SYS_setns, {0}, EPERM},
        {"bpf", SYS_bpf, {0}, EPERM},
        {"ptrace", SYS_ptrace, {0}, EPERM},
        {"keyctl", SYS_keyctl, {0}, EPERM},
        {"io_uring", SYS_io_uring_setup, {0}, ENOSYS},
        {"aio", SYS_io_setup, {0}, ENOSYS},
        {"userfaultfd", SYS_userfaultfd, {0}, EPERM},
        {"perf", SYS_perf_event_open, {0}, EPERM},
        {"splice", SYS_splice, {0}, EINVAL},
        {"vmsplice", SYS_vmsplice, {0}, EINVAL},
        {"memfd_secret", 447, {0}, ENOSYS},
        {"unknown", 999, {0}, ENOSYS},
        {"chroot", SYS_chroot, {0}, EPERM},
        {"getpid", SYS_getpgid, {0}, 0},
    };
    check(calls, COUNT_OF(calls));
}

#ifdef __x86_64__
static int killed_by(void (*act)(void), bool filtered)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* which the test's own handler would catch */
        if (filtered && !load_both())
            _exit(255);
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void as_i386(void)
{
    long r = 20; /* getpid there */
    __asm__ volatile("int $0x80" : "+a"(r) : : "memory");
}

static void as_x32(void)
{
    syscall(0x40000000 | SYS_getpid);
}

static void test_foreign_abi(void **state)
{
    if (!killed_by(as_i386, false)) /* a kernel built without it has no such door */
        assert_int_equal(killed_by(as_i386, true), SIGSYS);
    assert_int_equal(killed_by(as_x32, true), SIGSYS);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sockets),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_denied),
#ifdef __x86_64__
        cmocka_unit_test(test_foreign_abi),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
