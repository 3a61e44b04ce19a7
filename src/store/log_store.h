/* Log groups and streams on disk, as CloudWatch Logs has them:
 * DIR/<account>/<region>/<group>/<stream>.
 *
 * Appending never blocks the loop and never fails: events are collected in memory up to a bound and
 * written by the worker in batches, without fsync; what does not fit while the disk is slow is
 * dropped and counted (the count is logged as an event). Each group has a size bound (oldest
 * segments go first) and a retention time. Names are escaped into file names, so a hostile name
 * stays inside DIR. */
#ifndef LK_LOG_STORE_H
#define LK_LOG_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <uv.h>

struct log_store;
struct log_stream;

struct log_limits {
    uint64_t group_bytes;    /* size bound of one group on disk; default 64 MB */
    uint64_t segment_bytes;  /* a group's unit of deletion; default 4 MB */
    uint64_t pending_bytes;  /* in memory and not yet written, all groups together; default 8 MB */
    uint32_t retention_days; /* 0 = for ever, AWS's default */
    uint32_t
        event_max; /* AWS: 1 MB an event since 2025 (dataplane.md 3.1); longer ones are split */
};

extern const struct log_limits log_limits_default;

struct log_event {
    uint64_t timestamp; /* Unix ms: when it happened */
    uint64_t ingestion; /* Unix ms: when we got it */
    struct slice stream;
    struct slice message; /* with the trailing newline that it had */
    uint64_t position;    /* unique in its group */
};

struct log_store *log_store_open(uv_loop_t *loop, const char *dir, const struct log_limits *limits,
                                 struct err *err);
void log_store_close(struct log_store *store); /* writes what is pending, then frees */

/* The stream (and group) comes into being on disk with its first event. Free with log_stream_close.
 */
struct log_stream *log_stream_open(struct log_store *store, struct slice account,
                                   struct slice region, struct slice group, struct slice stream);
void log_stream_close(struct log_stream *stream);
void log_append(struct log_stream *stream, uint64_t timestamp_ms, struct slice message);

/* Reading (CloudWatch Logs operations, `lambkin logs`). Every answer comes later, from the loop,
 * and sees all that was appended before the question. The arena is the store's until then. */
struct log_query {
    struct slice account, region, group;
    struct slice stream;        /* absent = all */
    struct slice stream_prefix; /* absent = all */
    uint64_t start_ms, end_ms;  /* timestamp in [start, end); end 0 = open */
    uint64_t after;             /* a position: what lies behind it; before it, if newest_first */
    size_t max_events;
    size_t max_bytes;  /* of messages; one event comes in any case */
    bool newest_first; /* the last ones; still in their order of time */
};

struct log_page {
    struct log_event *events; /* in arena */
    size_t count;
    uint64_t first, next; /* positions before the first and behind the last event (or as asked) */
    bool more;
};

/* err: FAULT_NOT_FOUND "group" or "stream" if there is no such one. */
typedef void log_read_done(void *arg, const struct log_page *page, const struct err *err);
void log_read(struct log_store *store, struct arena *arena, const struct log_query *query,
              log_read_done *done, void *arg);

struct log_name {
    struct slice name;
    uint64_t created_ms, first_ms, last_ms, ingested_ms,
        bytes; /* a group: created and bytes only */
};

/* By name. group absent: all groups, else the streams of that group. */
typedef void log_names_done(void *arg, const struct log_name *names, size_t count,
                            const struct err *err);
void log_names(struct log_store *store, struct arena *arena, struct slice account,
               struct slice region, struct slice group, log_names_done *done, void *arg);

typedef void log_delete_done(void *arg, const struct err *err);
void log_group_delete(struct log_store *store, struct slice account, struct slice region,
                      struct slice group, log_delete_done *done, void *arg);

#endif
