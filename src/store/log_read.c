#include "store/log_read.h"

#include "base/map.h"
#include "base/mem.h"
#include "store/log_segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { NAME_MAX_ = 1024 };

/* A position: segment number, and offset behind the record in it. */
static uint64_t position(uint32_t segment, size_t offset)
{
    return (uint64_t)segment << 32 | (uint32_t)offset;
}

/* ---- events ---- */

struct reading {
    const struct log_query *query;
    struct arena *arena;
    struct buf content;      /* of one segment */
    struct slice *streams;   /* its streams' names, by number; in content */
    size_t stream_count;     /* room */
    struct log_event *found; /* of the page; a ring if the newest are wanted */
    size_t count;
    size_t start; /* first of the ring */
    size_t bytes;
    bool more;
    bool stream_seen;
};

static bool wanted_stream(const struct reading *r, struct slice stream)
{
    if (r->query->stream.p)
        return slice_eq(stream, r->query->stream);
    return !r->query->stream_prefix.p || slice_starts(stream, r->query->stream_prefix);
}

static bool wanted(const struct reading *r, const struct record *record, struct slice stream)
{
    return wanted_stream(r, stream) && record->timestamp >= r->query->start_ms &&
           (!r->query->end_ms || record->timestamp < r->query->end_ms);
}

static struct slice copy(struct slice s)
{
    return (struct slice){mem_str(s), s.n};
}

static void drop_oldest(struct reading *r)
{
    struct log_event *oldest = &r->found[r->start];
    r->bytes -= oldest->message.n;
    free((char *)(uintptr_t)oldest->message.p);
    free((char *)(uintptr_t)oldest->stream.p);
    r->start = (r->start + 1) % r->query->max_events;
    r->count--;
    r->more = true;
}

/* False: the page is full. */
static bool take(struct reading *r, const struct record *record, struct slice stream, uint64_t at)
{
    const struct log_query *query = r->query;
    bool full =
        r->count == query->max_events || (r->count && r->bytes + record->text.n > query->max_bytes);
    if (full && !query->newest_first) {
        r->more = true;
        return false;
    }
    while (r->count == query->max_events ||
           (r->count && r->bytes + record->text.n > query->max_bytes))
        drop_oldest(r);
    r->found[(r->start + r->count++) % query->max_events] = (struct log_event){
        record->timestamp, record->ingestion, copy(stream), copy(record->text), at};
    r->bytes += record->text.n;
    return true;
}

static void name_stream(struct reading *r, const struct record *record)
{
    if (record->stream >= r->stream_count) {
        size_t room = r->stream_count ? r->stream_count : 64;
        while (room <= record->stream)
            room *= 2;
        r->streams = mem_grow(r->streams, room * sizeof *r->streams);
        memset(r->streams + r->stream_count, 0, (room - r->stream_count) * sizeof *r->streams);
        r->stream_count = room;
    }
    r->streams[record->stream] = record->text;
}

/* False: no more is wanted. */
static bool read_segment(struct reading *r, uint32_t number)
{
    struct slice content = buf_all(&r->content);
    struct record record;
    size_t at = 0;
    if (r->stream_count)
        memset(r->streams, 0, r->stream_count * sizeof *r->streams);
    while (segment_next(content, &at, &record)) {
        if (record.kind == SEGMENT_STREAM) {
            if (record.stream < UINT16_MAX)
                name_stream(r, &record);
            continue;
        }
        if (record.stream >= r->stream_count || !r->streams[record.stream].p)
            continue;
        struct slice stream = r->streams[record.stream];
        uint64_t here = position(number, at);
        r->stream_seen |= wanted_stream(r, stream);
        if (r->query->newest_first && r->query->after && here >= r->query->after)
            return false;
        if (!r->query->newest_first && here <= r->query->after)
            continue;
        if (wanted(r, &record, stream) && !take(r, &record, stream, here))
            return false;
    }
    return true;
}

static void finish_page(struct reading *r, struct log_page *out)
{
    out->events = arena_array(r->arena, r->count, sizeof *out->events);
    out->count = r->count;
    out->more = r->more;
    out->first = out->next = r->query->after;
    for (size_t i = 0; i < r->count; i++) {
        const struct log_event *from = &r->found[(r->start + i) % r->query->max_events];
        struct log_event *to = &out->events[i];
        *to = *from;
        to->stream = arena_dup(r->arena, from->stream);
        to->message = arena_dup(r->arena, from->message);
        free((char *)(uintptr_t)from->stream.p);
        free((char *)(uintptr_t)from->message.p);
        out->next = from->position;
    }
    if (r->count)
        out->first = out->events[0].position;
}

bool log_read_events(int group_dir, struct arena *arena, const struct log_query *query,
                     struct log_page *out, struct err *err)
{
    struct reading r = {.query = query, .arena = arena, .content = BUF_INIT(SIZE_MAX)};
    struct segment *list = NULL;
    must(query->max_events > 0);
    r.found = mem_new_array(query->max_events, sizeof *r.found);
    size_t n = segment_list(group_dir, &list);
    bool going = true;
    for (size_t i = 0; i < n && going; i++) {
        bool behind = !query->newest_first && list[i].number < query->after >> 32;
        /* A named stream must be known to exist, so its absence is only said after a full look. */
        if ((behind && !query->stream.p) || !segment_read(group_dir, list[i].number, &r.content))
            continue;
        going = read_segment(&r, list[i].number);
    }
    free(list);
    finish_page(&r, out);
    buf_free(&r.content);
    free(r.streams);
    free(r.found);
    if (query->stream.p && !r.stream_seen && going)
        return err_set(err, FAULT_NOT_FOUND, "stream");
    return true;
}

/* ---- names ---- */

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct log_name *)a)->name, ((const struct log_name *)b)->name);
}

static struct log_name *stream_info(struct map *map, struct arena *arena, struct slice name)
{
    struct log_name *info = map_get(map, name);
    if (info)
        return info;
    info = ARENA_NEW(arena, log_name);
    info->name = arena_dup(arena, name);
    map_put(map, info->name, info);
    return info;
}

static void count_event(struct log_name *info, const struct record *record)
{
    if (!info->created_ms) {
        info->created_ms = record->ingestion;
        info->first_ms = info->last_ms = record->timestamp;
    }
    if (record->timestamp < info->first_ms)
        info->first_ms = record->timestamp;
    if (record->timestamp > info->last_ms)
        info->last_ms = record->timestamp;
    if (record->ingestion > info->ingested_ms)
        info->ingested_ms = record->ingestion;
    info->bytes += record->text.n;
}

static void count_segment(struct slice content, struct map *map, struct arena *arena)
{
    struct log_name **streams = NULL;
    size_t room = 0;
    struct record record;
    for (size_t at = 0; segment_next(content, &at, &record);) {
        if (record.kind == SEGMENT_STREAM && record.stream < UINT16_MAX) {
            while (record.stream >= room) {
                size_t more = room ? 2 * room : 64;
                streams = mem_grow(streams, more * sizeof(struct log_name *));
                memset(streams + room, 0, (more - room) * sizeof(struct log_name *));
                room = more;
            }
            streams[record.stream] = stream_info(map, arena, record.text);
        } else if (record.stream < room && streams[record.stream]) {
            count_event(streams[record.stream], &record);
        }
    }
    free(streams);
}

size_t log_read_streams(int group_dir, struct arena *arena, struct log_name **out)
{
    AUTO(buf) struct buf content = BUF_INIT(SIZE_MAX);
    struct segment *list = NULL;
    struct map *map = map_new();
    size_t n = segment_list(group_dir, &list);
    for (size_t i = 0; i < n; i++) {
        if (segment_read(group_dir, list[i].number, &content))
            count_segment(buf_all(&content), map, arena);
    }
    free(list);

    size_t count = 0;
    size_t at = 0;
    void *value = NULL;
    struct log_name *names = arena_array(arena, map_count(map), sizeof *names);
    while (map_next(map, &at, &value))
        names[count++] = *(struct log_name *)value;
    map_free(map);
    qsort(names, count, sizeof *names, by_name);
    *out = names;
    return count;
}

/* False: no group. */
static bool read_group(int region_dir, const char *folder, struct arena *arena,
                       struct log_name *out)
{
    char name[NAME_MAX_];
    struct stat st;
    struct segment *list = NULL;
    AUTO(fd) int dir = openat(region_dir, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return false;
    AUTO(fd) int fd = openat(dir, "name", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return false;
    ssize_t n = read(fd, name, sizeof name);
    if (n <= 0)
        return false;
    *out = (struct log_name){.name = arena_dup(arena, (struct slice){name, (size_t)n}),
                             .created_ms = (uint64_t)st.st_mtim.tv_sec * 1000 +
                                           (uint64_t)st.st_mtim.tv_nsec / 1000000};
    size_t count = segment_list(dir, &list);
    for (size_t i = 0; i < count; i++)
        out->bytes += list[i].bytes;
    free(list);
    return true;
}

size_t log_read_groups(int region_dir, struct arena *arena, struct log_name **out)
{
    struct log_name *names = NULL;
    size_t n = 0;
    int fd = openat(region_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && fd >= 0)
        close(fd);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if ((n & (n - 1)) == 0)
            names = mem_grow(names, (n ? 2 * n : 1) * sizeof *names);
        n += entry->d_name[0] != '.' && read_group(region_dir, entry->d_name, arena, &names[n]);
    }
    if (dir)
        closedir(dir);
    *out = arena_array(arena, n, sizeof **out);
    if (n) {
        memcpy(*out, names, n * sizeof *names);
        qsort(*out, n, sizeof **out, by_name);
    }
    free(names);
    return n;
}
