#include "store/log_store.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/log_read.h"
#include "store/log_segment.h"
#include "store/log_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* Events are collected in a batch; a worker writes the batch while the next one is collected. A
 * question waits until the batch that was being collected when it came is on disk, then a worker
 * reads the files, beside the writer. A deletion travels in the batch, in its place.
 *
 *   log_append --> filling --(short delay, or large enough)--> writing --> files --> questions  */

enum {
    STORE_MAGIC = 0x6c6f6773,
    STREAM_MAGIC = 0x6c6f6774,
    QUESTION_MAGIC = 0x6c6f6771,
    BATCH_DELAY_MS = 50,     /* a busy function costs one write in this time */
    BATCH_SOON = 512 * 1024, /* a flood is written at once */
    OPEN_GROUPS_MAX = 64,
    EXPIRE_EVERY_MS = 3600 * 1000,
    COMPLAIN_EVERY_MS = 10000,
    GROUP_PATH_MAX = 3 * LOG_FILE_NAME_MAX,
};

const struct log_limits log_limits_default = {
    .group_bytes = UINT64_C(64) << 20,
    .segment_bytes = UINT64_C(4) << 20,
    .pending_bytes = UINT64_C(8) << 20,
    .retention_days = 0,
    .event_max = 1 << 20,
};

struct group {
    char *path; /* "account/region/group", escaped: its key */
    struct log_group *files;
    struct list open; /* worker: in the store's list while it has open files */
    uint64_t batch;   /* worker: the last one that wrote to it */
};

struct item {
    struct log_stream *stream; /* a reference; NULL: a deletion */
    struct question *deletion;
    uint64_t timestamp;
    uint64_t ingestion;
    size_t length; /* of the message that follows, padded to 8 */
};

struct log_stream {
    uint32_t magic;
    uint32_t refs;
    struct log_store *store;
    struct group *group;
    struct slice name;   /* owned */
    struct list dropped; /* in the store's list while something was dropped */
    uint64_t dropped_events;
    uint64_t dropped_bytes;
};

struct log_store {
    uint32_t magic;
    uv_loop_t *loop; /* configuration */
    int root;
    struct log_limits limits;
    struct map *groups; /* state */
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
    struct list open;  /* the worker's while busy, as what follows: groups with open files */
    bool expire;       /* look for old segments */
    struct err failed; /* why writing failed, for the complaint */
    uint64_t lost;     /* events that were lost with it */
};

enum kind { ASK_EVENTS, ASK_GROUPS, ASK_STREAMS, ASK_DELETE };

struct question {
    uint32_t magic;
    struct list link;
    struct log_store *store;
    enum kind kind;
    uint64_t batch; /* must be on disk first */
    struct group *group;
    char path[GROUP_PATH_MAX]; /* of the folder to read */
    uv_work_t work;
    struct arena *arena;
    struct log_query query;
    union {
        log_read_done *read;
        log_names_done *names;
        log_delete_done *deleted;
    } done;
    void *arg;
    struct log_page page; /* result */
    struct log_name *names;
    size_t count;
    bool failed;
    struct err err;
};

/* ---- groups and streams ---- */

static void path_of(char path[GROUP_PATH_MAX], struct slice account, struct slice region,
                    struct slice group)
{
    char parts[3][LOG_FILE_NAME_MAX];
    log_file_name(account, parts[0]);
    log_file_name(region, parts[1]);
    log_file_name(group, parts[2]);
    snprintf(path, GROUP_PATH_MAX, "%s/%s%s%s", parts[0], parts[1], group.p ? "/" : "",
             group.p ? parts[2] : "");
}

static struct group *group_get(struct log_store *store, struct slice account, struct slice region,
                               struct slice name)
{
    char path[GROUP_PATH_MAX];
    path_of(path, account, region, name);
    struct group *group = map_get(store->groups, slice_str(path));
    if (group)
        return group;
    group = NEW(group);
    group->path = mem_str(slice_str(path));
    list_init(&group->open);
    group->files = log_group_new(store->root, path, name, &store->limits);
    map_put(store->groups, slice_str(group->path), group);
    return group;
}

static void stream_unref(struct log_stream *stream)
{
    if (--stream->refs)
        return;
    list_remove(&stream->dropped);
    free((char *)(uintptr_t)stream->name.p);
    free(stream);
}

struct log_stream *log_stream_open(struct log_store *store, struct slice account,
                                   struct slice region, struct slice group, struct slice stream)
{
    struct log_stream *s = NEW(log_stream);
    s->magic = STREAM_MAGIC;
    s->refs = 1;
    s->store = store;
    s->group = group_get(store, account, region, group);
    s->name = (struct slice){mem_str(stream), stream.n};
    list_init(&s->dropped);
    return s;
}

void log_stream_close(struct log_stream *stream)
{
    if (stream)
        stream_unref(CAST(log_stream, stream, STREAM_MAGIC));
}

/* ---- collecting ---- */

static void write_soon(struct log_store *store, bool now);

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static bool fits(const struct log_store *store, size_t n)
{
    return store->filling.n + store->writing.n + sizeof(struct item) + padded(n) <=
           store->limits.pending_bytes;
}

static void collect(struct log_store *store, const struct item *item, struct slice message)
{
    static const char zeros[8];
    buf_add(&store->filling, item, sizeof *item);
    buf_slice(&store->filling, message);
    buf_add(&store->filling, zeros, padded(message.n) - message.n);
}

static void append_piece(struct log_stream *stream, uint64_t timestamp_ms, struct slice piece)
{
    struct log_store *store = stream->store;
    if (!fits(store, piece.n)) {
        stream->dropped_events++;
        stream->dropped_bytes += piece.n;
        if (list_empty(&stream->dropped)) {
            list_push_back(&store->dropped, &stream->dropped);
            stream->refs++; /* it must live to tell */
        }
        return;
    }
    stream->refs++;
    collect(store, &(struct item){stream, NULL, timestamp_ms, clock_wall_ms(), piece.n}, piece);
}

void log_append(struct log_stream *stream, uint64_t timestamp_ms, struct slice message)
{
    struct log_store *store = CAST(log_stream, stream, STREAM_MAGIC)->store;
    size_t max = store->limits.event_max;
    do {
        struct slice piece = slice_sub(message, 0, max);
        /* Not in the middle of a character. */
        while (piece.n > 4 && piece.n < message.n &&
               ((unsigned char)message.p[piece.n] & 0xc0) == 0x80 && piece.n > max - 4)
            piece.n--;
        append_piece(stream, timestamp_ms, piece);
        message = slice_sub(message, piece.n, message.n);
    } while (message.n);
    write_soon(store, store->filling.n >= BATCH_SOON);
}

/* ---- writing ---- */

static void fail_batch(struct log_store *store, const struct err *err)
{
    store->failed = *err;
    store->lost++;
}

static void write_item(struct log_store *store, const struct item *item, struct slice message)
{
    struct err err = {0};
    if (item->deletion) {
        struct question *q = item->deletion;
        q->failed = !log_group_remove(q->group->files, &q->err);
        return;
    }
    struct group *group = item->stream->group;
    group->batch = store->batch - 1;
    list_remove(&group->open);
    list_push_front(&store->open, &group->open);
    if (!log_group_add(group->files, item->stream->name, item->timestamp, item->ingestion, message,
                       &err))
        fail_batch(store, &err);
}

/* Calls each for every item of a batch. */
static void each_item(struct log_store *store, const struct buf *batch,
                      void (*each)(struct log_store *store, const struct item *item,
                                   struct slice message))
{
    for (size_t at = 0; at < batch->n;) {
        struct item item;
        memcpy(&item, batch->p + at, sizeof item);
        at += sizeof item;
        each(store, &item, (struct slice){batch->p + at, item.length});
        at += padded(item.length);
    }
}

static void close_group(struct group *group)
{
    log_group_close(group->files);
    list_remove(&group->open);
}

static void flush_groups(struct log_store *store)
{
    size_t open = 0;
    struct err err = {0};
    LIST_EACH(link, &store->open)
    {
        struct group *group = LIST_ITEM(link, group, open);
        bool used = group->batch == store->batch - 1;
        if (used && log_group_is_open(group->files) && !log_group_flush(group->files, &err))
            fail_batch(store, &err);
        /* Most recently used first. */
        if (!log_group_is_open(group->files) || ++open > OPEN_GROUPS_MAX)
            close_group(group);
    }
}

static void expire_all(struct log_store *store)
{
    LIST_EACH(link, &store->open)
    close_group(LIST_ITEM(link, group, open));
    log_expire(store->root, store->limits.retention_days);
    store->expire = false;
}

static void write_batch(struct log_store *store)
{
    each_item(store, &store->writing, write_item);
    flush_groups(store);
    if (store->expire)
        expire_all(store);
}

/* On a worker thread. */
static void do_write(uv_work_t *work)
{
    write_batch(CAST(log_store, work->data, STORE_MAGIC));
}

static void release_item(struct log_store *store, const struct item *item, struct slice message)
{
    if (item->stream) {
        stream_unref(item->stream);
    } else {
        struct question *q = item->deletion;
        q->done.deleted(q->arg, q->failed ? &q->err : NULL);
        free(q);
    }
}

static void tell_dropped(struct log_store *store)
{
    LIST_EACH(link, &store->dropped)
    {
        struct log_stream *stream = LIST_ITEM(link, log_stream, dropped);
        char text[160];
        int n = snprintf(text, sizeof text,
                         "lambkin: %llu events with %llu bytes were dropped here, the disk was "
                         "slower than the function\n",
                         (unsigned long long)stream->dropped_events,
                         (unsigned long long)stream->dropped_bytes);
        if (!fits(store, (size_t)n))
            return;
        uint64_t now = clock_wall_ms();
        list_remove(link);
        stream->dropped_events = stream->dropped_bytes = 0;
        /* The list's reference becomes the item's. */
        collect(store, &(struct item){stream, NULL, now, now, (size_t)n},
                (struct slice){text, (size_t)n});
    }
}

static void complain(struct log_store *store)
{
    uint64_t now = clock_mono_ns() / 1000000;
    if (!store->lost || now - store->complained_ms < COMPLAIN_EVERY_MS)
        return;
    log_warn("logs.write", "err=%s lost=%llu", store->failed.msg, (unsigned long long)store->lost);
    store->complained_ms = now;
    store->lost = 0;
}

static void answer_questions(struct log_store *store);

static void batch_written(struct log_store *store)
{
    each_item(store, &store->writing, release_item);
    buf_clear(&store->writing);
    if (store->writing.cap > BATCH_SOON)
        buf_free(&store->writing);
    complain(store);
    tell_dropped(store);
    answer_questions(store);
}

static void after_write(uv_work_t *work, int status)
{
    struct log_store *store = CAST(log_store, work->data, STORE_MAGIC);
    store->busy = false;
    batch_written(store);
    bool urgent = store->filling.n >= BATCH_SOON || !list_empty(&store->questions);
    if (store->filling.n)
        write_soon(store, urgent);
}

static void begin_batch(struct log_store *store)
{
    struct buf empty = store->writing;
    must(store->writing.n == 0 && !store->busy);
    store->writing = store->filling;
    store->filling = empty;
    store->batch++;
    store->busy = true;
    store->expire = store->expire_due;
    store->expire_due = false;
}

static void start_writing(struct log_store *store)
{
    uv_timer_stop(&store->delay);
    begin_batch(store);
    store->work.data = store;
    must(uv_queue_work(store->loop, &store->work, do_write, after_write) == 0);
}

static void on_delay(uv_timer_t *timer)
{
    struct log_store *store = CAST(log_store, timer->data, STORE_MAGIC);
    if (!store->busy)
        start_writing(store);
}

static void write_soon(struct log_store *store, bool now)
{
    if (store->busy)
        return; /* its end looks again */
    if (now)
        start_writing(store);
    else if (!uv_is_active((uv_handle_t *)&store->delay))
        uv_timer_start(&store->delay, on_delay, BATCH_DELAY_MS, 0);
}

static void on_expire(uv_timer_t *timer)
{
    struct log_store *store = CAST(log_store, timer->data, STORE_MAGIC);
    store->expire_due = true;
    write_soon(store, false);
}

/* ---- questions ---- */

static void answer(struct question *q, int dir)
{
    if (dir < 0) {
        if (q->kind != ASK_GROUPS)
            q->failed = !err_set(&q->err, FAULT_NOT_FOUND, "group");
    } else if (q->kind == ASK_GROUPS) {
        q->count = log_read_groups(dir, q->arena, &q->names);
    } else if (faccessat(dir, "name", F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
        q->failed = !err_set(&q->err, FAULT_NOT_FOUND, "group");
    } else if (q->kind == ASK_STREAMS) {
        q->count = log_read_streams(dir, q->arena, &q->names);
    } else {
        q->failed = !log_read_events(dir, q->arena, &q->query, &q->page, &q->err);
    }
}

/* On a worker thread. */
static void do_answer(uv_work_t *work)
{
    struct question *q = CAST(question, work->data, QUESTION_MAGIC);
    AUTO(fd) int dir = openat(q->store->root, q->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    answer(q, dir);
}

static void after_answer(uv_work_t *work, int status)
{
    struct question *q = CAST(question, work->data, QUESTION_MAGIC);
    const struct err *err = q->failed ? &q->err : NULL;
    q->store->asked--;
    if (q->kind == ASK_EVENTS)
        q->done.read(q->arg, err ? NULL : &q->page, err);
    else
        q->done.names(q->arg, q->names, err ? 0 : q->count, err);
    free(q);
}

static void answer_questions(struct log_store *store)
{
    LIST_EACH(link, &store->questions)
    {
        struct question *q = LIST_ITEM(link, question, link);
        bool on_disk = q->batch < store->batch && !(store->busy && q->batch == store->batch - 1);
        if (!on_disk)
            continue;
        list_remove(link);
        store->asked++;
        q->work.data = q;
        must(uv_queue_work(store->loop, &q->work, do_answer, after_answer) == 0);
    }
}

static struct question *question_new(struct log_store *store, enum kind kind, void *arg)
{
    struct question *q = NEW(question);
    q->magic = QUESTION_MAGIC;
    q->store = store;
    q->kind = kind;
    q->arg = arg;
    list_init(&q->link);
    return q;
}

static void ask(struct question *q)
{
    struct log_store *store = q->store;
    bool collected = store->filling.n > 0;
    q->batch = collected ? store->batch : store->batch - 1;
    list_push_back(&store->questions, &q->link);
    if (collected)
        write_soon(store, true);
    else if (!store->busy)
        answer_questions(store);
}

void log_read(struct log_store *store, struct arena *arena, const struct log_query *query,
              log_read_done *done, void *arg)
{
    struct question *q = question_new(store, ASK_EVENTS, arg);
    q->arena = arena;
    q->query = *query;
    q->query.stream = arena_dup(arena, query->stream);
    q->query.stream_prefix = arena_dup(arena, query->stream_prefix);
    q->done.read = done;
    path_of(q->path, query->account, query->region, query->group);
    ask(q);
}

void log_names(struct log_store *store, struct arena *arena, struct slice account,
               struct slice region, struct slice group, log_names_done *done, void *arg)
{
    struct question *q = question_new(store, group.p ? ASK_STREAMS : ASK_GROUPS, arg);
    q->arena = arena;
    q->done.names = done;
    path_of(q->path, account, region, group);
    ask(q);
}

void log_group_delete(struct log_store *store, struct slice account, struct slice region,
                      struct slice group, log_delete_done *done, void *arg)
{
    struct question *q = question_new(store, ASK_DELETE, arg);
    q->group = group_get(store, account, region, group);
    q->done.deleted = done;
    collect(store, &(struct item){.deletion = q}, S(""));
    write_soon(store, true);
}

/* ---- the store ---- */

struct log_store *log_store_open(uv_loop_t *loop, const char *dir, const struct log_limits *limits,
                                 struct err *err)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        err_os(err, errno, "make %s", dir);
        return NULL;
    }
    int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        err_os(err, errno, "open %s", dir);
        return NULL;
    }
    struct log_store *store = NEW(log_store);
    store->magic = STORE_MAGIC;
    store->loop = loop;
    store->root = root;
    store->limits = *limits;
    store->batch = 1;
    store->groups = map_new();
    store->filling = store->writing = BUF_INIT(SIZE_MAX);
    list_init(&store->questions);
    list_init(&store->dropped);
    must(uv_timer_init(loop, &store->delay) == 0 && uv_timer_init(loop, &store->hourly) == 0);
    store->delay.data = store->hourly.data = store;
    store->handles = 2;
    list_init(&store->open);
    store->expire_due = limits->retention_days > 0; /* with the first batch */
    if (limits->retention_days)
        uv_timer_start(&store->hourly, on_expire, EXPIRE_EVERY_MS, EXPIRE_EVERY_MS);
    uv_unref((uv_handle_t *)&store->hourly);
    return store;
}

static void on_closed(uv_handle_t *handle)
{
    struct log_store *store = CAST(log_store, handle->data, STORE_MAGIC);
    if (--store->handles == 0)
        free(store);
}

void log_store_close(struct log_store *store)
{
    if (!store)
        return;
    while (store->busy || store->asked || !list_empty(&store->questions))
        uv_run(store->loop, UV_RUN_ONCE);
    if (store->filling.n) {
        begin_batch(store);
        write_batch(store);
        store->busy = false;
        each_item(store, &store->writing, release_item);
    }
    size_t at = 0;
    void *value = NULL;
    while (map_next(store->groups, &at, &value)) {
        struct group *group = value;
        log_group_free(group->files);
        free(group->path);
        free(group);
    }
    LIST_EACH(link, &store->dropped)
    {
        list_remove(link);
        stream_unref(LIST_ITEM(link, log_stream, dropped));
    }
    map_free(store->groups);
    buf_free(&store->filling);
    buf_free(&store->writing);
    close(store->root);
    uv_close((uv_handle_t *)&store->delay, on_closed);
    uv_close((uv_handle_t *)&store->hourly, on_closed);
}
