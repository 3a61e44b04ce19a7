/* Questions to the log store and changes of what is in it, and their answers. */
#include "base/mem.h"
#include "store/log_queue.h"
#include "store/log_read.h"

#include <fcntl.h>
#include <stdio.h>

enum { QUESTION_MAGIC = 0x6c6f6771 };

static struct log_question *question_new(struct log_store *store, enum log_question_kind kind,
                                         const struct log_where *where, void *arg)
{
    struct log_question *q = NEW(log_question);
    q->magic = QUESTION_MAGIC;
    q->store = store;
    q->kind = kind;
    q->arg = arg;
    if (where->group.p)
        q->entry = log_entry_hold(store, where);
    list_init(&q->link);
    return q;
}

static void question_free(struct log_question *q)
{
    if (q->entry)
        log_entry_release(q->store, q->entry);
    log_visit_end(q->store, &q->visit);
    free(q);
}

/* ---- changes ---- */

static bool apply(struct log_question *q)
{
    struct log_group *group = q->entry->group;
    struct err *err = &q->err;
    switch (q->kind) {
    case CHANGE_MAKE_GROUP:
        return log_group_create(group, q->is.settings, err);
    case CHANGE_DELETE_GROUP:
        return log_group_remove(group, err);
    case CHANGE_SET_GROUP:
        if (!log_group_change(group, q->arena, q->is.change, q->arg, err))
            return false;
        log_group_expire(group);
        return true;
    case CHANGE_MAKE_STREAM:
        return log_stream_make(group, q->is.stream, err);
    case CHANGE_DELETE_STREAM:
        return log_stream_remove(group, q->is.stream, err);
    case CHANGE_PUT:
        return log_group_put(group, q->is.stream, q->is.put, q->is.count, &q->got.expired, err);
    case ASK_EVENTS:
    case ASK_GROUPS:
    case ASK_STREAMS:
    default:
        return err_set(err, FAULT_INTERNAL, "no change");
    }
}

void log_change_apply(struct log_question *q)
{
    q->failed = !apply(q);
}

void log_change_done(struct log_question *q)
{
    const struct err *err = q->failed ? &q->err : NULL;
    if (q->kind == CHANGE_PUT)
        q->done.put(q->arg, q->got.expired, err);
    else
        q->done.plain(q->arg, err);
    question_free(q);
}

static void change(struct log_question *q)
{
    log_collect_change(q->store, q);
    log_write_soon(q->store, true);
}

void log_group_make(struct log_store *store, const struct log_where *where, struct slice settings,
                    log_done *done, void *arg)
{
    struct log_question *q = question_new(store, CHANGE_MAKE_GROUP, where, arg);
    q->is.settings = settings;
    q->done.plain = done;
    change(q);
}

void log_group_delete(struct log_store *store, const struct log_where *where, log_done *done,
                      void *arg)
{
    struct log_question *q = question_new(store, CHANGE_DELETE_GROUP, where, arg);
    q->done.plain = done;
    change(q);
}

void log_group_set(struct log_store *store, struct arena *arena, const struct log_where *where,
                   log_group_changer *changer, log_done *done, void *arg)
{
    struct log_question *q = question_new(store, CHANGE_SET_GROUP, where, arg);
    q->arena = arena;
    q->is.change = changer;
    q->done.plain = done;
    change(q);
}

void log_stream_create(struct log_store *store, const struct log_where *where, struct slice stream,
                       log_done *done, void *arg)
{
    struct log_question *q = question_new(store, CHANGE_MAKE_STREAM, where, arg);
    q->is.stream = stream;
    q->done.plain = done;
    change(q);
}

void log_stream_delete(struct log_store *store, const struct log_where *where, struct slice stream,
                       log_done *done, void *arg)
{
    struct log_question *q = question_new(store, CHANGE_DELETE_STREAM, where, arg);
    q->is.stream = stream;
    q->done.plain = done;
    change(q);
}

void log_put(struct log_store *store, const struct log_where *where, struct slice stream,
             const struct log_event *events, size_t count, log_put_done *done, void *arg)
{
    struct log_question *q = question_new(store, CHANGE_PUT, where, arg);
    q->is.stream = stream;
    q->is.put = events;
    q->is.count = count;
    q->done.put = done;
    change(q);
}

/* ---- answers, on a worker thread ---- */

static bool contains(struct slice name, struct slice part)
{
    return !part.n || (name.n && memmem(name.p, name.n, part.p, part.n) != NULL);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp((*(struct log_entry *const *)a)->group->name,
                     (*(struct log_entry *const *)b)->group->name);
}

static void answer_groups(struct log_question *q)
{
    const struct log_groups_query *query = &q->is.groups;
    struct log_entry **found = mem_new_array(q->visit.n + 1, sizeof(void *));
    struct err ignored;
    size_t n = 0;
    for (size_t i = 0; i < q->visit.n; i++) {
        struct slice name = q->visit.entries[i]->group->name; /* never changes */
        if (slice_starts(name, query->prefix) && contains(name, query->part) &&
            (!query->after.p || slice_cmp(name, query->after) > 0))
            found[n++] = q->visit.entries[i];
    }
    if (n)
        qsort(found, n, sizeof *found, by_name);
    q->got.groups =
        arena_array(q->arena, n < query->limit ? n : query->limit, sizeof *q->got.groups);
    for (size_t i = 0; i < n && !q->got.more; i++) {
        if (!log_group_exists(found[i]->group))
            continue;
        q->got.more = q->got.group_count == query->limit;
        if (!q->got.more)
            q->got.group_count += log_group_info(found[i]->group, q->arena, true,
                                                 &q->got.groups[q->got.group_count], &ignored);
    }
    free(found);
}

static bool answer_group(struct log_question *q)
{
    q->got.groups = arena_array(q->arena, 1, sizeof *q->got.groups);
    q->got.group_count = 1;
    return log_group_info(q->entry->group, q->arena, true, q->got.groups, &q->err);
}

static bool answer_streams(struct log_question *q)
{
    if (!log_group_exists(q->entry->group))
        return err_set(&q->err, FAULT_NOT_FOUND, "group");
    q->got.stream_count = log_group_streams(q->entry->group, q->arena, &q->got.streams);
    return true;
}

static bool answer_events(struct log_question *q)
{
    const struct log_query *query = &q->is.events;
    struct log_view view;
    if (!log_group_view(q->entry->group, q->arena, query->streams, query->stream_count, &view,
                        &q->err))
        return false;
    AUTO(fd)
    int dir = openat(q->store->root, q->entry->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_set(&q->err, FAULT_NOT_FOUND, "group");
    log_read_events(dir, q->arena, &view, query, &q->got.page);
    return true;
}

static void do_answer(uv_work_t *work)
{
    struct log_question *q = CAST(log_question, work->data, QUESTION_MAGIC);
    bool ok = true;
    if (q->kind == ASK_EVENTS)
        ok = answer_events(q);
    else if (q->kind == ASK_STREAMS)
        ok = answer_streams(q);
    else if (q->entry)
        ok = answer_group(q);
    else
        answer_groups(q);
    q->failed = !ok;
}

static void after_answer(uv_work_t *work, int status)
{
    struct log_question *q = CAST(log_question, work->data, QUESTION_MAGIC);
    const struct err *err = q->failed ? &q->err : NULL;
    q->store->asked--;
    if (q->kind == ASK_EVENTS)
        q->done.read(q->arg, err ? NULL : &q->got.page, err);
    else if (q->kind == ASK_STREAMS)
        q->done.streams(q->arg, q->got.streams, err ? 0 : q->got.stream_count, err);
    else
        q->done.groups(q->arg, q->got.groups, err ? 0 : q->got.group_count, q->got.more, err);
    question_free(q);
}

void log_questions_answer(struct log_store *store)
{
    LIST_EACH(link, &store->questions)
    {
        struct log_question *q = LIST_ITEM(link, log_question, link);
        bool on_disk = q->batch < store->batch && !(store->busy && q->batch == store->batch - 1);
        if (!on_disk)
            continue;
        list_remove(link);
        store->asked++;
        if (q->kind == ASK_GROUPS && !q->entry) {
            char path[3 * LOG_FILE_NAME_MAX];
            log_path(path, &q->is.groups.where);
            q->visit = log_visit_begin(store, slice_str(path));
        }
        q->work.data = q;
        must(uv_queue_work(store->loop, &q->work, do_answer, after_answer) == 0);
    }
}

/* ---- questions ---- */

static void ask(struct log_question *q)
{
    struct log_store *store = q->store;
    bool collected = store->filling.n > 0;
    q->batch = collected ? store->batch : store->batch - 1;
    list_push_back(&store->questions, &q->link);
    if (collected)
        log_write_soon(store, true);
    else if (!store->busy)
        log_questions_answer(store);
}

void log_read(struct log_store *store, struct arena *arena, const struct log_query *query,
              log_read_done *done, void *arg)
{
    struct log_question *q = question_new(store, ASK_EVENTS, &query->where, arg);
    q->arena = arena;
    q->is.events = *query;
    q->done.read = done;
    ask(q);
}

void log_groups(struct log_store *store, struct arena *arena, const struct log_groups_query *query,
                log_groups_done *done, void *arg)
{
    struct log_question *q = question_new(store, ASK_GROUPS, &query->where, arg);
    q->arena = arena;
    q->is.groups = *query;
    q->done.groups = done;
    ask(q);
}

void log_streams(struct log_store *store, struct arena *arena, const struct log_where *where,
                 log_streams_done *done, void *arg)
{
    struct log_question *q = question_new(store, ASK_STREAMS, where, arg);
    q->arena = arena;
    q->done.streams = done;
    ask(q);
}
