#include "store/log_index.h"

#include "base/map.h"
#include "base/mem.h"

struct log_index {
    struct map *streams;               /* by name */
    struct log_stream_state **numbers; /* of the newest segment */
    uint32_t number_count;
    struct log_span *spans; /* in the order of their numbers */
    size_t span_count;
    struct log_gone *gone;
    size_t gone_count;
};

/* Records of a saved index; apart from those of segments. */
enum { SAVED_NEXT = 16, SAVED_SPAN, SAVED_STREAM, SAVED_GONE, SAVED_END };

struct saved_stream { /* in front of its name */
    uint64_t first_ms, last_ms, last_position;
};

struct log_index *log_index_new(void)
{
    struct log_index *index = NEW(log_index);
    index->streams = map_new();
    return index;
}

static void free_slice(struct slice s)
{
    free((char *)(uintptr_t)s.p);
}

static struct slice copy(struct slice s)
{
    return (struct slice){mem_str(s), s.n};
}

static void free_stream(struct log_stream_state *stream)
{
    free_slice(stream->name);
    free(stream);
}

void log_index_free(struct log_index *index)
{
    size_t at = 0;
    void *value = NULL;
    if (!index)
        return;
    while (map_next(index->streams, &at, &value))
        free_stream(value);
    for (size_t i = 0; i < index->gone_count; i++)
        free_slice(index->gone[i].name);
    map_free(index->streams);
    free(index->numbers);
    free(index->spans);
    free(index->gone);
    free(index);
}

/* Room for one more in an array that grows by doubling. */
static void *room_for(void *array, size_t n, size_t size)
{
    return (n & (n - 1)) == 0 ? mem_grow(array, (n ? 2 * n : 1) * size) : array;
}

/* ---- applying ---- */

void log_index_segment(struct log_index *index, uint32_t number)
{
    index->number_count = 0;
    index->spans = room_for(index->spans, index->span_count, sizeof *index->spans);
    index->spans[index->span_count++] = (struct log_span){number, UINT64_MAX, 0, 0};
}

static struct log_span *newest(struct log_index *index)
{
    must(index->span_count > 0);
    return &index->spans[index->span_count - 1];
}

static struct log_stream_state *stream_of(struct log_index *index, struct slice name,
                                          uint64_t created_ms)
{
    struct log_stream_state *stream = map_get(index->streams, name);
    if (stream)
        return stream;
    stream = NEW(log_stream_state);
    stream->name = copy(name);
    stream->created_ms = created_ms;
    map_put(index->streams, stream->name, stream);
    return stream;
}

static void number_stream(struct log_index *index, const struct record *record)
{
    if (record->stream != index->number_count)
        return; /* not ours */
    struct log_stream_state *stream = stream_of(index, record->text, record->ingestion);
    stream->segment = newest(index)->number;
    stream->number = record->stream;
    index->numbers = room_for(index->numbers, index->number_count, sizeof(void *));
    index->numbers[index->number_count++] = stream;
}

static void count_event(struct log_index *index, const struct record *record, uint64_t offset)
{
    struct log_span *span = newest(index);
    struct log_stream_state *stream =
        record->stream < index->number_count ? index->numbers[record->stream] : NULL;
    if (record->timestamp < span->min_ms)
        span->min_ms = record->timestamp;
    if (record->timestamp > span->max_ms)
        span->max_ms = record->timestamp;
    span->bytes += record->text.n;
    if (!stream)
        return;
    if (!stream->last_position || record->timestamp < stream->first_ms)
        stream->first_ms = record->timestamp;
    if (!stream->last_position || record->timestamp > stream->last_ms)
        stream->last_ms = record->timestamp;
    if (record->ingestion > stream->ingested_ms)
        stream->ingested_ms = record->ingestion;
    stream->last_position = segment_position(span->number, offset);
}

static struct log_gone *gone_of(struct log_index *index, struct slice name)
{
    for (size_t i = 0; i < index->gone_count; i++) {
        if (slice_eq(index->gone[i].name, name))
            return &index->gone[i];
    }
    index->gone = room_for(index->gone, index->gone_count, sizeof *index->gone);
    struct log_gone *gone = &index->gone[index->gone_count++];
    gone->name = copy(name);
    return gone;
}

static void delete_stream(struct log_index *index, struct slice name, uint64_t offset)
{
    struct log_stream_state *stream = map_remove(index->streams, name);
    gone_of(index, name)->position = segment_position(newest(index)->number, offset);
    if (!stream)
        return;
    for (uint32_t i = 0; i < index->number_count; i++) {
        if (index->numbers[i] == stream)
            index->numbers[i] = NULL;
    }
    free_stream(stream);
}

void log_index_apply(struct log_index *index, const struct record *record, uint64_t offset)
{
    switch (record->kind) {
    case SEGMENT_STREAM:
        number_stream(index, record);
        break;
    case SEGMENT_EVENT:
        count_event(index, record, offset);
        break;
    case SEGMENT_MADE:
        stream_of(index, record->text, record->timestamp)->made = true;
        break;
    case SEGMENT_GONE:
        delete_stream(index, record->text, offset);
        break;
    default:
        break;
    }
}

/* ---- dropping ---- */

static void forget_streams(struct log_index *index, uint64_t oldest)
{
    size_t at = 0;
    size_t n = 0;
    void *value = NULL;
    struct log_stream_state **list = mem_new_array(map_count(index->streams) + 1, sizeof *list);
    while (map_next(index->streams, &at, &value)) {
        struct log_stream_state *stream = value;
        if (!stream->made && stream->last_position < oldest &&
            stream->segment != newest(index)->number)
            list[n++] = stream;
    }
    for (size_t i = 0; i < n; i++) {
        map_remove(index->streams, list[i]->name);
        free_stream(list[i]);
    }
    free(list);
}

void log_index_drop(struct log_index *index, uint32_t number)
{
    size_t n = 0;
    for (size_t i = 0; i < index->span_count; i++) {
        if (index->spans[i].number != number)
            index->spans[n++] = index->spans[i];
    }
    index->span_count = n;
    if (!n)
        return;
    uint64_t oldest = segment_position(index->spans[0].number, 0);
    forget_streams(index, oldest);
    size_t kept = 0;
    for (size_t i = 0; i < index->gone_count; i++) {
        if (index->gone[i].position < oldest)
            free_slice(index->gone[i].name);
        else
            index->gone[kept++] = index->gone[i];
    }
    index->gone_count = kept;
}

/* ---- asking ---- */

const struct log_stream_state *log_index_find(const struct log_index *index, struct slice name)
{
    return map_get(index->streams, name);
}

bool log_index_next(const struct log_index *index, size_t *at, const struct log_stream_state **out)
{
    void *value = NULL;
    if (!map_next(index->streams, at, &value))
        return false;
    *out = value;
    return true;
}

size_t log_index_streams(const struct log_index *index)
{
    return map_count(index->streams);
}

uint32_t log_index_numbers(const struct log_index *index)
{
    return index->number_count;
}

size_t log_index_spans(const struct log_index *index, const struct log_span **out)
{
    *out = index->spans;
    return index->span_count;
}

size_t log_index_gone(const struct log_index *index, const struct log_gone **out)
{
    *out = index->gone;
    return index->gone_count;
}

/* ---- saving ---- */

static void save_stream(const struct log_stream_state *stream, struct buf *text, struct buf *out)
{
    const struct saved_stream numbers = {stream->first_ms, stream->last_ms, stream->last_position};
    buf_clear(text);
    buf_add(text, &numbers, sizeof numbers);
    buf_slice(text, stream->name);
    segment_add(out, &(struct record){SAVED_STREAM, stream->made, stream->created_ms,
                                      stream->ingested_ms, buf_all(text)});
}

void log_index_save(const struct log_index *index, uint32_t next, struct buf *out)
{
    AUTO(buf) struct buf text = BUF_INIT(SIZE_MAX);
    size_t at = 0;
    const struct log_stream_state *stream = NULL;
    segment_add(out, &(struct record){SAVED_NEXT, next, 0, 0, S("")});
    for (size_t i = 0; i < index->span_count; i++) {
        const struct log_span *span = &index->spans[i];
        if (span->number >= next)
            continue;
        const struct slice bytes = {(const char *)&span->bytes, sizeof span->bytes};
        segment_add(out,
                    &(struct record){SAVED_SPAN, span->number, span->min_ms, span->max_ms, bytes});
    }
    while (log_index_next(index, &at, &stream))
        save_stream(stream, &text, out);
    for (size_t i = 0; i < index->gone_count; i++)
        segment_add(
            out, &(struct record){SAVED_GONE, 0, index->gone[i].position, 0, index->gone[i].name});
    segment_add(out, &(struct record){SAVED_END, 0, 0, 0, S("")});
}

static bool load_stream(struct log_index *index, const struct record *record)
{
    struct saved_stream numbers;
    if (record->text.n < sizeof numbers)
        return false;
    memcpy(&numbers, record->text.p, sizeof numbers);
    struct log_stream_state *stream = stream_of(
        index, slice_sub(record->text, sizeof numbers, record->text.n), record->timestamp);
    stream->made = record->stream != 0;
    stream->ingested_ms = record->ingestion;
    stream->first_ms = numbers.first_ms;
    stream->last_ms = numbers.last_ms;
    stream->last_position = numbers.last_position;
    return true;
}

static bool load_span(struct log_index *index, const struct record *record)
{
    if (record->text.n != sizeof(uint64_t))
        return false;
    log_index_segment(index, record->stream);
    struct log_span *span = newest(index);
    span->min_ms = record->timestamp;
    span->max_ms = record->ingestion;
    memcpy(&span->bytes, record->text.p, sizeof span->bytes);
    return true;
}

static bool load_record(struct log_index *index, const struct record *record, uint32_t *next)
{
    if (record->kind == SAVED_NEXT) {
        *next = record->stream;
    } else if (record->kind == SAVED_GONE) {
        gone_of(index, record->text)->position = record->timestamp;
    } else if (record->kind == SAVED_STREAM) {
        return load_stream(index, record);
    } else {
        return record->kind == SAVED_SPAN && load_span(index, record);
    }
    return true;
}

struct log_index *log_index_load(struct slice saved, uint32_t *out_next)
{
    struct log_index *index = log_index_new();
    struct record record;
    uint32_t next = 0;
    size_t at = 0;
    while (segment_next(saved, &at, &record)) {
        if (record.kind == SAVED_END && next) {
            *out_next = next;
            return index;
        }
        if (!load_record(index, &record, &next))
            break;
    }
    log_index_free(index);
    return NULL;
}
