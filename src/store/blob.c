#include "store/blob.h"

#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    BLOBS_MAGIC = 0x424c4f42,
    PUT_MAGIC = 0x424c4f50,
    TMP_DIGITS = 16,
    TMP_LEN = 5 + TMP_DIGITS
};

#define TMP_PREFIX ".tmp-"

struct blobs {
    uint32_t magic;
    uv_loop_t *loop; /* configuration */
    int dir;
    unsigned pending; /* state: work under way */
    bool stopped;
};

struct blob_put {
    uint32_t magic;
    struct blobs *blobs;
    uv_work_t work;
    char tmp[TMP_LEN + 1];
    char digest[BLOB_DIGEST_LEN + 1];
    struct slice bytes;
    int fd;
    bool ok; /* state: of the step under way */
    struct err err;
    blob_written *written;
    blob_kept *kept;
    void *arg;
};

bool blob_is_digest(struct slice s)
{
    if (s.n != BLOB_DIGEST_LEN)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    }
    return true;
}

void blob_digest(struct slice bytes, char out[BLOB_DIGEST_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)(bytes.p ? bytes.p : ""), bytes.n, hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[BLOB_DIGEST_LEN] = '\0';
}

/* ---- the folder ---- */

static DIR *list_dir(const struct blobs *blobs)
{
    int fd = openat(blobs->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

static void remove_file(const struct blobs *blobs, const char *name)
{
    if (unlinkat(blobs->dir, name, 0) != 0 && errno != ENOENT)
        log_warn("blob.remove", "name=%s os=%d", name, errno);
}

void blobs_sweep(struct blobs *blobs, blob_used *used, void *arg)
{
    DIR *dir = list_dir(blobs);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (blob_is_digest(slice_str(entry->d_name)) && !used(arg, entry->d_name))
            remove_file(blobs, entry->d_name);
    }
    closedir(dir);
}

static void sweep_temporary(struct blobs *blobs)
{
    DIR *dir = list_dir(blobs);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (slice_starts(slice_str(entry->d_name), S(TMP_PREFIX)))
            remove_file(blobs, entry->d_name);
    }
    closedir(dir);
}

struct blobs *blobs_open(uv_loop_t *loop, const char *path, struct err *err)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        err_os(err, errno, "make %s", path);
        return NULL;
    }
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        err_os(err, errno, "open %s", path);
        return NULL;
    }
    struct blobs *blobs = NEW(blobs);
    blobs->magic = BLOBS_MAGIC;
    blobs->loop = loop;
    blobs->dir = dir;
    sweep_temporary(blobs);
    return blobs;
}

void blobs_stop(struct blobs *blobs)
{
    blobs->stopped = true;
}

void blobs_close(struct blobs *blobs)
{
    if (!blobs)
        return;
    blobs_stop(blobs);
    while (blobs->pending)
        uv_run(blobs->loop, UV_RUN_ONCE);
    close(blobs->dir);
    free(blobs);
}

static void begin(struct blob_put *put, uv_work_cb step, uv_after_work_cb after)
{
    put->blobs->pending++;
    put->work.data = put;
    must(uv_queue_work(put->blobs->loop, &put->work, step, after) == 0);
}

/* ---- writing ---- */

static void put_free(struct blob_put *put)
{
    if (put->fd >= 0)
        close(put->fd);
    free(put);
}

static bool write_all(int fd, struct slice bytes, struct err *err)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_os(err, n < 0 ? errno : ENOSPC, "write code");
        bytes = slice_sub(bytes, (size_t)n, bytes.n);
    }
    return true;
}

static bool write_file(struct blob_put *put, struct err *err)
{
    put->fd = openat(put->blobs->dir, put->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (put->fd < 0)
        return err_os(err, errno, "make %s", put->tmp);
    if (!write_all(put->fd, put->bytes, err))
        return false;
    if (fsync(put->fd) != 0)
        return err_os(err, errno, "sync code");
    /* Readers get a descriptor that cannot write: it goes to where the zip is unpacked. */
    int readable = openat(put->blobs->dir, put->tmp, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (readable < 0)
        return err_os(err, errno, "open %s", put->tmp);
    close(put->fd);
    put->fd = readable;
    return true;
}

/* On a worker thread. */
static void do_write(uv_work_t *work)
{
    struct blob_put *put = CAST(blob_put, work->data, PUT_MAGIC);
    blob_digest(put->bytes, put->digest);
    put->ok = write_file(put, &put->err);
    if (!put->ok && put->fd >= 0)
        unlinkat(put->blobs->dir, put->tmp, 0);
}

static void after_write(uv_work_t *work, int status)
{
    struct blob_put *put = CAST(blob_put, work->data, PUT_MAGIC);
    put->blobs->pending--;
    if (put->ok && !put->blobs->stopped) {
        put->written(put->arg, put, put->digest, NULL);
        return;
    }
    if (!put->blobs->stopped)
        put->written(put->arg, NULL, NULL, &put->err);
    put_free(put); /* a file without a name is swept at the next start */
}

void blob_write(struct blobs *blobs, struct slice bytes, blob_written *done, void *arg)
{
    struct blob_put *put = NEW(blob_put);
    put->magic = PUT_MAGIC;
    put->blobs = blobs;
    put->fd = -1;
    put->bytes = bytes;
    put->written = done;
    put->arg = arg;
    memcpy(put->tmp, TMP_PREFIX, sizeof TMP_PREFIX);
    id_hex(put->tmp + sizeof TMP_PREFIX - 1, TMP_DIGITS);
    begin(put, do_write, after_write);
}

int blob_fd(const struct blob_put *put)
{
    return put->fd;
}

static void do_keep(uv_work_t *work)
{
    struct blob_put *put = CAST(blob_put, work->data, PUT_MAGIC);
    int dir = put->blobs->dir;
    put->ok = true;
    /* Also over an existing one: it has the same content, and no check can come too late. */
    if (renameat(dir, put->tmp, dir, put->digest) != 0)
        put->ok = err_os(&put->err, errno, "rename code");
    else if (fsync(dir) != 0)
        put->ok = err_os(&put->err, errno, "sync folder of code");
    if (!put->ok)
        unlinkat(dir, put->tmp, 0);
}

static void after_keep(uv_work_t *work, int status)
{
    struct blob_put *put = CAST(blob_put, work->data, PUT_MAGIC);
    put->blobs->pending--;
    if (!put->blobs->stopped)
        put->kept(put->arg, put->ok ? NULL : &put->err);
    put_free(put);
}

void blob_keep(struct blob_put *put, blob_kept *done, void *arg)
{
    put->kept = done;
    put->arg = arg;
    begin(put, do_keep, after_keep);
}

static void do_close(uv_work_t *work)
{
    struct blob_put *put = CAST(blob_put, work->data, PUT_MAGIC);
    close(fd_take(&put->fd)); /* the last reference: here the space is given back */
}

static void after_close(uv_work_t *work, int status)
{
    struct blob_put *put = CAST(blob_put, work->data, PUT_MAGIC);
    put->blobs->pending--;
    put_free(put);
}

void blob_drop(struct blob_put *put)
{
    if (!put)
        return;
    remove_file(put->blobs, put->tmp);
    begin(put, do_close, after_close);
}

/* ---- reading, forgetting ---- */

int blob_open(struct blobs *blobs, const char *digest, uint64_t *out_size, struct err *err)
{
    struct stat st;
    must(blob_is_digest(slice_str(digest)));
    AUTO(fd) int fd = openat(blobs->dir, digest, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        err_set(err, FAULT_NOT_FOUND, "no code %s", digest);
        return -1;
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        err_os(err, errno, "open code %s", digest);
        return -1;
    }
    *out_size = (uint64_t)st.st_size;
    return fd_take(&fd);
}

void blob_forget(struct blobs *blobs, const char *digest)
{
    must(blob_is_digest(slice_str(digest)));
    /* Removing the name takes no time as long as the file is open; the worker closes it. */
    AUTO(fd) int fd = openat(blobs->dir, digest, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    remove_file(blobs, digest);
    if (fd < 0)
        return;
    struct blob_put *put = NEW(blob_put);
    put->magic = PUT_MAGIC;
    put->blobs = blobs;
    put->fd = fd_take(&fd);
    begin(put, do_close, after_close);
}
