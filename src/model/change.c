#include "model/change.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "lambda_api.h"
#include "model/snapshot.h"
#include "store/db.h"

#include <stdio.h>
#include <time.h>

/* A change is prepared whole before it is written: the row has the settled state, with the revision
 * that the function will have then; what is answered at once is Pending or InProgress with another
 * revision and lives in memory only. So the settling itself needs no write that could fail. */

enum { CHANGE_MAGIC = 0x6368616e };

struct function_change {
    uint32_t magic;
    struct entry *entry;
    struct slice account; /* in arena */
    struct slice region;
    struct slice name;
    struct arena *arena;      /* owns this too */
    struct function *first;   /* what is answered */
    struct function *settled; /* what it becomes */
    change_done *done;
    void *arg;
};

static struct slice arn_of(const struct function_change *change)
{
    return arena_printf(change->arena, "arn:aws:lambda:%.*s:%.*s:function:%.*s",
                        FMT(change->region), FMT(change->account), FMT(change->name));
}

static bool refuse(struct slice account, struct slice region, struct slice name, struct err *err)
{
    return err_set(err, FAULT_CONFLICT,
                   "The operation cannot be performed at this time. An update is in progress for "
                   "resource: arn:aws:lambda:%.*s:%.*s:function:%.*s",
                   FMT(region), FMT(account), FMT(name));
}

struct function_change *change_begin(struct functions *functions, struct slice account,
                                     struct slice region, struct slice name, struct err *err)
{
    char text[FUNCTION_KEY_MAX];
    struct slice key = function_key(text, account, region, name);
    must(key.n > 0);
    struct entry *entry = entry_get(functions, key);
    if (entry->changing) {
        refuse(account, region, name, err);
        return NULL;
    }
    struct arena *arena = arena_new();
    struct function_change *change = ARENA_NEW(arena, function_change);
    change->magic = CHANGE_MAGIC;
    change->arena = arena;
    change->entry = entry;
    change->account = arena_dup(arena, account);
    change->region = arena_dup(arena, region);
    change->name = arena_dup(arena, name);
    entry->changing = true;
    return change;
}

const struct function *change_before(const struct function_change *change)
{
    return change->entry->now;
}

static void change_free(struct function_change *change)
{
    struct entry *entry = change->entry;
    entry->changing = false;
    if (!entry->now)
        entry_free(entry);
    function_unref(change->first);
    function_unref(change->settled);
    arena_free(change->arena);
}

void change_abort(struct function_change *change)
{
    if (change)
        change_free(CAST(function_change, change, CHANGE_MAGIC));
}

/* ---- the configuration of a snapshot ---- */

static struct slice new_revision(struct arena *arena)
{
    char id[ID_UUID_LEN + 1];
    id_uuid(id);
    return arena_dup(arena, slice_str(id));
}

static struct slice last_modified(struct arena *arena)
{
    uint64_t ms = clock_wall_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%03u+0000", tm.tm_year + 1900,
                        tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                        (unsigned)(ms % 1000));
}

static struct lambda_FunctionConfiguration settled_config(const struct function_change *change,
                                                          const struct function_draft *draft)
{
    struct lambda_FunctionConfiguration config = *draft->config;
    config.FunctionName = change->name;
    config.FunctionArn = arn_of(change);
    config.Version = S("$LATEST");
    config.LastModified = last_modified(change->arena);
    config.RevisionId = new_revision(change->arena);
    config.State = S("Active");
    config.StateReason = config.StateReasonCode = (struct slice){NULL, 0};
    config.LastUpdateStatus = S("Successful");
    config.LastUpdateStatusReason = config.LastUpdateStatusReasonCode = (struct slice){NULL, 0};
    return config;
}

/* The words are those of creation even for an update (controlplane.md facts 19, 20). */
static void make_unsettled(const struct function_change *change,
                           struct lambda_FunctionConfiguration *config)
{
    config->RevisionId = new_revision(change->arena);
    if (change->entry->now) {
        config->LastUpdateStatus = S("InProgress");
        config->LastUpdateStatusReason = S("The function is being created.");
        config->LastUpdateStatusReasonCode = S("Creating");
    } else {
        config->State = S("Pending");
        config->StateReason = S("The function is being created.");
        config->StateReasonCode = S("Creating");
        config->LastUpdateStatus = (struct slice){NULL, 0};
    }
}

static bool make_snapshots(struct function_change *change, const struct function_draft *draft,
                           struct documents *out_stored, struct err *err)
{
    struct functions *functions = change->entry->functions;
    struct slice code = slice_str(draft->code);
    struct lambda_FunctionConfiguration config = settled_config(change, draft);
    *out_stored = documents_of(change->arena, &config, &draft->tags);
    change->settled =
        snapshot_new(functions, change->account, change->region, out_stored, code, err);
    if (!change->settled)
        return false;
    make_unsettled(change, &config);
    struct documents first = documents_of(change->arena, &config, &draft->tags);
    change->first = snapshot_new(functions, change->account, change->region, &first, code, err);
    if (!change->first)
        return false;
    uint64_t generation = ++functions->generation;
    change->first->generation = change->first->run_generation = generation;
    change->settled->run_generation = generation;
    change->settled->generation = ++functions->generation;
    change->first->pending = !change->entry->now;
    change->first->updating = change->entry->now != NULL;
    if (change->entry->now)
        change->first->previous = function_ref(change->entry->now);
    return true;
}

/* ---- settling ---- */

static void on_settle(uv_timer_t *timer)
{
    struct entry *entry = CAST(entry, timer->data, ENTRY_MAGIC);
    const struct function *settled = function_ref(entry->settled);
    entry_set(entry, settled);
}

static void settle_later(struct entry *entry, struct function *settled, bool created)
{
    const struct function_settings *settings = &entry->functions->settings;
    entry->settled = settled;
    entry->timer = mem_new(sizeof *entry->timer);
    must(uv_timer_init(entry->functions->loop, entry->timer) == 0);
    entry->timer->data = entry;
    uv_timer_start(entry->timer, on_settle, created ? settings->pending_ms : settings->update_ms,
                   0);
}

/* ---- writing ---- */

static void finish(struct function_change *change, const struct function *now,
                   const struct err *err)
{
    change_done *done = change->done;
    void *arg = change->arg;
    change_free(change);
    done(arg, now, err);
}

static void on_saved(void *arg, const struct err *err)
{
    struct function_change *change = CAST(function_change, arg, CHANGE_MAGIC);
    struct entry *entry = change->entry;
    if (err) {
        finish(change, NULL, err);
        return;
    }
    bool created = entry->now == NULL;
    const struct function *now = STEAL(change->first);
    entry_set(entry, now);
    settle_later(entry, STEAL(change->settled), created);
    finish(change, now, NULL);
}

static struct slice sealed_variables(const struct function_change *change,
                                     const struct documents *documents)
{
    if (!documents->variables.p)
        return documents->variables;
    return secret_seal(change->entry->functions->secret, change->arena, change->entry->key,
                       documents->variables);
}

void change_save(struct function_change *change, const struct function_draft *draft,
                 change_done *done, void *arg)
{
    static const char insert[] = "INSERT INTO functions "
                                 "(config, variables, tags, code, account, region, name, version) "
                                 "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    static const char update[] =
        "UPDATE functions SET config = $1, variables = $2, tags = $3, code = $4 "
        "WHERE account = $5 AND region = $6 AND name = $7 AND version = $8";
    struct documents documents;
    struct err err;
    change->done = done;
    change->arg = arg;
    /* What the tables have encoded they can decode; only a mistake of ours ends here. */
    bool made = make_snapshots(change, draft, &documents, &err);
    if (!made)
        log_error("model.snapshot", "err=%s", err.msg);
    must(made);
    const struct db_value values[] = {
        DB_TEXT(documents.config), DB_TEXT(sealed_variables(change, &documents)),
        DB_TEXT(documents.tags),   DB_TEXT(slice_str(draft->code)),
        DB_TEXT(change->account),  DB_TEXT(change->region),
        DB_TEXT(change->name),     DB_TEXT(S("$LATEST"))};
    struct db_write *write = db_write_new();
    db_write_add(write, 1, change->entry->now ? update : insert, values, COUNT_OF(values));
    db_submit(change->entry->functions->db, write, on_saved, change);
}

static void on_deleted(void *arg, const struct err *err)
{
    struct function_change *change = CAST(function_change, arg, CHANGE_MAGIC);
    if (!err)
        entry_set(change->entry, NULL);
    finish(change, NULL, err);
}

void change_delete(struct function_change *change, change_done *done, void *arg)
{
    change->done = done;
    change->arg = arg;
    must(change->entry->now != NULL);
    const struct db_value values[] = {DB_TEXT(change->account), DB_TEXT(change->region),
                                      DB_TEXT(change->name)};
    struct db_write *write = db_write_new();
    db_write_add(write, DB_ANY_ROWS,
                 "DELETE FROM functions WHERE account = $1 AND region = $2 AND name = $3", values,
                 COUNT_OF(values));
    db_submit(change->entry->functions->db, write, on_deleted, change);
}
