/* lambkin-unpack NAME...: for each name a zip from the socket on descriptor 3 -> the folder of that
 * name. Runs in a sandbox that holds nothing else, as a zip may have been made to break libzip.
 *
 * The first zip that fails ends it. One line on stdout says how it went, the exit status says of
 * which kind that is:
 *   0 done, everything is on disk        3 too large unzipped, all zips together
 *   1 another failure of this machine    4 the disk is full
 *   2 a bad zip
 * Whatever was written before a failure is the caller's to remove. */
#include "base/mem.h"
#include "codec/unzip.h"
#include "launch/proto.h"
#include "loop/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Up to SYNC_EACH entries are synced one by one: syncfs() also waits for what others have written.
 */
enum { ZIPS_FD = 3, EXIT_FAILED = 1, SYNC_EACH = 16 };

#ifdef __SANITIZE_ADDRESS__
/* In a sandbox the leak checker cannot attach to its own process, and would fail each run. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

struct writing {
    int fd;
    uint64_t total; /* of all files of all zips: headers may lie about sizes */
};

static bool write_piece(void *arg, struct slice piece, struct err *err)
{
    struct writing *w = arg;
    w->total += piece.n;
    if (w->total >= UNZIP_UNPACKED_LIMIT)
        return err_set(err, FAULT_LIMIT, "too large unzipped");
    while (piece.n) {
        ssize_t n = write(w->fd, piece.p, piece.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_os(err, n < 0 ? errno : ENOSPC, "write");
        piece = slice_sub(piece, (size_t)n, piece.n);
    }
    return true;
}

/* No links exist yet, so a path means what it says. */
static bool write_file(struct unzip_reader *zip, const struct unzip_item *item, const char *path,
                       struct writing *w, struct err *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)item->mtime}};
    AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_os(err, errno, "make %.100s", path);
    w->fd = fd;
    if (!unzip_reader_extract(zip, item->entry, write_piece, w, err))
        return false;
    if (fchmod(fd, item->mode) != 0 || futimens(fd, times) != 0)
        return err_os(err, errno, "set mode of %.100s", path);
    return true;
}

struct target {
    char text[UNZIP_PATH_MAX + 1];
    size_t n;
};

static bool read_target(void *arg, struct slice piece, struct err *err)
{
    struct target *target = arg;
    if (piece.n > UNZIP_PATH_MAX - target->n)
        return err_set(err, FAULT_INVALID, "target of a link is too long");
    memcpy(target->text + target->n, piece.p, piece.n);
    target->n += piece.n;
    return true;
}

static bool make_link(struct unzip_reader *zip, const struct unzip_item *item, const char *path,
                      struct err *err)
{
    struct target target = {.n = 0};
    if (!unzip_reader_extract(zip, item->entry, read_target, &target, err))
        return false;
    if (!unzip_link_is_inside(item->path, (struct slice){target.text, target.n}))
        return err_set(err, FAULT_INVALID, "link %.100s leads out of the package", path);
    target.text[target.n] = '\0';
    return symlink(target.text, path) == 0 || err_os(err, errno, "link %.100s", path);
}

static bool sync_one(const char *path, struct err *err)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return (fd >= 0 && fsync(fd) == 0) || err_os(err, errno, "sync %.100s", path);
}

static bool sync_everything(struct err *err)
{
    AUTO(fd) int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return (here >= 0 && syncfs(here) == 0) || err_os(err, errno, "sync");
}

static bool sync_one_by_one(const struct unzip_plan *plan, struct arena *arena, struct err *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct unzip_item *item = &plan->items[i];
        bool readable = item->kind == UNZIP_DIR || (item->mode & 0400);
        if (item->kind != UNZIP_LINK && readable && !sync_one(arena_str(arena, item->path), err))
            return false;
        if (!readable && !sync_everything(err))
            return false;
    }
    return sync_one(".", err);
}

static bool write_all(struct unzip_reader *zip, const struct unzip_plan *plan, struct arena *arena,
                      struct writing *w, struct err *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct unzip_item *item = &plan->items[i];
        const char *path = arena_str(arena, item->path);
        if (item->kind == UNZIP_DIR && mkdir(path, 0755) != 0)
            return err_os(err, errno, "make %.100s", path);
        if (item->kind == UNZIP_FILE && !write_file(zip, item, path, w, err))
            return false;
    }
    for (size_t i = 0; i < plan->count; i++) {
        const struct unzip_item *item = &plan->items[i];
        if (item->kind == UNZIP_LINK && !make_link(zip, item, arena_str(arena, item->path), err))
            return false;
    }
    return true;
}

/* Into the current folder. A zip that is alone is synced here, many are synced together. */
static bool unpack(struct slice file, bool alone, struct writing *w, struct err *err)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct unzip_entry *entries = NULL;
    struct unzip_plan plan;
    size_t count = 0;
    struct unzip_reader *zip = unzip_reader_open(file, err);
    if (!zip)
        return false;
    bool ok = unzip_reader_list(zip, arena, &entries, &count, err) &&
              unzip_make_plan(arena, entries, count, &plan, err) &&
              write_all(zip, &plan, arena, w, err);
    unzip_reader_close(zip);
    if (!ok || !alone)
        return ok;
    return plan.count > SYNC_EACH ? sync_everything(err) : sync_one_by_one(&plan, arena, err);
}

/* They all wait in the socket before this program starts. */
static int receive_zip(struct err *err)
{
    char byte = 0;
    int fds[FDPASS_MAX];
    size_t count = 0;
    size_t n = 0;
    if (fdpass_receive(ZIPS_FD, &byte, sizeof byte, &n, fds, &count) == FDPASS_DONE && count == 1)
        return fds[0];
    err_set(err, FAULT_INTERNAL, "no zip comes");
    return -1;
}

static bool unpack_next(const char *name, bool alone, struct writing *w, struct err *err)
{
    struct stat st;
    AUTO(fd) int fd = receive_zip(err);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) != 0 || st.st_size <= 0)
        return err_set(err, FAULT_INVALID, "empty");
    size_t size = (size_t)st.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return err_os(err, errno, "map the zip");
    AUTO(fd) int above = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = (above >= 0 && mkdir(name, 0755) == 0 && chdir(name) == 0) ||
              err_os(err, errno, "make the target");
    ok = ok && unpack((struct slice){bytes, size}, alone, w, err) &&
         (fchdir(above) == 0 || err_os(err, errno, "leave the target"));
    munmap(bytes, size);
    return ok;
}

static int report(struct err *err)
{
    for (char *p = err->msg; *p; p++) {
        if ((unsigned char)*p < 0x20)
            *p = '?';
    }
    printf("%s\n", err->msg);
    if (err->os == ENOSPC || err->os == EDQUOT)
        return UNPACK_NO_SPACE;
    return err->fault == FAULT_INVALID ? UNPACK_BAD_ZIP
           : err->fault == FAULT_LIMIT ? UNPACK_TOO_LARGE
                                       : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct writing w = {.fd = -1};
    bool alone = argc == 2;
    umask(0);
    setenv("TZ", "UTC0", 1); /* what times in a zip are read as */
    for (int i = 1; i < argc; i++) {
        if (!unpack_next(argv[i], alone, &w, &err))
            return report(&err);
    }
    if (!alone && !sync_everything(&err))
        return report(&err);
    printf("ok %d zips\n", argc - 1);
    return 0;
}
