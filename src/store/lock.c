#include "store/lock.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

static int fail_locked(int fd, const char *dir, struct err *err)
{
    char pid[16] = "?";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    if (n > 0)
        pid[n] = '\0';
    err_set(
        err, FAULT_CONFLICT,
        "data folder %s is in use by another daemon (process %s): stop that one or choose another "
        "folder",
        dir, pid);
    return -1;
}

int store_lock(const char *dir, struct err *err)
{
    char pid[16];
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        err_os(err, errno, "make data folder %s", dir);
        return -1;
    }
    AUTO(fd) int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        err_os(err, errno, "open data folder %s", dir);
        return -1;
    }
    AUTO(fd) int fd = openat(folder, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        err_os(err, errno, "data folder %s is not writable: open its file lock", dir);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail_locked(fd, dir, err);
        err_os(err, errno, "lock %s/lock", dir);
        return -1;
    }
    int n = snprintf(pid, sizeof pid, "%d", (int)getpid());
    /* For people who read it; a full disk must not keep the daemon from starting. */
    if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)n, 0) < 0)
        errno = 0;
    return fd_take(&fd);
}
