/* The log store's inside: log_store.c collects and writes batches, log_ask.c has the questions and
 * changes that wait for them, log_entry.c the groups. Private to src/store. */
#ifndef LK_LOG_QUEUE_H
#define LK_LOG_QUEUE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "store/log_write.h"

/* Events are collected in a batch; a worker writes the batch while the next one is collected. A
 * change travels in the batch, in its place. A question waits until the batch that was being
 * collected when it came is on disk, then a worker answers it, beside the writer.
 *
 *   log_append --> filling --(short delay, or large enough)--> writing --> files --> questions  */

/* A group that exists, or that somebody holds. */
struct log_entry {
    char *path; /* "account/region/group", escaped: its key */
    struct log_group *group;
    unsigned refs;    /* of streams, questions, changes and visits */
    struct list open; /* worker: in the store's list while it has open files */
    uint64_t batch;   /* worker: the last one that wrote to it */
};

struct log_visit { /* many of them, held */
    struct log_entry **entries;
    size_t n;
};

struct log_store {
    uint32_t magic;
    uv_loop_t *loop; /* configuration */
    int root;
    struct log_limits limits;
    struct map *entries; /* state */
    struct buf filling;
    struct buf writing;
    uint64_t batch; /* number of the one being collected */
    bool busy;      /* the worker is writing */
    uv_work_t work;
    uv_timer_t delay;
    uv_timer_t hourly;
    bool expire_due;
    struct list questions; /* waiting for their batch */
    unsigned asked;        /* being read */
    struct list dropped;
    uint64_t complained_ms;
    unsigned handles;
    struct list open;        /* the worker's while busy, as what follows: entries with open files */
    struct log_visit expire; /* look there for old segments */
    struct err failed;       /* why writing failed, for the complaint */
    uint64_t lost;           /* events that were lost with it */
};

enum log_question_kind {
    ASK_EVENTS,
    ASK_GROUPS,
    ASK_STREAMS,
    CHANGE_MAKE_GROUP, /* this and what follows: changes */
    CHANGE_DELETE_GROUP,
    CHANGE_SET_GROUP,
    CHANGE_MAKE_STREAM,
    CHANGE_DELETE_STREAM,
    CHANGE_PUT,
};

struct log_question {
    uint32_t magic;
    struct list link;
    struct log_store *store;
    enum log_question_kind kind;
    uint64_t batch; /* must be on disk first */
    struct log_entry *entry;
    struct log_visit visit;
    uv_work_t work;
    struct arena *arena;
    union {
        struct log_query events;
        struct log_groups_query groups;
        struct {
            struct slice stream;
            struct slice settings;
            log_group_changer *change;
            const struct log_event *put;
            size_t count;
        };
    } is;
    union {
        log_done *plain;
        log_put_done *put;
        log_read_done *read;
        log_groups_done *groups;
        log_streams_done *streams;
    } done;
    void *arg;
    union { /* result */
        struct log_page page;
        struct {
            struct log_group_info *groups;
            size_t group_count;
            bool more;
        };
        struct {
            struct log_stream_info *streams;
            size_t stream_count;
        };
        size_t expired;
    } got;
    bool failed;
    struct err err;
};

/* log_entry.c */
void log_entries_find(struct log_store *store); /* at start: on disk */
void log_entries_free(struct log_store *store);
struct log_entry *log_entry_hold(struct log_store *store, const struct log_where *where);
void log_entry_release(struct log_store *store, struct log_entry *entry);
/* The entries whose path begins so, all held. */
struct log_visit log_visit_begin(struct log_store *store, struct slice prefix);
void log_visit_end(struct log_store *store, struct log_visit *visit);
void log_path(char path[3 * LOG_FILE_NAME_MAX], const struct log_where *where);

/* log_store.c */
void log_collect_change(struct log_store *store, struct log_question *question);
void log_write_soon(struct log_store *store, bool now);

/* log_ask.c */
void log_change_apply(struct log_question *question); /* on the worker, in its place */
void log_change_done(struct log_question *question);  /* on the loop, when the batch is written */
void log_questions_answer(struct log_store *store);   /* those whose batch is on disk */

#endif
