#include "launch/launcher.h"

#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { DEPTH_MAX = 64 }; /* lambkin-unpack makes no deeper trees */

/* Removes a tree that a hostile zip may have shaped: every step goes through a directory descriptor
 * and follows no link. With `owner` set, instead gives everything to root. */
static bool walk(int parent, const char *name, unsigned depth, bool give_to_root)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT;
    if (S_ISDIR(st.st_mode)) {
        int fd = depth < DEPTH_MAX
                     ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                     : -1;
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        if (!dir) {
            if (fd >= 0)
                close(fd);
            return false;
        }
        for (struct dirent *entry; (entry = readdir(dir));) {
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                !walk(dirfd(dir), entry->d_name, depth + 1, give_to_root)) {
                closedir(dir);
                return false;
            }
        }
        closedir(dir);
    }
    if (give_to_root)
        return fchownat(parent, name, 0, 0, AT_SYMLINK_NOFOLLOW) == 0;
    return unlinkat(parent, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) == 0;
}

static bool slot_uses(const struct slot *slot, const char *digest)
{
    const char *waiting[LAUNCH_DIGESTS_MAX];
    size_t n = slot->waiting ? launch_spec_digests(&slot->waiting->spec, waiting) : 0;
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(waiting[i], digest))
            return true;
    }
    for (size_t i = 0; i < slot->digest_count; i++) {
        if (!strcmp(slot->digests[i], digest))
            return true;
    }
    return false;
}

/* Whether a sandbox has this tree mounted, or is about to. */
static bool in_use(const struct launcher *l, const char *digest)
{
    for (unsigned i = 0; i < l->config.max; i++) {
        const struct slot *slot = &l->slots[i];
        if ((slot->state == SLOT_LIVE || slot->waiting) && slot_uses(slot, digest))
            return true;
    }
    return false;
}

static void sweep(int code)
{
    int fd = openat(code, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!strncmp(entry->d_name, ".tmp-", 5) && !walk(code, entry->d_name, 0, false))
            log_warn("launch.sweep", "code/%s err=%d", entry->d_name, errno);
    }
    closedir(dir);
}

/* As root we change owner and mode of the folder: not of one like /srv that was named by mistake.
 */
static bool may_take(const struct launch_config *config, int data)
{
    struct stat st;
    struct stat db;
    if (config->rootless)
        return true;
    if (fstat(data, &st))
        return false;
    /* An earlier run under another id: then its database is not a stranger's in a folder for all.
     */
    bool old = fstatat(data, "lambkin.db", &db, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(db.st_mode) &&
               db.st_uid == st.st_uid;
    if (old || st.st_uid == config->daemon_uid)
        return true;
    int fd = openat(data, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    bool empty = dir != NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        empty &= !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
    if (dir)
        closedir(dir);
    return empty;
}

bool code_open(struct launcher *l, struct err *err)
{
    const struct launch_config *config = &l->config;
    bool made = mkdir(config->data, 0700) == 0;
    if (!made && errno != EEXIST)
        return err_os(err, errno, "make %s", config->data);
    AUTO(fd) int data = open(config->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data < 0)
        return err_os(err, errno, "open %s", config->data);
    if (!made && !may_take(config, data))
        return err_set(
            err, FAULT_INVALID,
            "%s belongs to somebody else and is not empty: choose a folder of lambkin's own "
            "with --data-dir",
            config->data);
    /* What functions and their secrets leave there is nobody else's on this host. */
    if (!config->rootless &&
        (fchown(data, config->daemon_uid, config->daemon_gid) || fchmod(data, 0700)))
        return err_os(err, errno, "give %s to the daemon", config->data);
    if (mkdirat(data, "code", 0755) && errno != EEXIST)
        return err_os(err, errno, "make %s/code", config->data);
    l->code = openat(data, "code", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (l->code < 0)
        return err_os(err, errno, "open %s/code", config->data);
    if (!config->rootless && (fchown(l->code, 0, 0) || fchmod(l->code, 0755)))
        return err_os(err, errno, "own %s/code", config->data);
    sweep(l->code);
    return true;
}

bool code_begin(struct launcher *l, struct slot *slot, uid_t owner, struct err *err)
{
    snprintf(slot->unpack_dir, sizeof slot->unpack_dir, ".tmp-%04u", slot->number);
    walk(l->code, slot->unpack_dir, 0, false);
    if (mkdirat(l->code, slot->unpack_dir, 0755))
        return err_os(err, errno, "make code/%s", slot->unpack_dir);
    if (!l->config.rootless &&
        fchownat(l->code, slot->unpack_dir, owner, owner, AT_SYMLINK_NOFOLLOW))
        return err_os(err, errno, "give code/%s away", slot->unpack_dir);
    return true;
}

static bool keep(struct launcher *l, int from, const char *digest)
{
    /* Another upload of the same zip may have been faster: then its tree stays. */
    if (faccessat(l->code, digest, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    return (l->config.rootless || walk(from, digest, 0, true)) &&
           renameat(from, digest, l->code, digest) == 0;
}

/* Acknowledged means on disk: what is in the trees was synced inside, their names are synced here.
 */
static bool keep_all(struct launcher *l, const struct slot *slot)
{
    AUTO(fd)
    int from = openat(l->code, slot->unpack_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (size_t i = 0; i < slot->digest_count; i++) {
        if (from < 0 || !keep(l, from, slot->digests[i])) {
            log_warn("launch.code", "keep code/%s err=%d", slot->digests[i], errno);
            return false;
        }
    }
    return fsync(l->code) == 0;
}

bool code_finish(struct launcher *l, struct slot *slot, bool good)
{
    good = good && keep_all(l, slot);
    if (!walk(l->code, slot->unpack_dir, 0, false))
        log_warn("launch.code", "remove code/%s err=%d", slot->unpack_dir, errno);
    return good;
}

/* A large tree takes longer than a request may wait: a process of its own removes it, nobody's
 * child, with no descriptor that would keep anything else alive. What it does not finish is swept
 * at the next start. */
static bool remove_behind(int code, const char *name)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() != 0)
            _exit(0);
        int keep = fcntl(code, F_DUPFD_CLOEXEC, 100);
        if (keep < 0 || close_range(3, (unsigned)keep - 1, 0) ||
            close_range((unsigned)keep + 1, ~0U, 0))
            _exit(1);
        _exit(walk(keep, name, 0, false) ? 0 : 1);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0) {
        if (errno != EINTR)
            break;
    }
    return pid > 0;
}

bool code_forget(struct launcher *l, const char *digest, struct err *err)
{
    char gone[LAUNCH_DIGEST_LEN + 16];
    snprintf(gone, sizeof gone, ".tmp-gone-%s", digest);
    if (in_use(l, digest))
        return err_set(err, FAULT_CONFLICT, "code is in use");
    /* Renamed first: a tree that is half removed must never be found under its digest. */
    if (renameat(l->code, digest, l->code, gone))
        return errno == ENOENT || err_os(err, errno, "rename code");
    if (!remove_behind(l->code, gone) && !walk(l->code, gone, 0, false))
        return err_os(err, errno, "remove code");
    return true;
}
