/* System calls that a function has no use for: namespaces, mounts, other processes, kernel surface.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The kernel takes 32 bits of most arguments, a filter sees 64: sandbox.md section 1. */
#define HIGH (1L << 32)

/* arg: a folder that may be mounted over */
static const char *folder(const char *arg)
{
    return *arg ? arg : "/tmp";
}

static int mount_new(const struct probe *p, const char *arg)
{
    return probe_errno(mount("none", folder(arg), p->text, 0, NULL), "mount");
}

static int mount_bind(const struct probe *p, const char *arg)
{
    return probe_errno(mount("/", folder(arg), NULL, MS_BIND, NULL), "mount --bind");
}

static int remount(const struct probe *p, const char *arg)
{
    return probe_errno(mount(NULL, *arg ? "/" : p->text, NULL, MS_REMOUNT | MS_BIND, NULL),
                       "remount,rw");
}

static int unmount(const struct probe *p, const char *arg)
{
    return probe_errno(umount2("/proc", MNT_DETACH), "umount /proc");
}

static int open_tree_clone(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE),
                       "open_tree");
}

static int fs_open(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_fsopen, "tmpfs", 0), "fsopen");
}

static int fs_pick(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_fspick, AT_FDCWD, *arg ? arg : "/tmp", 0), "fspick");
}

static int move_mount_own(const struct probe *p, const char *arg)
{
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc", OPEN_TREE_CLONE);
    return probe_errno(
        syscall(SYS_move_mount, tree, "", AT_FDCWD, folder(arg), MOVE_MOUNT_F_EMPTY_PATH),
        "move_mount");
}

static int mount_attributes(const struct probe *p, const char *arg)
{
    struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};
    return probe_errno(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attr, sizeof attr),
                       "mount_setattr");
}

static int pivot(const struct probe *p, const char *arg)
{
    if (*arg)
        mount("none", arg, "tmpfs", 0, NULL); /* the control has no /tmp of its own */
    if (chdir(folder(arg)) != 0)
        return probe_errno(-1, "chdir");
    return probe_errno(syscall(SYS_pivot_root, ".", "."), "pivot_root");
}

static int change_root(const struct probe *p, const char *arg)
{
    return probe_errno(chroot("/tmp"), "chroot");
}

static int unshare_one(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_unshare, p->a), "unshare");
}

static int clone_one(const struct probe *p, const char *arg)
{
    long rc = syscall(SYS_clone, p->a | SIGCHLD, NULL, NULL, NULL, 0);
    if (rc == 0)
        _exit(0);
    return probe_errno(rc, "clone");
}

static int clone3_one(const struct probe *p, const char *arg)
{
    struct clone_args args = {.flags = (uint64_t)p->a, .exit_signal = SIGCHLD};
    long rc = syscall(SYS_clone3, &args, sizeof args);
    if (rc == 0)
        _exit(0);
    return probe_errno(rc, "clone3");
}

static int set_ns(const struct probe *p, const char *arg)
{
    int fd = open(p->text, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return probe_errno(-1, p->text);
    return probe_errno(setns(fd, 0), "setns");
}

static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    return pid;
}

static int trace(const struct probe *p, const char *arg)
{
    pid_t pid = sleeper();
    long rc = ptrace(PTRACE_ATTACH, pid, NULL, NULL);
    int result = probe_errno(rc, "ptrace");
    kill(pid, SIGKILL);
    return result;
}

static int vm_access(const struct probe *p, const char *arg)
{
    char here[8] = "memory", there[8] = "remote!";
    struct iovec mine = {here, sizeof here}, theirs = {there, sizeof there};
    return probe_errno(syscall(p->a, getpid(), &mine, 1, &theirs, 1, 0), "process_vm");
}

static int pidfd_fd(const struct probe *p, const char *arg)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return probe_errno(syscall(SYS_pidfd_getfd, pidfd, 0, 0), "pidfd_getfd");
}

static int compare(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_kcmp, getpid(), getpid(), 1, 0, 0), "kcmp");
}

static int ring(const struct probe *p, const char *arg)
{
    struct io_uring_params params = {0};
    return probe_errno(syscall(SYS_io_uring_setup, 4, &params), "io_uring_setup");
}

static int aio(const struct probe *p, const char *arg)
{
    aio_context_t context = 0;
    return probe_errno(syscall(SYS_io_setup, 4, &context), "io_setup");
}

static int fault_handler(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_userfaultfd, O_CLOEXEC | 1), "userfaultfd");
}

static int bpf_map(const struct probe *p, const char *arg)
{
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return probe_errno(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr), "bpf");
}

static int perf(const struct probe *p, const char *arg)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof attr,
                                   .config = PERF_COUNT_SW_CPU_CLOCK,
                                   .exclude_kernel = 1};
    return probe_errno(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), "perf_event_open");
}

static int key_add(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_add_key, "user", "lambkin-probe", "x", 1L, -3L), "add_key");
}

static int key_control(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_keyctl, 0L, -3L, 1L), "keyctl");
}

static int handle_name(const struct probe *p, const char *arg)
{
    struct {
        struct file_handle head;
        char space[128];
    } handle = {.head.handle_bytes = 128};
    int mount_id;
    return probe_errno(name_to_handle_at(AT_FDCWD, *arg ? arg : "/tmp", &handle.head, &mount_id, 0),
                       "name_to_handle_at");
}

static int handle_open(const struct probe *p, const char *arg)
{
    struct {
        struct file_handle head;
        char space[128];
    } handle = {.head.handle_bytes = 128};
    int mount_id;
    const char *path = *arg ? arg : "/tmp";
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0) != 0) {
        handle.head.handle_bytes = 8; /* an inode and generation 2, as in the well-known exploit */
        handle.head.handle_type = 1;
        handle.space[0] = 2;
    }
    return probe_errno(open_by_handle_at(fd, &handle.head, O_RDONLY), "open_by_handle_at");
}

/* Calls that root is refused for their nonsense, all others for who they are: nothing happens. */
static int nonsense(const struct probe *p, const char *arg)
{
    long rc = syscall(p->a, p->b, p->c, 0L, 0L, 0L);
    if (rc < 0 && errno != EPERM && errno != EACCES && errno != ENOSYS)
        return probe_says(PROBE_OPEN, "%s got as far as %s", p->text, strerror(errno));
    return probe_errno(rc, p->text);
}

static int clock_shift(const struct probe *p, const char *arg)
{
    struct timex shift = {.modes = ADJ_SETOFFSET}; /* by nothing */
    return probe_errno(clock_adjtime(CLOCK_REALTIME, &shift), "clock_adjtime");
}

static int host_name(const struct probe *p, const char *arg)
{
    return probe_errno(sethostname("probe", 5), "sethostname");
}

static int ports(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(p->a, p->b, p->c, 1L), p->text);
}

static int secret_memory(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_memfd_secret, 0), "memfd_secret");
}

static int notify_all(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_fanotify_init, 0, O_RDONLY), "fanotify_init");
}

static int descriptor_table(const struct probe *p, const char *arg)
{
    char out[16] = "";
    return probe_errno(syscall(SYS_modify_ldt, 0L, out, sizeof out), "modify_ldt");
}

static int persona(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_personality, p->a), "personality");
}

static int pipe_tricks(const struct probe *p, const char *arg)
{
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0 || write(in[1], "x", 1) != 1)
        return probe_errno(-1, "pipe");
    char byte[] = "y";
    struct iovec v = {byte, 1};
    if (p->a == SYS_vmsplice)
        return probe_errno(syscall(p->a, in[1], &v, 1L, 0L), "vmsplice");
    if (p->a == SYS_tee)
        return probe_errno(syscall(p->a, in[0], out[1], 1L, 0L), "tee");
    return probe_errno(syscall(p->a, in[0], NULL, out[1], NULL, 1L, 0L), "splice");
}

/* Typed input: the kernel says "no terminal", the filter must not let it come to that. */
static int terminal(const struct probe *p, const char *arg)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    long rc = syscall(SYS_ioctl, fd, p->a, "x");
    if (rc < 0 && errno == ENOTTY)
        return probe_says(PROBE_OPEN, "the request reached the kernel");
    return probe_errno(rc, "ioctl");
}

static int device_node(const struct probe *p, const char *arg)
{
    const char *path = *arg ? arg : "/tmp/probe-node";
    unlink(path);
    long rc = syscall(SYS_mknodat, AT_FDCWD, path, p->a, p->b);
    int result = probe_errno(rc, "mknod");
    unlink(path);
    return result;
}

static long call32(long nr)
{
    long rc;
    __asm__ volatile("int $0x80" : "=a"(rc) : "a"(nr) : "memory", "r8", "r9", "r10", "r11");
    return rc;
}

static sigjmp_buf no_door;

static void shut(int sig)
{
    (void)sig;
    siglongjmp(no_door, 1);
}

/* A kernel built without 32-bit calls knows no such interrupt. */
static int foreign_32(const struct probe *p, const char *arg)
{
    if (sigsetjmp(no_door, 1))
        return probe_says(PROBE_ABSENT, "no 32-bit calls");
    signal(SIGSEGV, shut);
    long rc = call32(20); /* getpid */
    return rc > 0 ? probe_says(PROBE_OPEN, "32-bit getpid gave %ld", rc)
                  : probe_says(PROBE_ABSENT, "32-bit getpid gave %ld", rc);
}

static int foreign_x32(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(0x40000000L | SYS_getpid), "x32 getpid");
}

#define UNSHARE(n, f)                                                                              \
    {                                                                                              \
        .name = "unshare-" n, .run = unshare_one, .cap = -1, .a = f                                \
    }
#define CLONE(n, f)                                                                                \
    {                                                                                              \
        .name = "clone-" n, .run = clone_one, .cap = -1, .a = f                                    \
    }
#define ROOT_CALL(n, nr, x, y, capability)                                                         \
    {                                                                                              \
        .name = n, .run = nonsense, .cap = capability, .a = nr, .b = x, .c = y, .text = n          \
    }

const struct probe probes_calls[] = {
    {.name = "mount-tmpfs", .run = mount_new, .control = IN_MOUNTS, .cap = -1, .text = "tmpfs"},
    {.name = "mount-proc", .run = mount_new, .control = IN_MOUNTS, .cap = -1, .text = "proc"},
    {.name = "mount-sysfs", .run = mount_new, .control = IN_MOUNTS, .cap = -1, .text = "sysfs"},
    {.name = "mount-bind", .run = mount_bind, .control = IN_MOUNTS, .cap = -1},
    {.name = "remount-root", .run = remount, .control = IN_MOUNTS, .cap = -1, .text = "/"},
    {.name = "remount-usr", .run = remount, .control = IN_MOUNTS, .cap = -1, .text = "/usr"},
    {.name = "remount-task", .run = remount, .control = IN_MOUNTS, .cap = -1, .text = "/var/task"},
    {.name = "umount-proc", .run = unmount, .control = IN_MOUNTS, .cap = -1},
    {.name = "open-tree", .run = open_tree_clone, .control = IN_MOUNTS, .cap = -1},
    {.name = "fsopen", .run = fs_open, .control = IN_MOUNTS, .cap = -1},
    {.name = "fspick", .run = fs_pick, .control = IN_MOUNTS, .cap = -1},
    {.name = "move-mount", .run = move_mount_own, .control = IN_MOUNTS, .cap = -1},
    {.name = "mount-setattr", .run = mount_attributes, .control = IN_MOUNTS, .cap = -1},
    {.name = "pivot-root", .run = pivot, .control = IN_MOUNTS, .cap = -1},
    {.name = "chroot", .run = change_root, .cap = -1},
    UNSHARE("user", CLONE_NEWUSER),
    UNSHARE("mounts", CLONE_NEWNS),
    UNSHARE("pids", CLONE_NEWPID),
    UNSHARE("net", CLONE_NEWNET),
    UNSHARE("uts", CLONE_NEWUTS),
    UNSHARE("ipc", CLONE_NEWIPC),
    UNSHARE("cgroup", CLONE_NEWCGROUP),
    UNSHARE("time", CLONE_NEWTIME),
    CLONE("user", CLONE_NEWUSER),
    CLONE("mounts", CLONE_NEWNS),
    CLONE("pids", CLONE_NEWPID),
    CLONE("net", CLONE_NEWNET),
    CLONE("uts", CLONE_NEWUTS),
    CLONE("ipc", CLONE_NEWIPC),
    CLONE("cgroup", CLONE_NEWCGROUP),
    CLONE("user-high", CLONE_NEWUSER | HIGH),
    {.name = "clone3-user", .run = clone3_one, .cap = -1, .a = CLONE_NEWUSER},
    {.name = "clone3-time", .run = clone3_one, .cap = -1, .a = CLONE_NEWTIME},
    {.name = "setns-net", .run = set_ns, .cap = -1, .text = "/proc/self/ns/net"},
    {.name = "setns-mounts-of-1",
     .run = set_ns,
     .control = IN_PIDS,
     .cap = -1,
     .text = "/proc/1/ns/mnt"},
    {.name = "ptrace", .run = trace, .cap = -1},
    {.name = "process-vm-readv", .run = vm_access, .cap = -1, .a = SYS_process_vm_readv},
    {.name = "process-vm-writev", .run = vm_access, .cap = -1, .a = SYS_process_vm_writev},
    {.name = "pidfd-getfd", .run = pidfd_fd, .cap = -1},
    {.name = "kcmp", .run = compare, .cap = -1},
    {.name = "io-uring", .run = ring, .cap = -1},
    {.name = "aio", .run = aio, .cap = -1},
    {.name = "userfaultfd", .run = fault_handler, .cap = -1},
    {.name = "bpf", .run = bpf_map, .cap = -1},
    {.name = "perf-event", .run = perf, .cap = -1},
    {.name = "add-key", .run = key_add, .cap = -1},
    {.name = "keyctl", .run = key_control, .cap = -1},
    {.name = "name-to-handle", .run = handle_name, .cap = -1},
    {.name = "open-by-handle", .run = handle_open, .cap = CAP_DAC_READ_SEARCH},
    {.name = "clock-adjtime", .run = clock_shift, .cap = CAP_SYS_TIME},
    {.name = "sethostname", .run = host_name, .control = IN_UTS, .cap = -1},
    {.name = "ioperm",
     .run = ports,
     .cap = CAP_SYS_RAWIO,
     .a = SYS_ioperm,
     .b = 0x80,
     .c = 1,
     .text = "ioperm"},
    {.name = "iopl", .run = ports, .cap = CAP_SYS_RAWIO, .a = SYS_iopl, .b = 3, .text = "iopl"},
    {.name = "memfd-secret", .run = secret_memory, .cap = -1},
    {.name = "fanotify", .run = notify_all, .cap = CAP_SYS_ADMIN},
    {.name = "modify-ldt", .run = descriptor_table, .cap = -1},
    {.name = "personality-no-aslr", .run = persona, .cap = -1, .a = ADDR_NO_RANDOMIZE},
    {.name = "personality-read-exec", .run = persona, .cap = -1, .a = READ_IMPLIES_EXEC},
    {.name = "personality-high", .run = persona, .cap = -1, .a = ADDR_NO_RANDOMIZE | HIGH},
    {.name = "splice", .run = pipe_tricks, .cap = -1, .a = SYS_splice},
    {.name = "tee", .run = pipe_tricks, .cap = -1, .a = SYS_tee},
    {.name = "vmsplice", .run = pipe_tricks, .cap = -1, .a = SYS_vmsplice},
    {.name = "tiocsti", .run = terminal, .cap = -1, .a = TIOCSTI},
    {.name = "tiocsti-high", .run = terminal, .cap = -1, .a = TIOCSTI | HIGH},
    {.name = "tioclinux", .run = terminal, .cap = -1, .a = TIOCLINUX},
    {.name = "tioclinux-high", .run = terminal, .cap = -1, .a = TIOCLINUX | HIGH},
    {.name = "mknod-char", .run = device_node, .cap = CAP_MKNOD, .a = S_IFCHR | 0600, .b = 0x103},
    {.name = "mknod-block", .run = device_node, .cap = CAP_MKNOD, .a = S_IFBLK | 0600, .b = 0x700},
    {.name = "mknod-char-high",
     .run = device_node,
     .cap = CAP_MKNOD,
     .a = S_IFCHR | 0600 | HIGH,
     .b = 0x103},
    {.name = "abi-i386", .run = foreign_32, .cap = -1},
    {.name = "abi-x32", .run = foreign_x32, .cap = -1},
    ROOT_CALL("kexec-load", SYS_kexec_load, 0, 100000, CAP_SYS_BOOT),
    ROOT_CALL("init-module", SYS_init_module, 0, 0, CAP_SYS_MODULE),
    ROOT_CALL("finit-module", SYS_finit_module, -1, 0, CAP_SYS_MODULE),
    ROOT_CALL("delete-module", SYS_delete_module, 0, 0, CAP_SYS_MODULE),
    ROOT_CALL("reboot", SYS_reboot, 1, 1, CAP_SYS_BOOT),
    ROOT_CALL("swapon", SYS_swapon, 0, 0, CAP_SYS_ADMIN),
    ROOT_CALL("acct", SYS_acct, 1, 0, CAP_SYS_PACCT),
    ROOT_CALL("quotactl", SYS_quotactl, 0x800001L << 8, 1, CAP_SYS_ADMIN),
    ROOT_CALL("syslog", SYS_syslog, 2, 0, CAP_SYSLOG),
    ROOT_CALL("migrate-pages", SYS_migrate_pages, 0, -1, -1),
    {0},
};
