#include "store/log_read.h"

#include "base/mem.h"
#include "store/log_segment.h"

/* A page is the first so many events behind a key, in the order of keys. Segments are read in the
 * order of the first key that they may have; when enough was found and the next segment can only
 * have later ones, the page is complete. So with events that came roughly in order a page costs one
 * or two segments, and with any order it is right.
 *
 * Backwards it is the same with all comparisons turned round. */

enum {
    SCAN_MAX = 16 << 20, /* bytes that are looked through for one page, if it can be cut there */
    SORT_AT = 4096,      /* found events, above which those that are too many are thrown away */
};

struct found {
    struct log_key key;
    struct log_event event;
    bool copied; /* into the arena; else it points into the segment */
};

struct numbered { /* a stream of the segment that is being read */
    struct slice name;
    uint64_t gone; /* up to this position it was deleted */
    bool wanted;
};

struct span { /* a segment, as this order sees it */
    uint32_t number;
    struct log_key first, last;
};

struct reading {
    const struct log_query *query;
    const struct log_view *view;
    struct arena *arena;
    bool by_time, backward;
    uint64_t start_ms;
    struct log_key after; /* only what is behind it */
    struct span *spans;
    size_t span_count;
    struct buf content; /* of one segment */
    struct numbered *streams;
    size_t stream_count;
    struct found *found;
    size_t count, room;
    bool bounded; /* what is not before `bound` belongs to another page */
    struct log_key bound;
    bool cut; /* the scan ended early: all before this key was seen */
    struct log_key cut_at;
    size_t scanned;
    uint64_t seen; /* highest position that was looked at */
};

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_keys(struct log_key a, struct log_key b)
{
    int ms = compare_u64(a.ms, b.ms);
    return ms ? ms : compare_u64(a.position, b.position);
}

/* In the order of this reading. */
static int compare(const struct reading *r, struct log_key a, struct log_key b)
{
    int order = compare_keys(a, b);
    return r->backward ? -order : order;
}

/* ---- segments ---- */

static int by_first(const void *a, const void *b)
{
    return compare_keys(((const struct span *)a)->first, ((const struct span *)b)->first);
}

static int by_first_backward(const void *a, const void *b)
{
    return compare_keys(((const struct span *)b)->first, ((const struct span *)a)->first);
}

static struct span span_of(const struct reading *r, const struct log_span *from)
{
    const struct log_key low = {r->by_time ? from->min_ms : 0, segment_position(from->number, 0)};
    const struct log_key high = {r->by_time ? from->max_ms : 0,
                                 segment_position(from->number, UINT32_MAX)};
    return r->backward ? (struct span){from->number, high, low}
                       : (struct span){from->number, low, high};
}

static void choose_segments(struct reading *r)
{
    const struct log_view *view = r->view;
    r->spans = arena_array(r->arena, view->span_count, sizeof *r->spans);
    for (size_t i = 0; i < view->span_count; i++) {
        const struct log_span *from = &view->spans[i];
        struct span span = span_of(r, from);
        bool empty = from->min_ms > from->max_ms;
        if (!empty && from->max_ms >= r->start_ms &&
            (!r->query->end_ms || from->min_ms < r->query->end_ms) &&
            compare(r, span.last, r->after) > 0)
            r->spans[r->span_count++] = span;
    }
    if (r->span_count)
        qsort(r->spans, r->span_count, sizeof *r->spans,
              r->backward ? by_first_backward : by_first);
}

/* ---- the page so far ---- */

static int by_key(const void *a, const void *b)
{
    return compare_keys(((const struct found *)a)->key, ((const struct found *)b)->key);
}

static int by_key_backward(const void *a, const void *b)
{
    return by_key(b, a);
}

static void set_bound(struct reading *r, struct log_key key)
{
    if (r->bounded && compare(r, key, r->bound) >= 0)
        return;
    r->bounded = true;
    r->bound = key;
}

/* Sorts what was found and throws away what is too much. */
static void trim(struct reading *r)
{
    const struct log_query *query = r->query;
    size_t bytes = 0;
    size_t n = 0;
    if (r->count)
        qsort(r->found, r->count, sizeof *r->found, r->backward ? by_key_backward : by_key);
    for (; n < r->count && n < query->max_events; n++) {
        bytes += r->found[n].event.message.n;
        if ((n && bytes > query->max_bytes) ||
            (r->bounded && compare(r, r->found[n].key, r->bound) >= 0))
            break;
    }
    if (n < r->count)
        set_bound(r, r->found[n].key);
    r->count = n;
}

static void keep(struct reading *r)
{
    trim(r);
    for (size_t i = 0; i < r->count; i++) {
        struct found *found = &r->found[i];
        if (found->copied)
            continue;
        found->event.stream = arena_dup(r->arena, found->event.stream);
        found->event.message = arena_dup(r->arena, found->event.message);
        found->copied = true;
    }
}

/* ---- records ---- */

static bool wanted_stream(const struct log_query *query, struct slice stream)
{
    for (size_t i = 0; i < query->stream_count; i++) {
        if (slice_eq(query->streams[i], stream))
            return true;
    }
    return !query->stream_count &&
           (!query->stream_prefix.p || slice_starts(stream, query->stream_prefix));
}

static void name_stream(struct reading *r, size_t *count, const struct record *record)
{
    if (record->stream != *count)
        return;
    if (*count == r->stream_count) {
        r->stream_count = r->stream_count ? 2 * r->stream_count : 64;
        r->streams = mem_grow(r->streams, r->stream_count * sizeof *r->streams);
    }
    struct numbered *stream = &r->streams[(*count)++];
    *stream = (struct numbered){record->text, 0, wanted_stream(r->query, record->text)};
    for (size_t i = 0; stream->wanted && i < r->view->gone_count; i++) {
        if (slice_eq(r->view->gone[i].name, record->text))
            stream->gone = r->view->gone[i].position;
    }
}

static bool wanted(const struct reading *r, const struct record *record,
                   const struct numbered *stream, struct log_key key)
{
    const struct log_query *query = r->query;
    return stream->wanted && key.position > stream->gone && record->timestamp >= r->start_ms &&
           (!query->end_ms || record->timestamp < query->end_ms) && compare(r, key, r->after) > 0 &&
           (!r->bounded || compare(r, key, r->bound) < 0) &&
           (!query->matches || query->matches(query->matches_arg, record->text));
}

static void take(struct reading *r, const struct record *record, const struct numbered *stream,
                 struct log_key key)
{
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : 256;
        r->found = mem_grow(r->found, r->room * sizeof *r->found);
    }
    r->found[r->count++] = (struct found){
        key,
        {record->timestamp, record->ingestion, stream->name, record->text, key.position},
        false};
    if (r->count >= SORT_AT && r->count >= 2 * r->query->max_events)
        trim(r);
}

static void read_segment(struct reading *r, uint32_t number)
{
    struct slice content = buf_all(&r->content);
    struct record record;
    size_t streams = 0;
    size_t at = 0;
    while (segment_next(content, &at, &record)) {
        uint64_t position = segment_position(number, at);
        const struct log_key key = {r->by_time ? record.timestamp : 0, position};
        if (record.kind == SEGMENT_STREAM)
            name_stream(r, &streams, &record);
        else if (record.kind == SEGMENT_EVENT && record.stream < streams &&
                 wanted(r, &record, &r->streams[record.stream], key))
            take(r, &record, &r->streams[record.stream], key);
        if (position > r->seen)
            r->seen = position;
    }
    r->scanned += content.n;
    keep(r); /* the next segment takes this one's place */
}

/* Enough was looked at: the page ends before this segment, if that is behind where it began. */
static bool cut_before(struct reading *r, const struct span *span)
{
    struct log_key end = span->first;
    end.position += r->backward ? 1 : (uint64_t)-1;
    if (r->scanned < SCAN_MAX || compare(r, end, r->after) <= 0)
        return false;
    r->cut = true;
    r->cut_at = end;
    set_bound(r, span->first);
    trim(r);
    return true;
}

static void scan(struct reading *r, int group_dir)
{
    for (size_t i = 0; i < r->span_count; i++) {
        const struct span *span = &r->spans[i];
        if (r->bounded && compare(r, span->first, r->bound) >= 0)
            return;
        if (cut_before(r, span))
            return;
        if (segment_read(group_dir, span->number, &r->content))
            read_segment(r, span->number);
    }
}

/* ---- the page ---- */

static struct log_key where_it_ends(const struct reading *r)
{
    const struct log_key nowhere = r->query->resumed ? r->after : (struct log_key){0, 0};
    const struct log_key last = r->count ? r->found[r->count - 1].key : nowhere;
    if (r->cut)
        return r->cut_at;
    /* Arrival only grows: what did not match need not be looked at again. */
    if (!r->by_time && !r->bounded && r->seen > r->after.position)
        return (struct log_key){0, r->seen};
    return last;
}

static void finish(const struct reading *r, struct log_page *out)
{
    /* Backwards from the end, and nothing there: whatever comes is behind that. */
    const struct log_key nowhere = r->query->resumed ? r->after : (struct log_key){0, 0};
    struct log_key begins = r->count ? r->found[0].key : nowhere;
    struct log_key ends = where_it_ends(r);
    out->events = arena_array(r->arena, r->count, sizeof *out->events);
    out->count = r->count;
    out->more = r->bounded;
    out->created_ms = r->view->created_ms;
    for (size_t i = 0; i < r->count; i++)
        out->events[r->backward ? r->count - 1 - i : i] = r->found[i].event;
    out->first = r->backward ? ends : begins;
    out->next = r->backward ? begins : ends;
}

void log_read_events(int group_dir, struct arena *arena, const struct log_view *view,
                     const struct log_query *query, struct log_page *out)
{
    struct reading r = {.query = query, .view = view, .arena = arena};
    must(query->max_events > 0);
    r.content = BUF_INIT(SIZE_MAX);
    r.by_time = query->order != LOG_BY_ARRIVAL;
    r.backward = query->order == LOG_BY_TIME_BACKWARD;
    r.start_ms = query->start_ms > view->floor_ms ? query->start_ms : view->floor_ms;
    r.after = r.backward ? (struct log_key){UINT64_MAX, UINT64_MAX} : (struct log_key){0, 0};
    if (query->resumed)
        r.after = query->after;
    choose_segments(&r);
    scan(&r, group_dir);
    trim(&r);
    finish(&r, out);
    buf_free(&r.content);
    free(r.streams);
    free(r.found);
}
