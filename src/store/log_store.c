#include "store/log_store.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/log_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    STORE_MAGIC = 0x6c6f6773,
    STREAM_MAGIC = 0x6c6f6774,
    BATCH_DELAY_MS = 50,     /* a busy function costs one write in this time */
    BATCH_SOON = 512 * 1024, /* a flood is written at once */
    OPEN_GROUPS_MAX = 64,
    EXPIRE_EVERY_MS = 3600 * 1000,
    COMPLAIN_EVERY_MS = 10000,
};

const struct log_limits log_limits_default = {
    .group_bytes = UINT64_C(64) << 20,
    .segment_bytes = UINT64_C(4) << 20,
    .pending_bytes = UINT64_C(8) << 20,
    .retention_days = 0,
    .event_max = 1 << 20,
};

struct item {
    struct log_stream *stream;   /* a reference; NULL: a change */
    struct log_question *change; /* owned */
    uint64_t timestamp;
    uint64_t ingestion;
    size_t length; /* of the message that follows, padded to 8 */
};

struct log_stream {
    uint32_t magic;
    uint32_t refs;
    struct log_store *store;
    struct log_entry *entry;
    struct slice name;   /* owned */
    struct list dropped; /* in the store's list while something was dropped */
    uint64_t dropped_events;
    uint64_t dropped_bytes;
};

/* ---- streams ---- */

static void stream_unref(struct log_stream *stream)
{
    if (--stream->refs)
        return;
    list_remove(&stream->dropped);
    log_entry_release(stream->store, stream->entry);
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
    s->entry = log_entry_hold(store, &(struct log_where){account, region, group});
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
    log_write_soon(store, store->filling.n >= BATCH_SOON);
}

void log_collect_change(struct log_store *store, struct log_question *question)
{
    collect(store, &(struct item){.change = question}, S(""));
}

/* ---- writing ---- */

static void used(struct log_store *store, struct log_entry *entry)
{
    entry->batch = store->batch - 1;
    list_remove(&entry->open);
    list_push_front(&store->open, &entry->open);
}

static void count_lost(struct log_store *store, struct log_group *group, const struct err *err)
{
    store->failed = *err;
    store->lost += log_group_lost(group);
}

static void write_item(struct log_store *store, const struct item *item, struct slice message)
{
    struct err err = {0};
    if (item->change) {
        used(store, item->change->entry);
        log_change_apply(item->change);
        return;
    }
    struct log_entry *entry = item->stream->entry;
    used(store, entry);
    if (!log_group_add(entry->group, item->stream->name, item->timestamp, item->ingestion, message,
                       &err))
        count_lost(store, entry->group, &err);
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

static void close_entry(struct log_entry *entry)
{
    log_group_close(entry->group);
    list_remove(&entry->open);
}

static void flush_groups(struct log_store *store)
{
    size_t open = 0;
    struct err err = {0};
    LIST_EACH(link, &store->open)
    {
        struct log_entry *entry = LIST_ITEM(link, log_entry, open);
        bool written = entry->batch == store->batch - 1;
        if (written && log_group_is_open(entry->group) && !log_group_flush(entry->group, &err))
            count_lost(store, entry->group, &err);
        /* Most recently used first. */
        if (!log_group_is_open(entry->group) || ++open > OPEN_GROUPS_MAX)
            close_entry(entry);
    }
}

/* All of them, so that in quiet groups, too, what is old goes; and what questions loaded. */
static void expire_all(struct log_store *store)
{
    for (size_t i = 0; i < store->expire.n; i++) {
        struct log_entry *entry = store->expire.entries[i];
        log_group_expire(entry->group);
        close_entry(entry);
    }
}

static void write_batch(struct log_store *store)
{
    each_item(store, &store->writing, write_item);
    flush_groups(store);
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
        log_change_done(item->change);
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

static void batch_written(struct log_store *store)
{
    each_item(store, &store->writing, release_item);
    log_visit_end(store, &store->expire);
    buf_clear(&store->writing);
    if (store->writing.cap > BATCH_SOON)
        buf_free(&store->writing);
    complain(store);
    tell_dropped(store);
    log_questions_answer(store);
}

static void after_write(uv_work_t *work, int status)
{
    struct log_store *store = CAST(log_store, work->data, STORE_MAGIC);
    store->busy = false;
    batch_written(store);
    bool urgent = store->filling.n >= BATCH_SOON || !list_empty(&store->questions);
    if (store->filling.n)
        log_write_soon(store, urgent);
}

static void begin_batch(struct log_store *store)
{
    struct buf empty = store->writing;
    must(store->writing.n == 0 && !store->busy);
    store->writing = store->filling;
    store->filling = empty;
    store->batch++;
    store->busy = true;
    if (store->expire_due)
        store->expire = log_visit_begin(store, S(""));
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

void log_write_soon(struct log_store *store, bool now)
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
    log_write_soon(store, false);
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
    store->entries = map_new();
    store->filling = store->writing = BUF_INIT(SIZE_MAX);
    list_init(&store->questions);
    list_init(&store->dropped);
    must(uv_timer_init(loop, &store->delay) == 0 && uv_timer_init(loop, &store->hourly) == 0);
    store->delay.data = store->hourly.data = store;
    store->handles = 2;
    list_init(&store->open);
    store->expire_due = true; /* with the first batch */
    uv_timer_start(&store->hourly, on_expire, EXPIRE_EVERY_MS, EXPIRE_EVERY_MS);
    uv_unref((uv_handle_t *)&store->hourly);
    log_entries_find(store);
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
        log_visit_end(store, &store->expire);
    }
    LIST_EACH(link, &store->dropped)
    {
        list_remove(link);
        stream_unref(LIST_ITEM(link, log_stream, dropped));
    }
    log_entries_free(store);
    buf_free(&store->filling);
    buf_free(&store->writing);
    close(store->root);
    uv_close((uv_handle_t *)&store->delay, on_closed);
    uv_close((uv_handle_t *)&store->hourly, on_closed);
}
