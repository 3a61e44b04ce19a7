/* The filters for arm64, run by a small interpreter: this host's kernel has other call numbers. */
#include "../test.h"

#include "base/mem.h"
#include "seccomp_filters_arm64.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

/* What classic BPF for seccomp consists of. */
static uint32_t run(const struct sock_filter *code, size_t n, const struct seccomp_data *data)
{
    uint32_t a = 0;
    for (size_t pc = 0; pc < n; pc++) {
        const struct sock_filter *i = &code[pc];
        bool taken = false;
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(i->k + sizeof a <= sizeof *data);
            memcpy(&a, (const char *)data + i->k, sizeof a);
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            continue;
        case BPF_RET | BPF_K:
            return i->k;
        case BPF_JMP | BPF_JA:
            pc += i->k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            taken = a == i->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            taken = a >= i->k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            taken = a > i->k;
            break;
        default:
            fail_msg("instruction %#x", i->code);
        }
        pc += taken ? i->jt : i->jf;
    }
    fail_msg("no end");
    return 0;
}

/* errno, 0 = allowed, -1 = killed: of two filters the kernel takes the stricter answer. */
static int answer(uint32_t arch, int nr, const uint64_t args[6])
{
    struct seccomp_data data = {.nr = nr, .arch = arch};
    memcpy(data.args, args, sizeof data.args);
    uint32_t deny = run(seccomp_deny, COUNT_OF(seccomp_deny), &data);
    uint32_t allow = run(seccomp_allow, COUNT_OF(seccomp_allow), &data);
    if (allow == SECCOMP_RET_KILL_PROCESS || deny == SECCOMP_RET_KILL_PROCESS)
        return -1;
    if ((deny & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
        return (int)(deny & SECCOMP_RET_DATA);
    return allow == SECCOMP_RET_ALLOW ? 0 : (int)(allow & SECCOMP_RET_DATA);
}

static void test_calls(void **state)
{
    enum {
        IOCTL = 29,
        MOUNT = 40,
        OPENAT = 56,
        UNSHARE = 97,
        PTRACE = 117,
        SOCKET = 198,
        SETSOCKOPT = 208,
        CLONE = 220,
        EXECVE = 221,
        BPF = 280,
        IO_URING = 425,
        CLONE3 = 435
    };
    const uint64_t high = UINT64_C(1) << 32;
    const struct {
        int nr;
        uint64_t args[6];
        int expected;
    } calls[] = {
        {OPENAT, {0}, 0},
        {EXECVE, {0}, 0},
        {CLONE, {17}, 0},
        {CLONE, {17 | 0x10000000}, ENOSYS},
        {CLONE, {17 | 0x10000000 | high}, ENOSYS},
        {CLONE3, {0}, ENOSYS},
        {IO_URING, {0}, ENOSYS},
        {MOUNT, {0}, EPERM},
        {UNSHARE, {0}, EPERM},
        {PTRACE, {0}, EPERM},
        {BPF, {0}, EPERM},
        {IOCTL, {0, 0x5413}, 0},
        {IOCTL, {0, 0x5412}, EPERM},
        {IOCTL, {0, 0x5412 | high}, EPERM},
        {SETSOCKOPT, {3, 6, 31}, EPERM},
        {SETSOCKOPT, {3, 6 | high, 31 | high}, EPERM},
        {SOCKET, {1, 1}, 0},
        {SOCKET, {40, 1}, EAFNOSUPPORT},
        {SOCKET, {40 | high, 1}, EAFNOSUPPORT},
        {SOCKET, {2, 1, 262}, ENOSYS},
    };
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        int got = answer(AUDIT_ARCH_AARCH64, calls[i].nr, calls[i].args);
        if (got != calls[i].expected)
            fail_msg("line %zu: call %d: %d, expected %d", i, calls[i].nr, got, calls[i].expected);
    }
}

static void test_foreign_abi(void **state)
{
    const uint64_t none[6] = {0};
    assert_int_equal(answer(AUDIT_ARCH_ARM, 20, none), -1);
    assert_int_equal(answer(AUDIT_ARCH_X86_64, 39, none), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls),
                                       cmocka_unit_test(test_foreign_abi)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
