#include "store/log_group.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/log_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { MS_PER_DAY = 24 * 3600 * 1000 };

/* Records of the file `group`: timestamp when it was created, stream its retention; settings. */
enum { INFO_GROUP = 32, INFO_SETTINGS };

static const char INFO[] = "group";
static const char INFO_NEW[] = "group.new";

static void free_slice(struct slice s)
{
    free((char *)(uintptr_t)s.p);
}

static struct slice copy(struct slice s)
{
    return (struct slice){mem_str(s), s.n};
}

struct log_group *log_group_new(int root, const char *path, struct slice name,
                                const struct log_limits *limits)
{
    struct log_group *group = NEW(log_group);
    group->root = root;
    group->path = mem_str(slice_str(path));
    group->name = copy(name);
    group->limits = limits;
    group->dir = group->fd = -1;
    group->out = BUF_INIT(SIZE_MAX);
    must(uv_mutex_init(&group->lock) == 0);
    return group;
}

void log_group_forget(struct log_group *group)
{
    if (group->fd >= 0)
        close(fd_take(&group->fd));
    if (group->dir >= 0)
        close(fd_take(&group->dir));
    buf_free(&group->out);
    log_index_free(STEAL(group->index));
    group->buffered = 0;
}

void log_group_free(struct log_group *group)
{
    if (!group)
        return;
    log_group_forget(group);
    uv_mutex_destroy(&group->lock);
    free_slice(group->name);
    free_slice(group->settings);
    free(group->path);
    free(group);
}

bool log_group_exists(const struct log_group *group)
{
    return group->exists;
}

bool log_group_missing(const struct log_group *group, struct err *err)
{
    return !group->exists && !err_set(err, FAULT_NOT_FOUND, "group");
}

uint64_t log_group_floor(const struct log_group *group)
{
    uint64_t now = clock_wall_ms();
    uint64_t days = group->retention_days ? group->retention_days : group->limits->retention_days;
    return days && now > days * MS_PER_DAY ? now - days * MS_PER_DAY : 0;
}

/* ---- the folder ---- */

static void sync_parent(int root, char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    AUTO(fd) int dir = openat(root, slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0)
        fsync(dir);
    if (slash)
        *slash = '/';
}

static bool make_path(int root, const char *path, bool sync, struct err *err)
{
    char part[3 * LOG_FILE_NAME_MAX + 4];
    size_t n = strlen(path);
    must(n < sizeof part);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdirat(root, part, 0700) == 0) {
            if (sync)
                sync_parent(root, part);
        } else if (errno != EEXIST) {
            return err_os(err, errno, "make log folder %s", part);
        }
        part[i] = i < n ? '/' : '\0';
    }
    return true;
}

bool log_group_dir(struct log_group *group, struct err *err)
{
    if (group->dir >= 0)
        return true;
    group->dir = openat(group->root, group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return group->dir >= 0 || err_os(err, errno, "open log group");
}

static void remove_segments(int dir)
{
    struct segment *list = NULL;
    size_t n = segment_list(dir, &list);
    for (size_t i = 0; i < n; i++)
        segment_remove(dir, list[i].number);
    free(list);
    unlinkat(dir, "index", 0);
    unlinkat(dir, "index.new", 0);
    unlinkat(dir, INFO_NEW, 0);
}

/* ---- the file `group` ---- */

static bool write_info(const struct log_group *group, const struct log_group_info *info, bool sync,
                       struct err *err)
{
    AUTO(buf) struct buf text = BUF_INIT(SIZE_MAX);
    segment_add(&text, &(struct record){INFO_GROUP, info->retention_days, info->created_ms, 0,
                                        group->name});
    segment_add(&text, &(struct record){INFO_SETTINGS, 0, 0, 0, info->settings});
    AUTO(fd)
    int fd =
        openat(group->dir, INFO_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_os(err, errno, "make log group");
    ssize_t n = write(fd, text.p, text.n);
    bool written = n == (ssize_t)text.n && (!sync || fsync(fd) == 0) &&
                   renameat(group->dir, INFO_NEW, group->dir, INFO) == 0 &&
                   (!sync || fsync(group->dir) == 0);
    if (written)
        return true;
    err_os(err, n >= 0 && n < (ssize_t)text.n ? ENOSPC : errno, "write log group");
    unlinkat(group->dir, INFO_NEW, 0);
    return false;
}

static void take_info(struct log_group *group, const struct log_group_info *info)
{
    struct slice settings = copy(info->settings);
    free_slice(group->settings);
    group->settings = settings;
    group->created_ms = info->created_ms;
    group->retention_days = info->retention_days;
    group->exists = true;
}

static bool read_info(int dir, struct buf *text, struct log_group_info *out)
{
    struct record group;
    struct record settings;
    size_t at = 0;
    if (!segment_read_file(dir, INFO, text) || !segment_next(buf_all(text), &at, &group) ||
        !segment_next(buf_all(text), &at, &settings) || group.kind != INFO_GROUP)
        return false;
    *out = (struct log_group_info){.name = group.text,
                                   .created_ms = group.timestamp,
                                   .retention_days = group.stream,
                                   .settings = settings.text};
    return true;
}

struct log_group *log_group_found(int root, const char *path, const struct log_limits *limits)
{
    AUTO(buf) struct buf text = BUF_INIT(1 << 20);
    struct log_group_info info;
    AUTO(fd) int dir = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return NULL;
    if (!read_info(dir, &text, &info)) {
        remove_segments(dir);
        unlinkat(root, path, AT_REMOVEDIR);
        return NULL;
    }
    struct log_group *group = log_group_new(root, path, info.name, limits);
    take_info(group, &info);
    return group;
}

/* ---- changes ---- */

static bool create(struct log_group *group, struct slice settings, bool sync, struct err *err)
{
    const struct log_group_info info = {.created_ms = clock_wall_ms(), .settings = settings};
    log_group_forget(group);
    if (!make_path(group->root, group->path, sync, err) || !log_group_dir(group, err))
        return false;
    remove_segments(group->dir); /* of one that was not removed to the end */
    if (!write_info(group, &info, sync, err)) {
        unlinkat(group->root, group->path, AT_REMOVEDIR);
        return false;
    }
    take_info(group, &info);
    return true;
}

bool log_group_need(struct log_group *group, struct err *err)
{
    return group->exists || create(group, S(""), false, err);
}

bool log_group_create(struct log_group *group, struct slice settings, struct err *err)
{
    uv_mutex_lock(&group->lock);
    bool ok =
        group->exists ? err_set(err, FAULT_CONFLICT, "group") : create(group, settings, true, err);
    uv_mutex_unlock(&group->lock);
    return ok;
}

static bool removed(struct log_group *group, struct err *err)
{
    if (log_group_missing(group, err) || !log_group_dir(group, err))
        return false;
    if (unlinkat(group->dir, INFO, 0) != 0 && errno != ENOENT)
        return err_os(err, errno, "remove log group");
    fsync(group->dir);
    group->exists = false;
    remove_segments(group->dir);
    log_group_forget(group);
    unlinkat(group->root, group->path, AT_REMOVEDIR);
    return true;
}

bool log_group_remove(struct log_group *group, struct err *err)
{
    uv_mutex_lock(&group->lock);
    bool ok = removed(group, err);
    uv_mutex_unlock(&group->lock);
    return ok;
}

static struct log_group_info info_of(const struct log_group *group)
{
    return (struct log_group_info){.name = group->name,
                                   .created_ms = group->created_ms,
                                   .retention_days = group->retention_days,
                                   .settings = group->settings};
}

bool log_group_change(struct log_group *group, struct arena *arena, log_group_changer *change,
                      void *arg, struct err *err)
{
    uv_mutex_lock(&group->lock);
    struct log_group_info info = info_of(group);
    bool ok = !log_group_missing(group, err) && log_group_dir(group, err) &&
              change(arg, arena, &info, err) && write_info(group, &info, true, err);
    if (ok)
        take_info(group, &info);
    uv_mutex_unlock(&group->lock);
    return ok;
}

/* ---- questions ---- */

/* Of groups that nobody writes to only the index stays. */
static void unlock(struct log_group *group)
{
    if (group->fd < 0 && group->dir >= 0)
        close(fd_take(&group->dir));
    uv_mutex_unlock(&group->lock);
}

static uint64_t bytes_of(const struct log_index *index)
{
    const struct log_span *spans = NULL;
    size_t n = log_index_spans(index, &spans);
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += spans[i].bytes;
    return bytes;
}

bool log_group_info(struct log_group *group, struct arena *arena, bool with_bytes,
                    struct log_group_info *out, struct err *err)
{
    struct err ignored;
    uv_mutex_lock(&group->lock);
    bool there = !log_group_missing(group, err);
    if (there) {
        *out = info_of(group);
        out->name = arena_dup(arena, out->name);
        out->settings = arena_dup(arena, out->settings);
        if (with_bytes && log_group_load(group, &ignored))
            out->bytes = bytes_of(group->index);
    }
    unlock(group);
    return there;
}

size_t log_group_streams(struct log_group *group, struct arena *arena, struct log_stream_info **out)
{
    struct err ignored;
    size_t n = 0;
    size_t at = 0;
    const struct log_stream_state *stream = NULL;
    uv_mutex_lock(&group->lock);
    if (group->exists && log_group_load(group, &ignored)) {
        *out = arena_array(arena, log_index_streams(group->index), sizeof **out);
        while (log_index_next(group->index, &at, &stream))
            (*out)[n++] = (struct log_stream_info){arena_dup(arena, stream->name),
                                                   stream->created_ms,
                                                   stream->last_position != 0,
                                                   stream->first_ms,
                                                   stream->last_ms,
                                                   stream->ingested_ms};
    }
    unlock(group);
    return n;
}

static bool find_streams(const struct log_group *group, const struct slice *streams, size_t count,
                         struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!log_index_find(group->index, streams[i]))
            return err_set(err, FAULT_NOT_FOUND, "stream");
    }
    return true;
}

static void copy_view(const struct log_group *group, struct arena *arena, struct log_view *out)
{
    const struct log_span *spans = NULL;
    const struct log_gone *gone = NULL;
    *out = (struct log_view){.floor_ms = log_group_floor(group), .created_ms = group->created_ms};
    out->span_count = log_index_spans(group->index, &spans);
    out->spans = arena_array(arena, out->span_count, sizeof *spans);
    for (size_t i = 0; i < out->span_count; i++)
        out->spans[i] = spans[i];
    out->gone_count = log_index_gone(group->index, &gone);
    out->gone = arena_array(arena, out->gone_count, sizeof *gone);
    for (size_t i = 0; i < out->gone_count; i++)
        out->gone[i] = (struct log_gone){arena_dup(arena, gone[i].name), gone[i].position};
}

bool log_group_view(struct log_group *group, struct arena *arena, const struct slice *streams,
                    size_t stream_count, struct log_view *out, struct err *err)
{
    uv_mutex_lock(&group->lock);
    bool ok = !log_group_missing(group, err) && log_group_load(group, err) &&
              find_streams(group, streams, stream_count, err);
    if (ok)
        copy_view(group, arena, out);
    unlock(group);
    return ok;
}
