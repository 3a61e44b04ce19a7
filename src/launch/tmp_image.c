#include "launch/tmp_image.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEMPLATES = 16, BLOCK = 4096, LOOP_TRIES = 64 };

static struct template
{
    uint64_t size;
    int fd; /* sparse, unlinked */
    uint64_t used;
}
templates[TEMPLATES];
static uint64_t template_clock;

static const char *mke2fs(void)
{
    static const char *const paths[] = {"/sbin/mke2fs", "/usr/sbin/mke2fs"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    }
    return NULL;
}

bool tmp_image_possible(struct err *err)
{
    if (geteuid() != 0)
        return err_set(err, FAULT_UNAVAILABLE, "mounting images needs root");
    if (!mke2fs())
        return err_set(err, FAULT_UNAVAILABLE, "mke2fs is missing: install e2fsprogs");
    AUTO(fd) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return err_os(err, errno, "open /dev/loop-control");
    if (ioctl(control, LOOP_CTL_GET_FREE) < 0)
        return err_os(err, errno, "get a loop device");
    return true;
}

/* Without output, and with the image as a descriptor; argv ends with NULL. */
static bool run(const char *const *argv, int image, struct err *err)
{
    int status = 0;
    pid_t pid = fork();
    if (pid < 0)
        return err_os(err, errno, "fork");
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        fcntl(image, F_SETFD, 0);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return err_os(err, errno, "wait for %s", argv[0]);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, FAULT_INTERNAL, "%s failed with status %d", argv[0], status);
    return true;
}

static bool run_mke2fs(int image, uint64_t blocks, uint64_t inodes, struct err *err)
{
    char path[32];
    char count[32];
    char nodes[32];
    const char *program = mke2fs();
    if (!program)
        return err_set(err, FAULT_UNAVAILABLE, "mke2fs is gone");
    snprintf(path, sizeof path, "/proc/self/fd/%d", image);
    snprintf(count, sizeof count, "%" PRIu64, blocks);
    snprintf(nodes, sizeof nodes, "%" PRIu64, inodes);
    /* No journal: the file system never outlives its sandbox. uninit_bg: without it 8 MB of
     * empty inode tables would be written for each half GB. */
    const char *const argv[] = {
        program,
        "-q",
        "-F",
        "-t",
        "ext4",
        "-b",
        "4096",
        "-I",
        "256",
        "-m",
        "0",
        "-O",
        "^has_journal,^resize_inode,^metadata_csum,^64bit,sparse_super2,uninit_bg",
        "-E",
        "lazy_itable_init=1,nodiscard,root_owner=0:0,num_backup_sb=0",
        "-N",
        nodes,
        path,
        count,
        NULL};
    return run(argv, image, err);
}

/* mke2fs makes a lost+found whatever it is told. Taken out here once, it need not be taken out of
 * each /tmp; that is done too, where this fails. */
static void remove_lost_and_found(int image)
{
    char path[32];
    struct err err;
    snprintf(path, sizeof path, "/proc/self/fd/%d", image);
    const char *const argv[] = {"/sbin/debugfs", "-w", "-R", "rmdir lost+found", path, NULL};
    bool done = access(argv[0], X_OK) == 0 && run(argv, image, &err);
    (void)done;
}

static int unlinked_file(int dir, struct err *err)
{
    static const char name[] = ".tmp-image";
    int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) { /* not every file system has it */
        fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0)
            unlinkat(dir, name, 0);
    }
    if (fd < 0)
        err_os(err, errno, "make an unlinked file");
    return fd;
}

/* Free blocks of a fresh image, read from its superblock (offset 1024: s_free_blocks_count_lo at
 * 12). */
static bool free_blocks(int image, uint64_t *out)
{
    uint32_t value = 0;
    if (pread(image, &value, sizeof value, 1024 + 12) != (ssize_t)sizeof value)
        return false;
    *out = value;
    return true;
}

/* One file of the whole size needs an index block from its fifth extent of 128 MB on, which is no
 * user's data. lost+found's blocks come free when it is removed after the mount. */
enum { INDEX_FROM = 384 << 20, LOST_AND_FOUND_BLOCKS = 4 };

static int make_template(int dir, uint64_t size, struct err *err)
{
    uint64_t want = size / BLOCK + (size > INDEX_FROM) - LOST_AND_FOUND_BLOCKS;
    uint64_t inodes = size / 16384 < 1024 ? 1024 : size / 16384;
    uint64_t blocks = want + inodes / 16 + 64;
    for (int tries = 0; tries < 4; tries++) {
        uint64_t got = 0;
        AUTO(fd) int fd = unlinked_file(dir, err);
        if (fd < 0)
            return -1;
        if (ftruncate(fd, (off_t)(blocks * BLOCK)))
            return err_os(err, errno, "size the template"), -1;
        if (!run_mke2fs(fd, blocks, inodes, err))
            return -1;
        if (!free_blocks(fd, &got))
            return err_set(err, FAULT_INTERNAL, "cannot read the template"), -1;
        if (got == want || (tries == 3 && got > want)) {
            remove_lost_and_found(fd);
            return fd_take(&fd);
        }
        blocks = blocks + want - got; /* the overhead is nearly constant: one correction is usual */
    }
    err_set(err, FAULT_INTERNAL, "no image with exactly %" PRIu64 " bytes", size);
    return -1;
}

static struct template *template_for(int dir, uint64_t size, struct err *err)
{
    struct template *oldest = &templates[0];
    for (size_t i = 0; i < TEMPLATES; i++) {
        struct template *t = &templates[i];
        if (t->size == size) {
            t->used = ++template_clock;
            return t;
        }
        if (t->used < oldest->used)
            oldest = t;
    }
    int fd = make_template(dir, size, err);
    if (fd < 0)
        return NULL;
    if (oldest->size)
        close(oldest->fd);
    *oldest = (struct template){.size = size, .fd = fd, .used = ++template_clock};
    return oldest;
}

/* Copies only the parts that hold data. */
static bool copy_sparse(int from, int to)
{
    struct stat st;
    char block[BLOCK];
    if (fstat(from, &st) || ftruncate(to, st.st_size))
        return false;
    for (off_t at = 0; at < st.st_size;) {
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0)
            return errno == ENXIO;
        off_t hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            return false;
        for (at = data; at < hole;) {
            ssize_t n = pread(from, block, sizeof block, at);
            if (n <= 0 || pwrite(to, block, (size_t)n, at) != n)
                return false;
            at += n;
        }
    }
    return true;
}

/* Between asking for a free device and taking it another process may take it: then ask again. */
static int attach(int file, struct tmp_image *image, struct err *err)
{
    AUTO(fd) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return err_os(err, errno, "open /dev/loop-control"), -1;
    for (int tries = 0; tries < LOOP_TRIES; tries++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0)
            return err_os(err, errno, "get a loop device"), -1;
        snprintf(image->path, sizeof image->path, "/dev/loop%d", number);
        AUTO(fd) int loop = open(image->path, O_RDWR | O_CLOEXEC);
        if (loop < 0)
            return err_os(err, errno, "open %s", image->path), -1;
        struct loop_config config = {.fd = (uint32_t)file, .block_size = BLOCK};
        config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
        memcpy(config.info.lo_file_name, &image->tag, sizeof image->tag); /* ours to choose */
        if (ioctl(loop, LOOP_CONFIGURE, &config) == 0)                    /* since Linux 5.8 */
            return fd_take(&loop);
        if (errno != EBUSY)
            return err_os(err, errno, "attach %s", image->path), -1;
    }
    err_set(err, FAULT_INTERNAL, "every loop device was taken by somebody else");
    return -1;
}

bool tmp_image_warm(int dir, uint64_t size, struct err *err)
{
    return template_for(dir, size, err) != NULL;
}

bool tmp_image_new(int dir, uint64_t size, struct tmp_image *out, struct err *err)
{
    struct tmp_image image = {.size = size, .loop = -1};
    const struct template *t = template_for(dir, size, err);
    if (!t)
        return false;
    AUTO(fd) int fd = unlinked_file(dir, err);
    if (fd < 0)
        return false;
    if (!copy_sparse(t->fd, fd))
        return err_os(err, errno, "copy the image");
    if (getrandom(&image.tag, sizeof image.tag, 0) != (ssize_t)sizeof image.tag)
        return err_os(err, errno, "getrandom");
    image.loop = attach(fd, &image, err);
    if (image.loop < 0)
        return false;
    *out = image;
    return true;
}

bool tmp_image_gone(const struct tmp_image *image)
{
    struct loop_info64 info = {0};
    if (!image->size)
        return true;
    AUTO(fd) int loop = open(image->path, O_RDONLY | O_CLOEXEC);
    return loop < 0 || ioctl(loop, LOOP_GET_STATUS64, &info) ||
           memcmp(info.lo_file_name, &image->tag, sizeof image->tag) != 0;
}

bool tmp_image_mount(const char *device, const char *target, struct err *err)
{
    char sysfs[96];
    /* reserved_clusters are kept back from users for delayed allocation; nobody else writes here.
     */
    snprintf(sysfs, sizeof sysfs, "/sys/fs/ext4/%s/reserved_clusters", device + sizeof "/dev/" - 1);
    if (mount(device, target, "ext4", MS_NOSUID | MS_NODEV | MS_NOATIME,
              "barrier=0,noauto_da_alloc,noinit_itable"))
        return err_os(err, errno, "mount %s", device);
    AUTO(fd) int reserved = open(sysfs, O_WRONLY | O_CLOEXEC);
    if (reserved >= 0 && write(reserved, "0", 1) != 1)
        return err_os(err, errno, "write %s", sysfs);
    AUTO(fd) int root = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unlinkat(root, "lost+found", AT_REMOVEDIR);
    return chmod(target, 01777) == 0 || err_os(err, errno, "chmod /tmp");
}
