#include "bin/daemon_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#error "the daemon's filter does not know this architecture"
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define DENY(os) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (os))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* If the loaded word is `value`, the next instruction, else the one after it. */
#define IF(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1)
#define DENY_CALL(name) IF(SYS_##name), DENY(EPERM)

bool daemon_filter_load(struct err *err)
{
    static const struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), /* x32 */
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        DENY_CALL(execve),
        DENY_CALL(execveat),
        DENY_CALL(ptrace),
        DENY_CALL(process_vm_readv),
        DENY_CALL(process_vm_writev),
        DENY_CALL(pidfd_getfd),
        DENY_CALL(mount),
        DENY_CALL(umount2),
        DENY_CALL(pivot_root),
        DENY_CALL(chroot),
        DENY_CALL(move_mount),
        DENY_CALL(open_tree),
        DENY_CALL(fsopen),
        DENY_CALL(fsmount),
        DENY_CALL(mount_setattr),
        DENY_CALL(unshare),
        DENY_CALL(setns),
        DENY_CALL(bpf),
        DENY_CALL(perf_event_open),
        DENY_CALL(userfaultfd),
        DENY_CALL(io_uring_setup),
        DENY_CALL(keyctl),
        DENY_CALL(add_key),
        DENY_CALL(kexec_load),
        DENY_CALL(init_module),
        DENY_CALL(finit_module),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
        ALLOW,
        LOAD(args[0]), /* the low half, as on the two little-endian machines above: the kernel takes
                          an int */
        IF(AF_UNIX),
        ALLOW,
        IF(AF_INET),
        ALLOW,
        IF(AF_INET6),
        ALLOW,
        DENY(EAFNOSUPPORT),
    };
    const struct sock_fprog program = {sizeof filter / sizeof filter[0],
                                       (struct sock_filter *)(uintptr_t)filter};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program))
        return err_os(err, errno, "load the daemon's filter");
    return true;
}
