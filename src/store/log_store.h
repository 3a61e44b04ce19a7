/* Log groups and streams on disk, as CloudWatch Logs has them:
 * DIR/<account>/<region>/<group>/.
 *
 * Appending never blocks the loop and never fails: events are collected in memory up to a bound and
 * written by the worker in batches, without fsync; what does not fit while the disk is slow is
 * dropped and counted (the count is logged as an event). Each group has a size bound (oldest
 * segments go first) and a retention time. Names are escaped into file names, so a hostile name
 * stays inside DIR.
 *
 * Changes happen in the order in which they are asked for, in one line with the events. What is
 * known of a group (creation, retention, tags) lies beside its events, see log_group.h. */
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
    uint32_t retention_days; /* of groups that have none: 0 = for ever, AWS's default */
    uint32_t
        event_max; /* AWS: 1 MB an event since 2025 (dataplane.md 3.1); longer ones are split */
};

extern const struct log_limits log_limits_default;

/* All names: of the group, or of what is in it. */
struct log_where {
    struct slice account, region, group;
};

struct log_event {
    uint64_t timestamp; /* Unix ms: when it happened */
    uint64_t ingestion; /* Unix ms: when we got it */
    struct slice stream;
    struct slice message; /* with the trailing newline that it had */
    uint64_t position;    /* unique in its group, in the order of arrival */
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

/* What follows is for the operations of CloudWatch Logs. Every answer comes later, from the loop,
 * and sees all that was appended or asked for before. Arenas, and what arguments point to, are the
 * store's until then.
 *
 * err: FAULT_NOT_FOUND "group" or "stream" if there is no such one; FAULT_CONFLICT, with the same
 * two words, if there is one already. */
typedef void log_done(void *arg, const struct err *err);

/* ---- groups ---- */

struct log_group_info {
    struct slice name;
    uint64_t created_ms;
    uint32_t retention_days; /* 0 = none of its own */
    uint64_t bytes;          /* of messages */
    struct slice settings;   /* whatever the services keep with it; empty if a function made it */
};

/* Acknowledged when they are on disk. */
void log_group_make(struct log_store *store, const struct log_where *where, struct slice settings,
                    log_done *done, void *arg);
void log_group_delete(struct log_store *store, const struct log_where *where, log_done *done,
                      void *arg);

/* Changes retention_days and settings; settings may lie in the arena. On a worker thread; false
 * leaves all as it was. */
typedef bool log_group_changer(void *arg, struct arena *arena, struct log_group_info *info,
                               struct err *err);
void log_group_set(struct log_store *store, struct arena *arena, const struct log_where *where,
                   log_group_changer *change, log_done *done, void *arg);

struct log_groups_query {
    struct log_where where;    /* group present: this one only, which must exist */
    struct slice prefix, part; /* of the name; absent = all */
    struct slice after;        /* names behind this one */
    size_t limit;
};

/* In the order of names. more: there are others behind. */
typedef void log_groups_done(void *arg, const struct log_group_info *groups, size_t count,
                             bool more, const struct err *err);
void log_groups(struct log_store *store, struct arena *arena, const struct log_groups_query *query,
                log_groups_done *done, void *arg);

/* ---- streams ---- */

struct log_stream_info {
    struct slice name;
    uint64_t created_ms;
    bool has_events; /* has, or had: the following are theirs */
    uint64_t first_ms, last_ms, ingested_ms;
};

void log_stream_create(struct log_store *store, const struct log_where *where, struct slice stream,
                       log_done *done, void *arg);
void log_stream_delete(struct log_store *store, const struct log_where *where, struct slice stream,
                       log_done *done, void *arg);

typedef void log_streams_done(void *arg, struct log_stream_info *streams, size_t count,
                              const struct err *err); /* in no order */
void log_streams(struct log_store *store, struct arena *arena, const struct log_where *where,
                 log_streams_done *done, void *arg);

/* ---- events ---- */

/* In the order of time, into a stream that exists. expired: so many were older than the group's
 * retention and not taken. */
typedef void log_put_done(void *arg, size_t expired, const struct err *err);
void log_put(struct log_store *store, const struct log_where *where, struct slice stream,
             const struct log_event *events, size_t count, log_put_done *done, void *arg);

enum log_order { LOG_BY_TIME, LOG_BY_TIME_BACKWARD, LOG_BY_ARRIVAL };

struct log_key { /* a place in an order; by arrival ms is 0 */
    uint64_t ms;
    uint64_t position;
};

struct log_query {
    struct log_where where;
    const struct slice *streams; /* which must exist; none = all */
    size_t stream_count;
    struct slice stream_prefix; /* absent = all */
    uint64_t start_ms, end_ms;  /* timestamp in [start, end); end 0 = open */
    enum log_order order;
    bool resumed;
    struct log_key after; /* if resumed: what lies behind it, in this order */
    size_t max_events;
    size_t max_bytes; /* of messages; one event comes in any case */
    /* Called on a worker thread. NULL = all. */
    bool (*matches)(const void *arg, struct slice message);
    const void *matches_arg;
};

struct log_page {
    struct log_event *events; /* in arena; backward ones are in the order of time, too */
    size_t count;
    struct log_key first, next; /* where to go on before and behind it */
    bool more;                  /* in the order of the query; there may be none on this page */
    uint64_t created_ms;        /* of the group: whoever holds a key of another one begins anew */
};

typedef void log_read_done(void *arg, const struct log_page *page, const struct err *err);
void log_read(struct log_store *store, struct arena *arena, const struct log_query *query,
              log_read_done *done, void *arg);

#endif
