#include "store/log_write.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { WRITE_AT = 256 * 1024 };

/* ---- loading ---- */

static void apply(struct log_group *group, struct slice content, uint64_t *out_end)
{
    struct record record;
    size_t at = 0;
    while (segment_next(content, &at, &record))
        log_index_apply(group->index, &record, at);
    *out_end = at;
}

static bool has_span(const struct log_index *index, uint32_t number)
{
    const struct log_span *spans = NULL;
    size_t n = log_index_spans(index, &spans);
    for (size_t i = 0; i < n; i++) {
        if (spans[i].number == number)
            return true;
    }
    return false;
}

/* Spans whose files somebody took away. */
static void drop_missing(struct log_index *index, const struct segment *list, size_t n)
{
    const struct log_span *spans = NULL;
    for (size_t i = log_index_spans(index, &spans); i > 0; i--) {
        uint32_t number = spans[i - 1].number;
        bool there = false;
        for (size_t k = 0; k < n && !there; k++)
            there = list[k].number == number;
        if (!there && i < log_index_spans(index, &spans))
            log_index_drop(index, number);
    }
}

static bool replay(struct log_group *group, const struct segment *list, size_t n, uint32_t next,
                   struct err *err)
{
    AUTO(buf) struct buf content = BUF_INIT(SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        uint32_t number = list[i].number;
        if (number < next) { /* what was to be removed, and a kill kept */
            if (!has_span(group->index, number))
                segment_remove(group->dir, number);
            continue;
        }
        if (!segment_read(group->dir, number, &content))
            return err_set(err, FAULT_INTERNAL, "read log segment");
        log_index_segment(group->index, number);
        apply(group, buf_all(&content), &group->offset);
        group->number = number;
    }
    return true;
}

bool log_group_load(struct log_group *group, struct err *err)
{
    AUTO(buf) struct buf saved = BUF_INIT(SIZE_MAX);
    struct segment *list = NULL;
    uint32_t next = 1;
    if (group->index)
        return true;
    if (!log_group_dir(group, err))
        return false;
    if (segment_read_file(group->dir, "index", &saved))
        group->index = log_index_load(buf_all(&saved), &next);
    if (!group->index)
        group->index = log_index_new();
    size_t n = segment_list(group->dir, &list);
    group->number = 0;
    group->offset = 0;
    bool ok = replay(group, list, n, next, err);
    if (ok && group->number == 0) { /* all that there is was there when the index was saved */
        log_index_segment(group->index, next);
        group->number = next;
    }
    if (ok)
        drop_missing(group->index, list, n);
    else
        log_group_forget(group);
    free(list);
    return ok;
}

/* ---- opening ---- */

static bool open_segment(struct log_group *group, struct err *err)
{
    if (group->fd >= 0)
        return true;
    if (!log_group_load(group, err) || !log_group_dir(group, err))
        return false;
    group->fd = segment_open(group->dir, group->number, O_WRONLY | O_CREAT);
    if (group->fd < 0)
        return err_os(err, errno, "make log segment");
    /* Behind the last whole record. */
    if (ftruncate(group->fd, (off_t)group->offset) != 0)
        return err_os(err, errno, "cut log segment");
    return true;
}

/* written: so many bytes of what was collected lie on disk all the same. */
static void failed(struct log_group *group, size_t written)
{
    const struct slice there = {group->out.p, written};
    struct record record;
    size_t at = 0;
    while (written && segment_next(there, &at, &record))
        group->buffered -= record.kind == SEGMENT_EVENT;
    group->lost += group->buffered;
    log_group_forget(group); /* the next event looks at what is on disk */
}

static bool flush(struct log_group *group, struct err *err)
{
    size_t done = 0;
    while (done < group->out.n) {
        ssize_t n = pwrite(group->fd, group->out.p + done, group->out.n - done,
                           (off_t)(group->offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            err_os(err, n < 0 ? errno : ENOSPC, "write log");
            failed(group, done);
            return false;
        }
        done += (size_t)n;
    }
    group->offset += done;
    group->buffered = 0;
    buf_clear(&group->out);
    if (group->out.cap > 2 * WRITE_AT)
        buf_free(&group->out);
    return true;
}

bool log_group_flush(struct log_group *group, struct err *err)
{
    uv_mutex_lock(&group->lock);
    bool ok = flush(group, err);
    uv_mutex_unlock(&group->lock);
    return ok;
}

/* ---- bounds ---- */

static bool save_index(struct log_group *group, uint32_t next, struct err *err)
{
    AUTO(buf) struct buf text = BUF_INIT(SIZE_MAX);
    log_index_save(group->index, next, &text);
    AUTO(fd)
    int fd = openat(group->dir, "index.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    ssize_t n = fd >= 0 ? write(fd, text.p, text.n) : -1;
    if (n == (ssize_t)text.n && fdatasync(fd) == 0 &&
        renameat(group->dir, "index.new", group->dir, "index") == 0)
        return true;
    err_os(err, n >= 0 && n < (ssize_t)text.n ? ENOSPC : errno, "write log index");
    unlinkat(group->dir, "index.new", 0);
    return false;
}

/* Ends the segment and begins the next one; the segments for which `old` says so go. Whatever a
 * kill leaves of this, log_group_load() knows what to do with it. */
static bool next_segment(struct log_group *group, struct err *err, const uint32_t *old, size_t n)
{
    uint32_t next = group->number + 1;
    if (!flush(group, err))
        return false;
    log_index_segment(group->index, next);
    for (size_t i = 0; i < n; i++)
        log_index_drop(group->index, old[i]);
    if (!save_index(group, next, err)) {
        failed(group, 0);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        segment_remove(group->dir, old[i]);
    if (group->fd >= 0)
        close(fd_take(&group->fd));
    group->number = next;
    group->offset = 0;
    return true;
}

/* The oldest that must go for the bound to hold with one more segment. */
static size_t too_many(struct log_group *group, uint32_t **out)
{
    const struct log_limits *limits = group->limits;
    uint64_t room = limits->group_bytes > limits->segment_bytes
                        ? limits->group_bytes - limits->segment_bytes
                        : 0;
    struct segment *list = NULL;
    uint64_t total = 0;
    size_t gone = 0;
    size_t n = segment_list(group->dir, &list);
    for (size_t i = 0; i < n; i++)
        total += list[i].bytes;
    *out = mem_new_array(n + 1, sizeof **out);
    for (; gone + 1 < n && total > room; gone++) {
        (*out)[gone] = list[gone].number;
        total -= list[gone].bytes;
    }
    free(list);
    return gone;
}

static bool rotate(struct log_group *group, struct err *err)
{
    AUTO(free) uint32_t *old = NULL;
    if (group->offset + group->out.n < group->limits->segment_bytes)
        return true;
    if (!flush(group, err))
        return false;
    size_t n = too_many(group, &old);
    return next_segment(group, err, old, n) && open_segment(group, err);
}

static void expire(struct log_group *group)
{
    uint64_t floor = log_group_floor(group);
    const struct log_span *spans = NULL;
    struct err err;
    if (!floor || !group->exists || !log_group_load(group, &err))
        return;
    size_t n = log_index_spans(group->index, &spans);
    AUTO(free) uint32_t *old = mem_new_array(n + 1, sizeof *old);
    size_t gone = 0;
    for (size_t i = 0; i < n; i++) {
        if (spans[i].min_ms <= spans[i].max_ms && spans[i].max_ms < floor)
            old[gone++] = spans[i].number;
    }
    if (gone && !next_segment(group, &err, old, gone))
        log_group_forget(group);
}

void log_group_expire(struct log_group *group)
{
    uv_mutex_lock(&group->lock);
    expire(group);
    uv_mutex_unlock(&group->lock);
}

/* ---- writing ---- */

static void write_record(struct log_group *group, const struct record *record)
{
    segment_add(&group->out, record);
    log_index_apply(group->index, record, group->offset + group->out.n);
}

static void write_event(struct log_group *group, struct slice stream, struct log_event event)
{
    const struct log_stream_state *known = log_index_find(group->index, stream);
    if (!known || known->segment != group->number) {
        write_record(group, &(struct record){SEGMENT_STREAM, log_index_numbers(group->index),
                                             event.timestamp, event.ingestion, stream});
        known = log_index_find(group->index, stream);
    }
    write_record(group, &(struct record){SEGMENT_EVENT, known->number, event.timestamp,
                                         event.ingestion, event.message});
    group->buffered++;
}

static bool add(struct log_group *group, struct slice stream, struct log_event event,
                struct err *err)
{
    if (!open_segment(group, err) || !rotate(group, err)) {
        failed(group, 0);
        group->lost++; /* this one */
        return false;
    }
    write_event(group, stream, event);
    return group->out.n < WRITE_AT || flush(group, err);
}

bool log_group_add(struct log_group *group, struct slice stream, uint64_t timestamp,
                   uint64_t ingestion, struct slice message, struct err *err)
{
    const struct log_event event = {
        .timestamp = timestamp, .ingestion = ingestion, .message = message};
    uv_mutex_lock(&group->lock);
    bool ok = log_group_need(group, err);
    if (ok)
        ok = add(group, stream, event, err);
    else
        group->lost++;
    uv_mutex_unlock(&group->lock);
    return ok;
}

static bool find_stream(struct log_group *group, struct slice stream, struct err *err)
{
    if (log_group_missing(group, err) || !log_group_load(group, err))
        return false;
    return log_index_find(group->index, stream) || err_set(err, FAULT_NOT_FOUND, "stream");
}

/* What lies behind this place goes: the files are closed. */
static void cut_back(const struct log_group *group, uint32_t number, uint64_t offset)
{
    struct segment *list = NULL;
    AUTO(fd) int dir = openat(group->root, group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return;
    size_t n = segment_list(dir, &list);
    for (size_t i = 0; i < n; i++) {
        if (list[i].number > number)
            segment_remove(dir, list[i].number);
    }
    free(list);
    AUTO(fd) int fd = segment_open(dir, number, O_WRONLY);
    if (fd >= 0 && ftruncate(fd, (off_t)offset) != 0)
        log_warn("logs.cut", "segment=%u errno=%d", number, errno);
}

/* All of them or none. */
static bool put(struct log_group *group, struct slice stream, const struct log_event *events,
                size_t count, struct err *err)
{
    if (!open_segment(group, err) || !rotate(group, err) || !flush(group, err))
        return false;
    uint32_t number = group->number;
    uint64_t offset = group->offset;
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++)
        ok = add(group, stream, events[i], err);
    if (ok && flush(group, err))
        return true;
    group->lost = 0; /* their sender is told */
    log_group_forget(group);
    cut_back(group, number, offset);
    return false;
}

bool log_group_put(struct log_group *group, struct slice stream, const struct log_event *events,
                   size_t count, size_t *out_expired, struct err *err)
{
    size_t expired = 0;
    uv_mutex_lock(&group->lock);
    bool ok = find_stream(group, stream, err);
    while (ok && expired < count && events[expired].timestamp < log_group_floor(group))
        expired++;
    ok = ok && put(group, stream, events + expired, count - expired, err);
    uv_mutex_unlock(&group->lock);
    if (ok)
        *out_expired = expired;
    return ok;
}

/* A record about a stream, on disk when it returns. */
static bool write_now(struct log_group *group, const struct record *record, struct err *err)
{
    if (!open_segment(group, err) || !rotate(group, err))
        return false;
    write_record(group, record);
    return flush(group, err) && (fdatasync(group->fd) == 0 || err_os(err, errno, "write log"));
}

bool log_stream_make(struct log_group *group, struct slice stream, struct err *err)
{
    const struct record record = {SEGMENT_MADE, 0, clock_wall_ms(), 0, stream};
    uv_mutex_lock(&group->lock);
    bool ok = !log_group_missing(group, err) && log_group_load(group, err);
    if (ok && log_index_find(group->index, stream))
        ok = err_set(err, FAULT_CONFLICT, "stream");
    ok = ok && write_now(group, &record, err);
    uv_mutex_unlock(&group->lock);
    return ok;
}

bool log_stream_remove(struct log_group *group, struct slice stream, struct err *err)
{
    const struct record record = {SEGMENT_GONE, 0, clock_wall_ms(), 0, stream};
    uv_mutex_lock(&group->lock);
    bool ok = find_stream(group, stream, err) && write_now(group, &record, err);
    uv_mutex_unlock(&group->lock);
    return ok;
}

bool log_group_is_open(struct log_group *group)
{
    uv_mutex_lock(&group->lock);
    bool open = group->fd >= 0;
    uv_mutex_unlock(&group->lock);
    return open;
}

void log_group_close(struct log_group *group)
{
    uv_mutex_lock(&group->lock);
    log_group_forget(group);
    uv_mutex_unlock(&group->lock);
}

uint64_t log_group_lost(struct log_group *group)
{
    uv_mutex_lock(&group->lock);
    uint64_t lost = group->lost;
    group->lost = 0;
    uv_mutex_unlock(&group->lock);
    return lost;
}
