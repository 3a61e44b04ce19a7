#include "store/log_write.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/log_segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { WRITE_AT = 256 * 1024, MS_PER_DAY = 24 * 3600 * 1000 };

struct log_group {
    int root; /* configuration */
    char *path;
    struct slice name;
    const struct log_limits *limits;
    int dir; /* state: -1 = not looked at yet */
    int fd;  /* of the current segment, -1 = none */
    uint32_t number;
    uint64_t offset;
    struct buf out;      /* records behind `offset`, not yet written */
    struct map *streams; /* of the current segment: name -> struct numbered */
    uint32_t stream_count;
};

struct numbered {
    struct slice name; /* owned */
    uint32_t number;
};

struct log_group *log_group_new(int root, const char *path, struct slice name,
                                const struct log_limits *limits)
{
    struct log_group *group = NEW(log_group);
    group->root = root;
    group->path = mem_str(slice_str(path));
    group->name = (struct slice){mem_str(name), name.n};
    group->limits = limits;
    group->dir = group->fd = -1;
    group->out = BUF_INIT(SIZE_MAX);
    group->streams = map_new();
    return group;
}

static void forget_streams(struct log_group *group)
{
    size_t at = 0;
    void *value = NULL;
    while (map_next(group->streams, &at, &value)) {
        struct numbered *numbered = value;
        free((char *)(uintptr_t)numbered->name.p);
        free(numbered);
    }
    map_free(group->streams);
    group->streams = map_new();
    group->stream_count = 0;
}

static void close_files(struct log_group *group)
{
    if (group->fd >= 0)
        close(fd_take(&group->fd));
    if (group->dir >= 0)
        close(fd_take(&group->dir));
    buf_free(&group->out);
    forget_streams(group);
    group->number = 0;
    group->offset = 0;
}

void log_group_free(struct log_group *group)
{
    close_files(group);
    map_free(group->streams);
    free((char *)(uintptr_t)group->name.p);
    free(group->path);
    free(group);
}

/* ---- opening ---- */

static bool make_path(int root, const char *path, struct err *err)
{
    char part[3 * LOG_FILE_NAME_MAX + 4];
    size_t n = strlen(path);
    must(n < sizeof part);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdirat(root, part, 0700) != 0 && errno != EEXIST)
            return err_os(err, errno, "make log folder %s", part);
        part[i] = i < n ? '/' : '\0';
    }
    return true;
}

/* The real name, for listings: the folder's is escaped and may be cut. */
static bool write_name(const struct log_group *group, struct err *err)
{
    AUTO(fd)
    int fd = openat(group->dir, "name", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST || err_os(err, errno, "make log group");
    if (write(fd, group->name.p, group->name.n) == (ssize_t)group->name.n)
        return true;
    unlinkat(group->dir, "name", 0);
    return err_os(err, ENOSPC, "make log group");
}

static uint32_t number_stream(struct log_group *group, struct slice name)
{
    struct numbered *numbered = NEW(numbered);
    numbered->name = (struct slice){mem_str(name), name.n};
    numbered->number = group->stream_count++;
    map_put(group->streams, numbered->name, numbered);
    return numbered->number;
}

static bool start_segment(struct log_group *group, uint32_t number, struct err *err)
{
    int fd = segment_open(group->dir, number, O_WRONLY | O_CREAT);
    if (fd < 0)
        return err_os(err, errno, "make log segment");
    if (group->fd >= 0)
        close(group->fd);
    group->fd = fd;
    group->number = number;
    group->offset = 0;
    forget_streams(group);
    return true;
}

/* Continues behind the last whole record. */
static bool resume_segment(struct log_group *group, uint32_t number, struct err *err)
{
    AUTO(buf) struct buf content = BUF_INIT(SIZE_MAX);
    struct record record;
    size_t at = 0;
    if (!start_segment(group, number, err))
        return false;
    if (!segment_read(group->dir, number, &content))
        return err_set(err, FAULT_INTERNAL, "read log segment");
    while (segment_next(buf_all(&content), &at, &record)) {
        if (record.kind == SEGMENT_STREAM)
            number_stream(group, record.text);
    }
    if (ftruncate(group->fd, (off_t)at) != 0)
        return err_os(err, errno, "cut log segment");
    group->offset = at;
    return true;
}

static bool open_group(struct log_group *group, struct err *err)
{
    struct segment *list = NULL;
    if (group->fd >= 0)
        return true;
    if (group->dir < 0) {
        if (!make_path(group->root, group->path, err))
            return false;
        group->dir = openat(group->root, group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (group->dir < 0)
            return err_os(err, errno, "open log group");
    }
    if (!write_name(group, err))
        return false;
    size_t n = segment_list(group->dir, &list);
    bool ok = n ? resume_segment(group, list[n - 1].number, err) : start_segment(group, 1, err);
    free(list);
    return ok;
}

/* ---- bounds ---- */

static void remove_oldest(struct log_group *group, uint64_t limit)
{
    struct segment *list = NULL;
    uint64_t total = 0;
    size_t n = segment_list(group->dir, &list);
    for (size_t i = 0; i < n; i++)
        total += list[i].bytes;
    for (size_t i = 0; i + 1 < n && total > limit; i++) {
        segment_remove(group->dir, list[i].number);
        total -= list[i].bytes;
    }
    free(list);
}

static void expire_group(int dir, uint32_t retention_days)
{
    struct segment *list = NULL;
    uint64_t life = (uint64_t)retention_days * MS_PER_DAY;
    size_t n = segment_list(dir, &list);
    for (size_t i = 0; i < n; i++) {
        if (list[i].changed_ms + life < clock_wall_ms())
            segment_remove(dir, list[i].number);
    }
    free(list);
}

/* depth: folders still above the groups. */
static void expire_below(int parent, const char *name, unsigned depth, uint32_t retention_days)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (depth == 0) {
        expire_group(fd, retention_days);
        close(fd);
        return;
    }
    DIR *dir = fdopendir(fd);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] != '.')
            expire_below(fd, entry->d_name, depth - 1, retention_days);
    }
    if (dir)
        closedir(dir);
}

void log_expire(int root, uint32_t retention_days)
{
    if (retention_days)
        expire_below(root, ".", 3, retention_days);
}

static bool rotate(struct log_group *group, struct err *err)
{
    if (group->offset + group->out.n < group->limits->segment_bytes)
        return true;
    if (!log_group_flush(group, err) || !start_segment(group, group->number + 1, err))
        return false;
    /* Room for the new segment too, so that the bound holds at any time. */
    uint64_t bound = group->limits->group_bytes;
    remove_oldest(group,
                  bound > group->limits->segment_bytes ? bound - group->limits->segment_bytes : 0);
    return true;
}

/* ---- writing ---- */

bool log_group_flush(struct log_group *group, struct err *err)
{
    size_t done = 0;
    while (done < group->out.n) {
        ssize_t n = pwrite(group->fd, group->out.p + done, group->out.n - done,
                           (off_t)(group->offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            err_os(err, n < 0 ? errno : ENOSPC, "write log");
            close_files(group); /* the next event looks at what is on disk */
            return false;
        }
        done += (size_t)n;
    }
    group->offset += done;
    buf_clear(&group->out);
    if (group->out.cap > 2 * WRITE_AT)
        buf_free(&group->out);
    return true;
}

bool log_group_add(struct log_group *group, struct slice stream, uint64_t timestamp,
                   uint64_t ingestion, struct slice message, struct err *err)
{
    if (!open_group(group, err)) {
        close_files(group);
        return false;
    }
    if (!rotate(group, err))
        return false;
    const struct numbered *known = map_get(group->streams, stream);
    struct record record = {SEGMENT_STREAM, 0, timestamp, ingestion, stream};
    if (known) {
        record.stream = known->number;
    } else {
        record.stream = number_stream(group, stream);
        segment_add(&group->out, &record);
    }
    record.kind = SEGMENT_EVENT;
    record.text = message;
    segment_add(&group->out, &record);
    return group->out.n < WRITE_AT || log_group_flush(group, err);
}

bool log_group_is_open(const struct log_group *group)
{
    return group->fd >= 0;
}

void log_group_close(struct log_group *group)
{
    close_files(group);
}

bool log_group_remove(struct log_group *group, struct err *err)
{
    struct segment *list = NULL;
    close_files(group);
    AUTO(fd) int dir = openat(group->root, group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* The name first: without it the group does not exist any more. */
    if (dir < 0 || unlinkat(dir, "name", 0) != 0)
        return err_set(err, FAULT_NOT_FOUND, "group");
    size_t n = segment_list(dir, &list);
    for (size_t i = 0; i < n; i++)
        segment_remove(dir, list[i].number);
    free(list);
    unlinkat(group->root, group->path, AT_REMOVEDIR);
    return true;
}
