#include "env/runtime.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { CONF_MAX = 16384, LANGUAGES_MAX = 32, FOUND_MAX = 64 };

/* An interpreter of this host. */
struct found {
    const struct runtime_conf *conf;
    const struct env_rootfs *rootfs; /* NULL: the host's */
    struct slice path;               /* inside it */
    uint64_t version;
};

struct runtimes {
    const struct env_settings *settings;
    struct arena *arena;
    struct runtime_conf languages[LANGUAGES_MAX];
    size_t count;
    /* Looked for with the first question: a program that nobody asks for is not read. */
    struct found *found;
    size_t found_count;
    bool searched;
};

/* ---- the files ---- */

static bool read_file(int dir, const char *path, struct buf *out, struct err *err)
{
    AUTO(fd) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_os(err, errno, "%s", path);
    char *to = buf_reserve(out, CONF_MAX);
    ssize_t n = read(fd, to, CONF_MAX);
    if (n < 0)
        return err_os(err, errno, "%s", path);
    out->n = (size_t)n;
    return true;
}

static struct slice *conf_member(struct runtime_conf *conf, struct slice key)
{
    const struct {
        struct slice key;
        struct slice *member;
    } members[] = {
        {S("prefix"), &conf->prefix},
        {S("suffix"), &conf->suffix},
        {S("interpreters"), &conf->interpreters},
        {S("version_mark"), &conf->version_mark},
        {S("version_files"), &conf->version_files},
        {S("version_folders"), &conf->version_folders},
        {S("built"), &conf->built},
        {S("nearest"), &conf->nearest},
        {S("install"), &conf->install},
        {S("archives"), &conf->archives},
        {S("args"), &conf->args},
        {S("env"), &conf->env},
        {S("start_variables"), &conf->start_variables},
        {S("forks"), &conf->forks},
    };
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        if (slice_eq(members[i].key, key))
            return members[i].member;
    }
    return NULL;
}

static bool parse(struct runtime_conf *conf, struct arena *arena, struct slice text,
                  struct err *err)
{
    struct slice line;
    for (unsigned number = 1; slice_cut(&text, '\n', &line); number++) {
        line = slice_trim(line);
        size_t equals = slice_find(line, '=');
        if (line.n == 0 || line.p[0] == '#')
            continue;
        struct slice key = slice_trim(slice_sub(line, 0, equals));
        struct slice *member = conf_member(conf, key);
        if (equals == SIZE_MAX || !member)
            return err_set(err, FAULT_INVALID, "line %u: unknown key '%.*s'", number, FMT(key));
        *member = arena_dup(arena, slice_trim(slice_sub(line, equals + 1, line.n)));
    }
    if (!conf->prefix.n || !conf->interpreters.n || !conf->args.n)
        return err_set(err, FAULT_INVALID, "prefix, interpreters and args are needed");
    return true;
}

static bool load_language(struct runtimes *runtimes, int dir, const char *name, struct err *err)
{
    AUTO(buf) struct buf text = BUF_INIT(CONF_MAX);
    char path[300];
    snprintf(path, sizeof path, "%s/runtime.conf", name);
    if (faccessat(dir, path, R_OK, 0) != 0)
        return true; /* a folder of something else */
    struct runtime_conf *conf = &runtimes->languages[runtimes->count];
    if (!read_file(dir, path, &text, err) || !parse(conf, runtimes->arena, buf_all(&text), err))
        return err_add(err, "runtimes/%s", path);
    conf->language = arena_dup(runtimes->arena, slice_str(name));
    if (!conf->install.n)
        conf->install = arena_printf(runtimes->arena, "install %s there", name);
    runtimes->count++;
    return true;
}

/* One that our user may not reach may be fine: the launcher mounts it. */
static bool are_folders(const struct env_rootfs *rootfs, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        int os = stat(rootfs[i].dir, &st) ? errno : S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
        if (os && os != EACCES)
            return err_os(err, os, "rootfs of %s: %s", rootfs[i].runtime, rootfs[i].dir);
    }
    return true;
}

struct runtimes *runtimes_load(const struct env_settings *settings, struct err *err)
{
    const char *dir = settings->runtimes_dir;
    struct runtimes *runtimes = NEW(runtimes);
    runtimes->settings = settings;
    runtimes->arena = arena_new();
    DIR *entries = dir ? opendir(dir) : NULL;
    bool ok = entries || !dir;
    if (!ok)
        err_os(err, errno, "folder of runtimes %s", dir);
    struct dirent *entry = NULL;
    while (ok && entries && runtimes->count < LANGUAGES_MAX && (entry = readdir(entries))) {
        if (entry->d_name[0] != '.')
            ok = load_language(runtimes, dirfd(entries), entry->d_name, err);
    }
    if (entries)
        closedir(entries);
    if (ok && are_folders(settings->rootfs, settings->rootfs_count, err))
        return runtimes;
    runtimes_free(runtimes);
    return NULL;
}

void runtimes_free(struct runtimes *runtimes)
{
    if (!runtimes)
        return;
    arena_free(runtimes->arena);
    free(runtimes);
}

/* ---- the host's interpreters ---- */

/* Digits at the beginning; 0 if there are none. */
static uint64_t leading_number(struct slice s)
{
    uint64_t value = 0;
    size_t n = 0;
    while (n < s.n && n < 6 && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    return n && slice_u64(slice_sub(s, 0, n), &value) ? value : 0;
}

/* The daemon never runs foreign programs, so it does not ask them: it looks where they keep it. */
static uint64_t version_inside(const char *path, struct slice mark)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return 0;
    size_t size = (size_t)st.st_size;
    char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return 0;
    const char *at = memmem(bytes, size, mark.p, mark.n);
    uint64_t version = 0;
    if (at) {
        size_t from = (size_t)(at - bytes) + mark.n;
        version = leading_number((struct slice){bytes + from, size - from});
    }
    munmap(bytes, size);
    return version;
}

static const char *root_dir(const struct env_rootfs *rootfs)
{
    return rootfs ? rootfs->dir : "";
}

static const char *in_root(struct runtimes *runtimes, const struct env_rootfs *rootfs,
                           struct slice path)
{
    return arena_printf(runtimes->arena, "%s%.*s", root_dir(rootfs), FMT(path)).p;
}

static uint64_t version_by_mark(struct runtimes *runtimes, const struct runtime_conf *conf,
                                const struct env_rootfs *rootfs, const char *path)
{
    uint64_t version = version_inside(path, conf->version_mark);
    struct slice rest = conf->version_files;
    struct slice pattern;
    while (!version && slice_cut(&rest, ' ', &pattern)) {
        glob_t globbed = {0};
        if (pattern.n && glob(in_root(runtimes, rootfs, pattern), 0, NULL, &globbed) == 0) {
            for (size_t i = 0; i < globbed.gl_pathc && !version; i++)
                version = version_inside(globbed.gl_pathv[i], conf->version_mark);
        }
        globfree(&globbed);
    }
    return version;
}

/* Where '*' stands in the pattern, the version stands in the path and nothing else. */
static uint64_t version_in_name(struct slice pattern, struct slice path)
{
    size_t star = slice_find(pattern, '*');
    size_t behind = pattern.n - star - 1;
    if (star == SIZE_MAX || path.n < star + behind)
        return 0;
    uint64_t version = 0;
    bool ok = slice_u64(slice_sub(path, star, path.n - star - behind), &version);
    return ok ? version : 0;
}

/* A sandbox sees the /usr of its root file system and nothing of /root or /home. */
static bool is_visible(const struct env_rootfs *rootfs, const char *path)
{
    char real[PATH_MAX];
    char real_root[PATH_MAX] = "";
    if (rootfs && !realpath(rootfs->dir, real_root))
        return false;
    return realpath(path, real) && slice_starts(slice_str(real), slice_str(real_root)) &&
           slice_starts(slice_str(real + strlen(real_root)), S("/usr/")) && access(real, X_OK) == 0;
}

static void add_found(struct runtimes *runtimes, struct found found)
{
    if (found.version && runtimes->found_count < FOUND_MAX)
        runtimes->found[runtimes->found_count++] = found;
}

/* Folders whose names begin with the version, as
 * /usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.11
 */
static void add_folders(struct runtimes *runtimes, struct found found, const char *interpreter)
{
    glob_t globbed = {0};
    struct slice folder =
        slice_sub(slice_str(interpreter), 0, (size_t)(strrchr(interpreter, '/') - interpreter) + 1);
    const char *pattern =
        arena_printf(runtimes->arena, "%.*s%.*s", FMT(folder), FMT(found.conf->version_folders)).p;
    if (glob(pattern, GLOB_ONLYDIR, NULL, &globbed) == 0) {
        for (size_t i = 0; i < globbed.gl_pathc; i++) {
            const char *name = strrchr(globbed.gl_pathv[i], '/') + 1;
            found.version = leading_number(slice_str(name));
            add_found(runtimes, found);
        }
    }
    globfree(&globbed);
}

static void search_pattern(struct runtimes *runtimes, const struct runtime_conf *conf,
                           const struct env_rootfs *rootfs, struct slice pattern)
{
    glob_t globbed = {0};
    if (glob(in_root(runtimes, rootfs, pattern), 0, NULL, &globbed) == 0) {
        for (size_t i = 0; i < globbed.gl_pathc; i++) {
            const char *full = globbed.gl_pathv[i];
            struct slice path = slice_str(full + strlen(root_dir(rootfs)));
            if (!is_visible(rootfs, full))
                continue;
            struct found found = {conf, rootfs, arena_dup(runtimes->arena, path), 0};
            if (conf->version_folders.n) {
                add_folders(runtimes, found, full);
                continue;
            }
            found.version = conf->version_mark.n ? version_by_mark(runtimes, conf, rootfs, full)
                                                 : version_in_name(pattern, path);
            add_found(runtimes, found);
        }
    }
    globfree(&globbed);
}

static void search_root(struct runtimes *runtimes, const struct env_rootfs *rootfs)
{
    for (size_t i = 0; i < runtimes->count; i++) {
        struct slice rest = runtimes->languages[i].interpreters;
        struct slice pattern;
        while (slice_cut(&rest, ' ', &pattern)) {
            if (pattern.n)
                search_pattern(runtimes, &runtimes->languages[i], rootfs, pattern);
        }
    }
}

static void search(struct runtimes *runtimes)
{
    const struct env_settings *settings = runtimes->settings;
    runtimes->searched = true;
    runtimes->found = arena_array(runtimes->arena, FOUND_MAX, sizeof *runtimes->found);
    search_root(runtimes, NULL);
    for (size_t i = 0; i < settings->rootfs_count; i++)
        search_root(runtimes, &settings->rootfs[i]);
}

bool runtime_is_go(struct slice runtime)
{
    return slice_eq(runtime, S("go1.x"));
}

bool runtime_is_own(struct slice runtime)
{
    return slice_eq(runtime, S("provided")) || slice_starts(runtime, S("provided.")) ||
           runtime_is_go(runtime);
}

uint64_t runtime_version(const struct runtime_conf *conf, struct slice runtime)
{
    if (slice_ends(runtime, S(".al2"))) /* java8.al2: the same language on a newer system */
        runtime.n -= S(".al2").n;
    if (!slice_starts(runtime, conf->prefix) || !slice_ends(runtime, conf->suffix) ||
        runtime.n <= conf->prefix.n + conf->suffix.n)
        return 0;
    uint64_t version = 0;
    struct slice digits =
        slice_sub(runtime, conf->prefix.n, runtime.n - conf->prefix.n - conf->suffix.n);
    return slice_u64(digits, &version) ? version : 0;
}

const struct runtime_conf *runtimes_conf(const struct runtimes *runtimes, struct slice language)
{
    for (size_t i = 0; i < runtimes->count; i++) {
        if (slice_eq(runtimes->languages[i].language, language))
            return &runtimes->languages[i];
    }
    return NULL;
}

static const struct env_rootfs *rootfs_of(const struct runtimes *runtimes, struct slice runtime)
{
    const struct env_settings *settings = runtimes->settings;
    for (size_t i = 0; i < settings->rootfs_count; i++) {
        if (slice_eq(slice_str(settings->rootfs[i].runtime), runtime))
            return &settings->rootfs[i];
    }
    return NULL;
}

static const struct found *nearest(const struct runtimes *runtimes, const struct runtime_conf *conf,
                                   const struct env_rootfs *rootfs, uint64_t version)
{
    const struct found *best = NULL;
    uint64_t best_distance = UINT64_MAX;
    for (size_t i = 0; i < runtimes->found_count; i++) {
        const struct found *found = &runtimes->found[i];
        uint64_t distance =
            found->version > version ? found->version - version : version - found->version;
        bool serves = found->version >= version || !slice_eq(conf->nearest, S("newer"));
        if (found->conf == conf && found->rootfs == rootfs && serves && distance < best_distance) {
            best = found;
            best_distance = distance;
        }
    }
    return best;
}

const char *runtimes_root(const struct runtimes *runtimes, struct slice rootfs)
{
    return root_dir(rootfs.n ? rootfs_of(runtimes, rootfs) : NULL);
}

static bool is_built(const struct runtimes *runtimes, const struct runtime_conf *conf)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%.*s/%.*s", runtimes->settings->runtimes_dir,
             FMT(conf->language), FMT(conf->built));
    return !conf->built.n || access(path, R_OK) == 0;
}

/* One made for a predecessor would cost more than it saves: Java says so in the function's log and
 * takes none at all. A package manager keeps the time of writing, so that of the change counts. */
bool runtimes_archive(const struct runtimes *runtimes, const struct runtime_choice *choice,
                      char out[RUNTIME_PATH_MAX])
{
    const struct runtime_conf *conf = runtimes_conf(runtimes, choice->language);
    char path[PATH_MAX];
    struct stat archive;
    struct stat interpreter;
    if (!conf || !conf->archives.n)
        return false;
    int n =
        snprintf(out, RUNTIME_PATH_MAX, "%.*s%.*s", FMT(conf->archives), FMT(choice->interpreter));
    snprintf(path, sizeof path, "%s/%.*s/%s", runtimes->settings->runtimes_dir, FMT(conf->language),
             out);
    if (n >= RUNTIME_PATH_MAX || stat(path, &archive))
        return false;
    snprintf(path, sizeof path, "%s%.*s", runtimes_root(runtimes, choice->rootfs),
             FMT(choice->interpreter));
    return stat(path, &interpreter) == 0 && archive.st_mtime >= interpreter.st_ctime;
}

bool runtimes_choose(const struct runtimes *runtimes, struct slice runtime,
                     struct runtime_choice *out, struct err *err)
{
    const struct env_rootfs *rootfs = rootfs_of(runtimes, runtime);
    const struct runtime_conf *conf = NULL;
    uint64_t version = 0;
    struct runtime_choice choice = {.exact = true,
                                    .rootfs = slice_str(rootfs ? rootfs->runtime : NULL)};
    if (runtime_is_own(runtime)) {
        *out = choice;
        return true;
    }
    for (size_t i = 0; i < runtimes->count && !version; i++) {
        conf = &runtimes->languages[i];
        version = runtime_version(conf, runtime);
    }
    if (!version)
        return err_set(err, FAULT_UNAVAILABLE, "runtime %.*s is not supported by this lambkin",
                       FMT(runtime));
    if (!runtimes->searched)
        search((struct runtimes *)(uintptr_t)runtimes); /* a cache: nobody sees the difference */
    const struct found *found = nearest(runtimes, conf, rootfs, version);
    if (found && runtimes->settings->runtime_exact && found->version != version)
        return err_set(err, FAULT_UNAVAILABLE,
                       "%.*s is wanted exactly (runtime-exact), and this host has another version "
                       "only: %.*s",
                       FMT(runtime), FMT(found->path));
    if (!found)
        return err_set(err, FAULT_UNAVAILABLE,
                       "no interpreter for %.*s below %s/usr: %.*s (looked for %.*s)", FMT(runtime),
                       root_dir(rootfs), FMT(conf->install), FMT(conf->interpreters));
    if (!is_built(runtimes, conf))
        return err_set(err, FAULT_UNAVAILABLE,
                       "runtimes/%.*s/%.*s is missing: build lambkin where the tools for %.*s are",
                       FMT(conf->language), FMT(conf->built), FMT(runtime));
    choice.language = conf->language;
    choice.interpreter = found->path;
    choice.exact = found->version == version;
    choice.version = found->version;
    *out = choice;
    return true;
}
