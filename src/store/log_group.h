/* One log group on disk, and what is known of it in memory. Private to src/store.
 *
 *   group           name, creation, retention and the services' settings: there is a group if, and
 *                   only if, this file is there. It is written beside and renamed, so a kill leaves
 *                   the group as it was or as it is to be.
 *   00000001.log..  segments (log_segment.h)
 *   index           what the segments before the newest hold (log_index.h)
 *
 * These facts lie here and not in the database because a function's first line makes a group, too:
 * with one place for both there is no order of writes in which a group is half there, and no commit
 * for each cold start.
 *
 * Changes come from one thread at a time (the worker that writes a batch), questions from any: each
 * function takes the group's lock for itself. */
#ifndef LK_LOG_GROUP_H
#define LK_LOG_GROUP_H

#include "base/buf.h"
#include "store/log_index.h"
#include "store/log_store.h"

struct log_group {
    int root; /* configuration */
    char *path;
    struct slice name;
    const struct log_limits *limits;
    uv_mutex_t lock;
    _Atomic bool exists; /* state, behind the lock; this may be read without it */
    uint64_t created_ms;
    uint32_t retention_days;
    struct slice settings;   /* owned */
    struct log_index *index; /* NULL: not loaded */
    uint32_t number;         /* of the segment to write to, once loaded */
    uint64_t offset;
    int dir;
    int fd;            /* of that segment; -1: not open */
    struct buf out;    /* records behind `offset`, not yet written */
    uint64_t buffered; /* events among them */
    uint64_t lost;     /* events that could not be written */
};

/* path: of its folder. It need not exist. */
struct log_group *log_group_new(int root, const char *path, struct slice name,
                                const struct log_limits *limits);
/* At start: what lies in that folder. NULL: no group; what a kill left of one is removed. */
struct log_group *log_group_found(int root, const char *path, const struct log_limits *limits);
void log_group_free(struct log_group *group);

bool log_group_exists(const struct log_group *group);
/* FAULT_CONFLICT: there is one already. On disk when it returns. */
bool log_group_create(struct log_group *group, struct slice settings, struct err *err) MUST_USE;
bool log_group_remove(struct log_group *group, struct err *err) MUST_USE;
bool log_group_change(struct log_group *group, struct arena *arena, log_group_changer *change,
                      void *arg, struct err *err) MUST_USE;
/* With a line of a function: it may not exist yet. Under the lock; not synced. */
bool log_group_need(struct log_group *group, struct err *err) MUST_USE;

/* Copies in the arena. with_bytes: loads the index for it. */
bool log_group_info(struct log_group *group, struct arena *arena, bool with_bytes,
                    struct log_group_info *out, struct err *err) MUST_USE;
size_t log_group_streams(struct log_group *group, struct arena *arena,
                         struct log_stream_info **out);

/* What a reader must know, as of now. */
struct log_view {
    struct log_span *spans;
    size_t span_count;
    struct log_gone *gone;
    size_t gone_count;
    uint64_t floor_ms; /* retention: what is older is not there any more */
    uint64_t created_ms;
};

/* FAULT_NOT_FOUND "group", or "stream" if one of these is missing. */
bool log_group_view(struct log_group *group, struct arena *arena, const struct slice *streams,
                    size_t stream_count, struct log_view *out, struct err *err) MUST_USE;

/* Under the lock: */
bool log_group_missing(const struct log_group *group, struct err *err); /* sets err if it is */
uint64_t log_group_floor(const struct log_group *group);
bool log_group_dir(struct log_group *group, struct err *err) MUST_USE; /* opens its folder */
void log_group_forget(struct log_group *group); /* closes files, forgets the index */

#endif
