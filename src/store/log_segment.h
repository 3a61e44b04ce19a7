/* Files of one log group: numbered segments of records, and how names become file names. Private to
 * src/store; all of it may run on a worker thread.
 *
 * A record is a head of fixed size and a text. The head carries a check of itself; a torn tail,
 * from a kill or a full disk, ends the segment there. A stream's name is written once a segment,
 * later records refer to it by number, so each segment can be read (and removed) alone. */
#ifndef LK_LOG_SEGMENT_H
#define LK_LOG_SEGMENT_H

#include "base/arena.h"
#include "base/buf.h"

enum {
    SEGMENT_STREAM = 1, /* this number, from here on: the stream of that name */
    SEGMENT_EVENT = 2,
    SEGMENT_MADE = 3, /* somebody made a stream; timestamp: when */
    SEGMENT_GONE = 4, /* somebody deleted a stream with all that lies before */
    SEGMENT_HEAD = 32,
    LOG_FILE_NAME_MAX = 200,
};

struct record {
    uint32_t kind;
    uint32_t stream; /* number in this segment; they begin with 0 and have no gaps */
    uint64_t timestamp;
    uint64_t ingestion;
    struct slice text; /* message, or the stream's name */
};

void segment_add(struct buf *out, const struct record *record);

/* Reads the record at *at and moves on; false at the end or where the segment is torn. */
bool segment_next(struct slice segment, size_t *at, struct record *out);

/* A position: unique in its group and rising, of a record that ends at this offset. */
static inline uint64_t segment_position(uint32_t number, uint64_t offset)
{
    return (uint64_t)number << 32 | (uint32_t)offset;
}

struct segment {
    uint32_t number;
    uint64_t bytes;
    uint64_t changed_ms;
};

/* In the order of their numbers; the array is malloc'd. */
size_t segment_list(int group_dir, struct segment **out);
int segment_open(int group_dir, uint32_t number, int flags);
bool segment_read(int group_dir, uint32_t number, struct buf *out);
bool segment_read_file(int group_dir, const char *name, struct buf *out); /* of another name */
void segment_remove(int group_dir, uint32_t number);

/* A name that any file system takes and that leads nowhere else. Long ones end in a hash. */
void log_file_name(struct slice name, char out[LOG_FILE_NAME_MAX]);

#endif
