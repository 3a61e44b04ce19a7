#include "launch/init.h"
#include "launch/tmp_image.h"
#include "launch/zygote.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The new root is put together here, on top of the host's /proc, as nothing below it is needed as a
 * source. */
#define ROOT "/proc"

enum { PATH_CAP = 512 };

#define RO_ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* ---- small steps ---- */

static bool make_dir(const char *path, mode_t mode, struct err *err)
{
    return mkdir(path, mode) == 0 || errno == EEXIST || err_os(err, errno, "mkdir %s", path);
}

static bool make_file(const char *path, const char *text, struct err *err)
{
    AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    size_t n = strlen(text);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n)
        return err_os(err, errno, "write %s", path);
    return true;
}

static bool make_link(const char *to, const char *path, struct err *err)
{
    return symlink(to, path) == 0 || errno == EEXIST || err_os(err, errno, "symlink %s", path);
}

/* Clones the tree at dir/name (or dir itself with ""), tightens it and puts it at `target`. */
static bool bind_at(int dir, const char *name, const char *target, uint64_t attrs, struct err *err)
{
    AUTO(fd)
    int tree =
        open_tree(dir, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
    if (tree < 0)
        return err_os(err, errno, "open_tree for %s", target);
    struct mount_attr attr = {.attr_set = attrs, .propagation = MS_PRIVATE};
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr))
        return err_os(err, errno, "mount_setattr for %s", target);
    if (move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH))
        return err_os(err, errno, "move_mount to %s", target);
    return true;
}

static bool bind(const char *source, const char *target, uint64_t attrs, struct err *err)
{
    return bind_at(AT_FDCWD, source, target, attrs, err);
}

static bool mount_tmpfs(const char *target, unsigned long flags, const char *options,
                        struct err *err)
{
    return mount("tmpfs", target, "tmpfs", flags, options) == 0 ||
           err_os(err, errno, "mount tmpfs on %s", target);
}

static bool remount_ro(const char *target, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    return mount_setattr(AT_FDCWD, target, 0, &attr, sizeof attr) == 0 ||
           err_os(err, errno, "make %s read-only", target);
}

/* ---- /dev ---- */

static bool make_dev(struct err *err)
{
    static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};
    static const char *const links[][2] = {{"/proc/self/fd", ROOT "/dev/fd"},
                                           {"/proc/self/fd/0", ROOT "/dev/stdin"},
                                           {"/proc/self/fd/1", ROOT "/dev/stdout"},
                                           {"/proc/self/fd/2", ROOT "/dev/stderr"}};
    if (!mount_tmpfs(ROOT "/dev", MS_NOSUID | MS_NOEXEC, "size=64k,nr_inodes=32,mode=755", err))
        return false;
    for (size_t i = 0; i < COUNT_OF(devices); i++) {
        char source[PATH_CAP];
        char target[PATH_CAP];
        snprintf(source, sizeof source, "/dev/%s", devices[i]);
        snprintf(target, sizeof target, ROOT "/dev/%s", devices[i]);
        /* A read-only bind still takes writes to the device itself, but no chmod and no chown. */
        if (!make_file(target, "", err) ||
            !bind(source, target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err))
            return false;
    }
    for (size_t i = 0; i < COUNT_OF(links); i++) {
        if (!make_link(links[i][0], links[i][1], err))
            return false;
    }
    /* Lambda has none; with it Python's multiprocessing queues work. */
    return make_dir(ROOT "/dev/shm", 01777, err) &&
           mount_tmpfs(ROOT "/dev/shm", MS_NOSUID | MS_NODEV, "size=64m,nr_inodes=1024,mode=1777",
                       err) &&
           remount_ro(ROOT "/dev", err);
}

/* ---- /proc ---- */

/* Binds what is mounted at `source` once more, with the attributes that it has there: one system
 * call. A file that this kernel lacks needs no mask. */
static bool bind_again(const char *source, const char *target, struct err *err)
{
    return mount(source, target, NULL, MS_BIND, NULL) == 0 || errno == ENOENT ||
           err_os(err, errno, "mask %s", target);
}

static bool mask_files(struct err *err)
{
    static const char *const files[] = {
        "kcore",         "keys",     "key-users",     "timer_list", "sched_debug", "interrupts",
        "kallsyms",      "kmsg",     "sysrq-trigger", "config.gz",  "cmdline",     "modules",
        "vmallocinfo",   "slabinfo", "kpagecount",    "kpageflags", "kpagecgroup", "pagetypeinfo",
        "iomem",         "ioports",  "diskstats",     "partitions", "swaps",       "mdstat",
        "latency_stats", "softirqs", "zoneinfo",      "buddyinfo",  "devices",     "crypto"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[PATH_CAP];
        snprintf(path, sizeof path, ROOT "/proc/%s", files[i]);
        if (!bind_again(ROOT "/dev/null", path, err))
            return false;
    }
    return true;
}

/* All by one empty folder: a tmpfs each would be a superblock each, to be made and destroyed. */
static bool mask_dirs(struct err *err)
{
    static const char *const dirs[] = {"acpi", "asound",  "bus", "driver",   "fs",           "irq",
                                       "scsi", "sysvipc", "tty", "pressure", "dynamic_debug"};
    static const uint64_t attrs = RO_ATTRS | MOUNT_ATTR_NOEXEC;
    char paths[COUNT_OF(dirs)][64];
    const char *first = NULL; /* that there is */
    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        snprintf(paths[i], sizeof paths[i], ROOT "/proc/%s", dirs[i]);
        if (first ? !bind_again(first, paths[i], err)
                  : !access(paths[i], F_OK) && !bind(ROOT "/sys", first = paths[i], attrs, err))
            return false;
    }
    return true;
}

static bool make_proc(struct init_root *root, struct err *err)
{
    AUTO(fd) int context = fsopen("proc", FSOPEN_CLOEXEC);
    if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
        return err_os(err, errno, "open procfs");
    root->proc =
        fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (root->proc < 0)
        return err_os(err, errno, "mount a detached procfs");
    if (mount("proc", ROOT "/proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "hidepid=2"))
        return err_os(err, errno, "mount /proc");
    return mask_files(err) && mask_dirs(err) &&
           bind(ROOT "/proc/sys", ROOT "/proc/sys", RO_ATTRS | MOUNT_ATTR_NOEXEC, err);
}

/* ---- /etc ---- */

static bool make_etc(struct err *err)
{
    /* Lambda's process user, as recorded (dataplane.md 2.5). */
    static const char passwd[] = "root:x:0:0:root:/root:/sbin/nologin\n"
                                 "sbx_user1051:x:1000:1000::/home/sbx_user1051:/sbin/nologin\n"
                                 "nobody:x:65534:65534:Nobody:/:/sbin/nologin\n";
    static const char group[] = "root:x:0:\nsbx_user1051:x:1000:\nnogroup:x:65534:\n";
    static const char hosts[] = "127.0.0.1 localhost sandbox.localdomain sandbox\n";
    static const char nsswitch[] = "passwd: files\ngroup: files\nhosts: files dns\n";
    return make_file(ROOT "/etc/passwd", passwd, err) && make_file(ROOT "/etc/group", group, err) &&
           make_file(ROOT "/etc/hosts", hosts, err) &&
           make_file(ROOT "/etc/nsswitch.conf", nsswitch, err) &&
           make_file(ROOT "/etc/resolv.conf", "", err);
}

/* What programs of the root file system look for in its /etc: only these, and read-only. Debian's
 * Java has its settings there. */
static bool bind_etc(const char *rootfs, struct err *err)
{
    static const char *const entries[] = {"ld.so.cache",
                                          "ssl",
                                          "alternatives",
                                          "localtime",
                                          "os-release",
                                          "ca-certificates",
                                          "pki",
                                          "java-8-openjdk",
                                          "java-11-openjdk",
                                          "java-17-openjdk",
                                          "java-21-openjdk",
                                          "java-25-openjdk"};
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        char source[PATH_CAP];
        char target[PATH_CAP];
        struct stat st;
        snprintf(source, sizeof source, "%s/etc/%s", rootfs, entries[i]);
        snprintf(target, sizeof target, ROOT "/etc/%s", entries[i]);
        if (stat(source, &st))
            continue;
        if (S_ISDIR(st.st_mode) ? !make_dir(target, 0755, err) : !make_file(target, "", err))
            return false;
        if (!bind(source, target, RO_ATTRS | MOUNT_ATTR_NOEXEC, err))
            return false;
    }
    return true;
}

/* ---- the phases ---- */

/* The daemon owns the data folder: the path could be made to lead elsewhere. The launcher's
 * descriptor cannot. */
static bool open_code(struct init_root *root, const struct launch_config *config, struct err *err)
{
    char path[PATH_CAP];
    struct stat known;
    struct stat found;
    snprintf(path, sizeof path, "%s/code", config->data);
    root->code = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root->code < 0 || fstat(root->code, &found) || fstat(INIT_FD_CODE, &known))
        return err_os(err, errno, "open %s", path);
    if (found.st_dev != known.st_dev || found.st_ino != known.st_ino)
        return err_set(err, FAULT_DENIED, "%s is not the launcher's", path);
    close(INIT_FD_CODE);
    return true;
}

bool mount_prepare(struct init_root *root, const struct launch_config *config, const char *tmp,
                   struct err *err)
{
    static const char *const dirs[] = {
        ROOT "/dev",         ROOT "/proc",     ROOT "/tmp",      ROOT "/etc",  ROOT "/usr",
        ROOT "/opt",         ROOT "/var",      ROOT "/var/task", ROOT "/root", ROOT "/home",
        ROOT "/var/runtime", ROOT "/var/lang", ROOT "/run",      ROOT "/sys",  ROOT "/mnt"};
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return err_os(err, errno, "make mounts private");
    if (!open_code(root, config, err))
        return false;
    if (!mount_tmpfs(ROOT, MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=1m,nr_inodes=256,mode=755", err))
        return false;
    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        if (!make_dir(dirs[i], 0755, err))
            return false;
    }
    root->has_tmp = tmp != NULL;
    root->at = ROOT;
    if (root->zygote) /* by /proc one reaches into what functions may have written */
        return make_dev(err) && make_etc(err);
    return make_dev(err) && make_proc(root, err) && make_etc(err) &&
           (!tmp || tmp_image_mount(tmp, ROOT "/tmp", err));
}

/* /usr of the root file system, and the links that usually lead into it. */
static bool bind_rootfs(const char *rootfs, struct err *err)
{
    static const char *const tops[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
    char source[PATH_CAP];
    snprintf(source, sizeof source, "%s/usr", rootfs);
    if (!bind(source, ROOT "/usr", RO_ATTRS, err))
        return false;
    for (size_t i = 0; i < COUNT_OF(tops); i++) {
        char target[PATH_CAP];
        char link[PATH_CAP];
        struct stat st;
        snprintf(source, sizeof source, "%s/%s", rootfs, tops[i]);
        snprintf(target, sizeof target, ROOT "/%s", tops[i]);
        if (lstat(source, &st))
            continue;
        if (S_ISLNK(st.st_mode)) {
            ssize_t n = readlink(source, link, sizeof link - 1);
            if (n < 0)
                return err_os(err, errno, "readlink %s", source);
            link[n] = '\0';
            if (!make_link(link, target, err))
                return false;
        } else if (S_ISDIR(st.st_mode)) {
            if (!make_dir(target, 0755, err) || !bind(source, target, RO_ATTRS, err))
                return false;
        }
    }
    return bind_etc(rootfs, err);
}

/* Where `path` of the new root is now. */
static const char *inside(const struct init_root *root, const char *path, char to[PATH_CAP])
{
    snprintf(to, PATH_CAP, "%s%s", root->at, path);
    return to;
}

/* Later layers overwrite earlier ones: the last is overlayfs' top. */
static bool bind_layers(const struct init_root *root, const struct sandbox_spec *spec,
                        struct err *err)
{
    char opt[PATH_CAP];
    inside(root, "/opt", opt);
    if (spec->layer_count == 0)
        return true;
    if (spec->layer_count == 1)
        return bind_at(root->code, spec->layers[0], opt, RO_ATTRS, err);
    char options[64 + LAUNCH_LAYERS_MAX * (LAUNCH_DIGEST_LEN + 1)] = "lowerdir=";
    for (uint32_t i = spec->layer_count; i-- > 0;) {
        size_t n = strlen(options);
        snprintf(options + n, sizeof options - n, "%s%s", spec->layers[i], i ? ":" : "");
    }
    if (fchdir(root->code)) /* relative names keep the options within one page */
        return err_os(err, errno, "enter code");
    if (mount("overlay", opt, "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV, options) || chdir("/"))
        return err_os(err, errno, "merge layers");
    return true;
}

static bool make_tmp(const struct init_root *root, const struct init_assignment *assignment,
                     struct err *err)
{
    const struct sandbox_spec *spec = &assignment->spec;
    char options[96];
    char tmp[PATH_CAP];
    inside(root, "/tmp", tmp);
    if (root->has_tmp && !*assignment->tmp && !assignment->tmp_in_memory)
        return true;
    if (root->has_tmp && umount2(tmp, UMOUNT_NOFOLLOW | (root->parked ? MNT_DETACH : 0)))
        return err_os(err, errno, "unmount the usual /tmp");
    if (*assignment->tmp)
        return tmp_image_mount(assignment->tmp, tmp, err);
    /* As many files as the image would hold: without a limit they eat kernel memory. */
    unsigned long long inodes = spec->tmp_size / 16384 < 1024 ? 1024 : spec->tmp_size / 16384;
    snprintf(options, sizeof options, "size=%llu,nr_inodes=%llu,mode=1777",
             (unsigned long long)spec->tmp_size, inodes);
    return mount_tmpfs(tmp, MS_NOSUID | MS_NODEV, options, err);
}

static bool enter_root(struct init_root *root, struct err *err)
{
    if (!remount_ro(ROOT, err))
        return false;
    if (chdir(ROOT) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
        return err_os(err, errno, "enter the new root");
    root->at = "";
    return true;
}

static bool bind_code(const struct init_root *root, const struct init_assignment *assignment,
                      struct err *err)
{
    const struct sandbox_spec *spec = &assignment->spec;
    char task[PATH_CAP];
    inside(root, "/var/task", task);
    if (spec->kind == LAUNCH_UNPACK)
        return bind_at(root->code, assignment->unpack_dir, task,
                       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
    return bind_at(root->code, spec->code, task, RO_ATTRS, err) && bind_layers(root, spec, err) &&
           make_tmp(root, assignment, err);
}

static bool bind_program(const struct launch_config *config, const struct sandbox_spec *spec,
                         struct err *err)
{
    char source[PATH_CAP];
    if (spec->kind == LAUNCH_UNPACK)
        snprintf(source, sizeof source, "%s", config->libexec);
    else if (*spec->runtime)
        snprintf(source, sizeof source, "%s/%s", config->runtimes, spec->runtime);
    else
        return true;
    return bind(source, ROOT "/var/runtime", RO_ATTRS, err);
}

/* It loads nothing from /usr/local, where on some hosts not only root may write. */
static bool bind_for_zygote(const struct launch_config *config, struct err *err)
{
    return bind(config->libexec, ROOT ZYGOTE_FOLDER, RO_ATTRS, err) &&
           (access(ROOT "/usr/local", F_OK) != 0 ||
            bind(ROOT "/home", ROOT "/usr/local", RO_ATTRS | MOUNT_ATTR_NOEXEC, err));
}

/* What the function's mounts are made of is out of reach in the new root, so it comes along, and
 * goes before any code of the function runs. */
#define PARKED_CODE "/mnt"

/* The dynamic loader remembers for the rest of a process which folders of LD_LIBRARY_PATH were
 * missing when it first looked, so those that code and layers may bring are there from the start.
 */
static const char *const parked_empty[][2] = {{ROOT "/var/task", ROOT "/var/task/lib"},
                                              {ROOT "/opt", ROOT "/opt/lib"}};

static bool park(struct init_root *root, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(parked_empty); i++) {
        if (!mount_tmpfs(parked_empty[i][0], MS_NOSUID | MS_NODEV, "size=4k,nr_inodes=4,mode=755",
                         err) ||
            !make_dir(parked_empty[i][1], 0755, err))
            return false;
    }
    if (!bind_at(root->code, "", ROOT PARKED_CODE, RO_ATTRS, err) || !enter_root(root, err))
        return false;
    close(root->code);
    root->code = open(PARKED_CODE, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    root->parked = true;
    return root->code >= 0 || err_os(err, errno, "open " PARKED_CODE);
}

static bool unpark(struct init_root *root, const struct init_assignment *assignment,
                   struct err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < COUNT_OF(parked_empty); i++) {
        ok = umount2(parked_empty[i][0] + sizeof ROOT - 1, UMOUNT_NOFOLLOW | MNT_DETACH) == 0 ||
             err_os(err, errno, "unmount %s", parked_empty[i][0]);
    }
    ok = ok && bind_code(root, assignment, err);
    close(fd_take(&root->code));
    return (umount2(PARKED_CODE, UMOUNT_NOFOLLOW | MNT_DETACH) == 0 ||
            err_os(err, errno, "unmount " PARKED_CODE)) &&
           ok;
}

bool mount_assigned(struct init_root *root, const struct launch_config *config,
                    const struct init_assignment *assignment, struct err *err)
{
    const struct sandbox_spec *spec = &assignment->spec;
    if (root->parked)
        return unpark(root, assignment, err);
    if (!bind_rootfs(launch_rootfs_dir(config, spec->rootfs), err) ||
        !bind_program(config, spec, err))
        return false;
    if (spec->kind == LAUNCH_PARKED)
        return park(root, err);
    bool ok = (root->zygote ? bind_for_zygote(config, err) : bind_code(root, assignment, err)) &&
              enter_root(root, err);
    close(fd_take(&root->code));
    return ok;
}
