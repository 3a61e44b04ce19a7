/* What a log group holds, in memory: its streams, and the times of each of its segments, so that
 * a reader opens only segments that may have what it looks for.
 *
 * It is built by applying the records in the order in which they were written. Saved, it makes all
 * segments before the newest needless for that: so they can be removed, and a stream that somebody
 * made outlives them. Private to src/store; one thread at a time. */
#ifndef LK_LOG_INDEX_H
#define LK_LOG_INDEX_H

#include "base/buf.h"
#include "store/log_segment.h"

struct log_span { /* a segment */
    uint32_t number;
    uint64_t min_ms, max_ms; /* of its events; min > max: there is none */
    uint64_t bytes;          /* of their messages */
};

struct log_gone { /* events of this stream up to there do not exist any more */
    struct slice name;
    uint64_t position;
};

struct log_stream_state {
    struct slice name;
    uint64_t created_ms;
    uint64_t first_ms, last_ms, ingested_ms; /* of events; last_position 0: there was none */
    uint64_t last_position;
    bool made; /* by somebody; others go with their last event */
    uint32_t segment;
    uint32_t number; /* in that segment */
};

struct log_index;

struct log_index *log_index_new(void);
void log_index_free(struct log_index *index); /* NULL is fine */

/* The records that follow are of this segment. */
void log_index_segment(struct log_index *index, uint32_t number);
/* A record that ends at `offset` of it. */
void log_index_apply(struct log_index *index, const struct record *record, uint64_t offset);
/* Segments are removed from the oldest on; with the last event of a stream the stream goes, too. */
void log_index_drop(struct log_index *index, uint32_t number);

const struct log_stream_state *log_index_find(const struct log_index *index, struct slice name);
bool log_index_next(const struct log_index *index, size_t *at,
                    const struct log_stream_state **out); /* as map_next() */
size_t log_index_streams(const struct log_index *index);
uint32_t log_index_numbers(const struct log_index *index); /* given in this segment so far */
size_t log_index_spans(const struct log_index *index, const struct log_span **out);
size_t log_index_gone(const struct log_index *index, const struct log_gone **out);

/* next: the segment behind all that it knows. False: damaged, nothing was loaded. */
void log_index_save(const struct log_index *index, uint32_t next, struct buf *out);
struct log_index *log_index_load(struct slice saved, uint32_t *out_next);

#endif
