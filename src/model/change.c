#include "model/change.h"

#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "lambda_api.h"
#include "model/snapshot.h"
#include "model/stamp.h"
#include "store/db.h"
#include "store_api.h"

#include <inttypes.h>

/* A change is prepared whole before it is written: the rows have the settled state, with the
 * revision that the function will have then; what is answered at once is Pending or InProgress with
 * another revision and lives in memory only. So the settling itself needs no write that could fail.
 */

enum { CHANGE_MAGIC = 0x6368616e };

/* What becomes of one version. */
struct outcome {
    struct function *first;   /* what is answered */
    struct function *settled; /* what it becomes after a while; NULL: first is settled */
};

struct function_change {
    uint32_t magic;
    struct entry *entry;
    struct slice account; /* in arena */
    struct slice region;
    struct slice name;
    struct arena *arena; /* owns this too */
    struct table_write *write;
    struct outcome latest;
    struct outcome version; /* first NULL: none */
    uint64_t number;        /* of the version that is published or deleted */
    change_done *done;
    void *arg;
};

/* ---- begin and end ---- */

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
    return version_function(change->entry, &change->entry->latest);
}

static const struct store_FunctionState *state_of(const struct function_change *change)
{
    static const struct store_FunctionState none;
    const struct store_FunctionState *state =
        table_get(change->entry->functions->resources->states, change->entry->key);
    return state ? state : &none;
}

const struct function *change_published(const struct function_change *change)
{
    uint64_t number = (uint64_t)state_of(change)->Published.v;
    struct version *version = number ? entry_version(change->entry, number) : NULL;
    return version ? version_function(change->entry, version) : NULL;
}

static void change_free(struct function_change *change)
{
    struct entry *entry = change->entry;
    entry->changing = false;
    if (entry->cleared)
        entry_clear(entry);
    if (!entry_exists(entry))
        entry_free(entry);
    table_write_free(change->write);
    function_unref(change->latest.first);
    function_unref(change->latest.settled);
    function_unref(change->version.first);
    function_unref(change->version.settled);
    arena_free(change->arena);
}

void change_abort(struct function_change *change)
{
    if (change)
        change_free(CAST(function_change, change, CHANGE_MAGIC));
}

static void finish(struct function_change *change, const struct function *now,
                   const struct function *version, const struct err *err)
{
    change_done *done = change->done;
    void *arg = change->arg;
    change_free(change);
    done(arg, now, version, err);
}

/* ---- configurations ---- */

static struct slice new_revision(struct arena *arena)
{
    char id[ID_UUID_LEN + 1];
    id_uuid(id);
    return arena_dup(arena, slice_str(id));
}

static struct lambda_FunctionConfiguration settled_config(const struct function_change *change,
                                                          const struct function_draft *draft)
{
    struct lambda_FunctionConfiguration config = *draft->config;
    config.FunctionName = change->name;
    config.FunctionArn = arena_printf(change->arena, "arn:aws:lambda:%.*s:%.*s:function:%.*s",
                                      FMT(change->region), FMT(change->account), FMT(change->name));
    config.Version = S("$LATEST");
    config.LastModified = stamp_now(change->arena);
    config.RevisionId = new_revision(change->arena);
    config.State = S("Active");
    config.StateReason = config.StateReasonCode = (struct slice){NULL, 0};
    config.LastUpdateStatus = S("Successful");
    config.LastUpdateStatusReason = config.LastUpdateStatusReasonCode = (struct slice){NULL, 0};
    return config;
}

static void make_pending(struct lambda_FunctionConfiguration *config)
{
    config->State = S("Pending");
    config->StateReason = S("The function is being created.");
    config->StateReasonCode = S("Creating");
    config->LastUpdateStatus = (struct slice){NULL, 0};
}

/* The words are those of creation even for an update (controlplane.md facts 19, 20). */
static void make_in_progress(struct lambda_FunctionConfiguration *config)
{
    config->LastUpdateStatus = S("InProgress");
    config->LastUpdateStatusReason = S("The function is being created.");
    config->LastUpdateStatusReasonCode = S("Creating");
}

static struct lambda_FunctionConfiguration
version_config(const struct function_change *change,
               const struct lambda_FunctionConfiguration *latest, struct slice description)
{
    struct lambda_FunctionConfiguration config = *latest;
    config.Version = arena_printf(change->arena, "%" PRIu64, change->number);
    config.FunctionArn =
        arena_printf(change->arena, "%.*s:%" PRIu64, FMT(latest->FunctionArn), change->number);
    config.RevisionId = new_revision(change->arena);
    if (description.p)
        config.Description = description;
    /* There is no snapshot: every start is an ordinary one. But clients wait for this word. */
    if (latest->SnapStart && slice_eq(latest->SnapStart->ApplyOn, S("PublishedVersions"))) {
        config.SnapStart = ARENA_NEW(change->arena, lambda_SnapStartResponse);
        *config.SnapStart = (struct lambda_SnapStartResponse){latest->SnapStart->ApplyOn, S("On")};
    }
    return config;
}

/* What the tables have encoded they can decode; only a mistake of ours ends here. */
static struct function *snapshot(const struct function_change *change,
                                 const struct documents *documents, struct slice made_of)
{
    struct err err;
    struct functions *functions = change->entry->functions;
    struct function *fn = snapshot_new(functions, change->entry->load, change->account,
                                       change->region, documents, made_of, &err);
    if (!fn)
        log_error("model.snapshot", "err=%s", err.msg);
    must(fn != NULL);
    fn->generation = fn->run_generation = ++functions->generation;
    return fn;
}

/* ---- rows ---- */

static struct table_write *write_of(struct function_change *change)
{
    if (!change->write)
        change->write = table_write_new(change->entry->functions->resources->tables);
    return change->write;
}

static void write_row(struct function_change *change, bool is_new, struct slice version,
                      const struct documents *documents, struct slice made_of)
{
    static const char insert[] = "INSERT INTO functions "
                                 "(config, variables, tags, code, account, region, name, version) "
                                 "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    static const char update[] =
        "UPDATE functions SET config = $1, variables = $2, tags = $3, code = $4 "
        "WHERE account = $5 AND region = $6 AND name = $7 AND version = $8";
    const struct slice sealed = documents->variables.p
                                    ? secret_seal(change->entry->functions->secret, change->arena,
                                                  change->entry->key, documents->variables)
                                    : documents->variables;
    const struct db_value values[] = {DB_TEXT(documents->config), DB_TEXT(sealed),
                                      DB_TEXT(documents->tags),   DB_TEXT(made_of),
                                      DB_TEXT(change->account),   DB_TEXT(change->region),
                                      DB_TEXT(change->name),      DB_TEXT(version)};
    db_write_add(table_write_sql(write_of(change)), 1, is_new ? insert : update, values,
                 COUNT_OF(values));
}

static void write_state(struct function_change *change, int64_t last, int64_t published)
{
    const struct store_FunctionState state = {OPT_I64(last), OPT_I64(published)};
    table_put(write_of(change), change->entry->functions->resources->states, change->entry->key,
              &state);
}

/* A version of the settled `latest`: its row and its snapshots. */
static void add_version(struct function_change *change,
                        const struct lambda_FunctionConfiguration *latest, struct slice description,
                        struct slice made_of, bool pending)
{
    change->number = (uint64_t)state_of(change)->LastVersion.v + 1;
    struct aws_map no_tags = {.set = false};
    struct lambda_FunctionConfiguration config = version_config(change, latest, description);
    struct documents documents = documents_of(change->arena, &config, &no_tags);
    write_row(change, true, config.Version, &documents, made_of);
    write_state(change, (int64_t)change->number, (int64_t)change->number);
    struct function *settled = snapshot(change, &documents, made_of);
    if (!pending) {
        change->version.first = settled;
        return;
    }
    make_pending(&config);
    documents = documents_of(change->arena, &config, &no_tags);
    change->version.first = snapshot(change, &documents, made_of);
    change->version.first->pending = true;
    settled->run_generation = change->version.first->run_generation;
    change->version.settled = settled;
}

/* ---- saving ---- */

static void apply(struct entry *entry, struct version *version, struct outcome *outcome)
{
    function_unref(version->settled);
    version->settled = STEAL(outcome->settled);
    version_set(entry, version, STEAL(outcome->first));
}

static void on_saved(void *arg, const struct err *err)
{
    struct function_change *change = CAST(function_change, arg, CHANGE_MAGIC);
    struct entry *entry = change->entry;
    const struct function_settings *settings = &entry->functions->settings;
    if (err) {
        finish(change, NULL, NULL, err);
        return;
    }
    bool created = !entry_exists(entry);
    bool settles = change->latest.settled != NULL;
    const struct function *now = change->latest.first;
    const struct function *version = change->version.first;
    if (version)
        apply(entry, entry_add(entry, change->number), &change->version);
    apply(entry, &entry->latest, &change->latest);
    if (settles)
        entry_settle_later(entry, created ? settings->pending_ms : settings->update_ms);
    finish(change, now, version, NULL);
}

static void commit(struct function_change *change, table_done *on_done, change_done *done,
                   void *arg)
{
    change->done = done;
    change->arg = arg;
    table_commit(STEAL(change->write), on_done, change);
}

void change_save(struct function_change *change, const struct function_draft *draft,
                 change_done *done, void *arg)
{
    const struct function *before = change_before(change);
    struct lambda_FunctionConfiguration config = settled_config(change, draft);
    struct documents documents = documents_of(change->arena, &config, &draft->tags);
    write_row(change, !before, S("$LATEST"), &documents, draft->made_of);
    struct function *settled = snapshot(change, &documents, draft->made_of);
    if (draft->signing.p)
        table_put(write_of(change), change->entry->functions->resources->signing,
                  change->entry->key, &(struct store_Reference){draft->signing});
    if (draft->publish)
        add_version(change, &config, (struct slice){NULL, 0}, draft->made_of, true);
    else
        write_state(change, state_of(change)->LastVersion.v, 0);
    config.RevisionId = new_revision(change->arena);
    (before ? make_in_progress : make_pending)(&config);
    documents = documents_of(change->arena, &config, &draft->tags);
    struct function *first = snapshot(change, &documents, draft->made_of);
    first->pending = !before;
    first->updating = before != NULL;
    first->previous = before ? function_ref(before) : NULL;
    first->run_generation = settled->run_generation;
    settled->generation = ++change->entry->functions->generation;
    change->latest = (struct outcome){first, settled};
    commit(change, on_saved, done, arg);
}

/* ---- changes that leave the function running ---- */

/* A snapshot of the same code and configuration; nothing that runs is replaced. */
static struct function *touched(const struct function_change *change, const struct function *from,
                                struct slice revision, const struct aws_map *tags,
                                struct documents *out_documents)
{
    struct lambda_FunctionConfiguration config = *from->config;
    config.RevisionId = revision;
    *out_documents = documents_of(change->arena, &config, tags ? tags : &from->tags);
    struct function *fn = snapshot(change, out_documents, from->made_of);
    fn->run_generation = from->run_generation;
    fn->pending = from->pending;
    fn->updating = from->updating;
    fn->previous = from->previous ? function_ref(from->previous) : NULL;
    return fn;
}

static void touch_latest(struct function_change *change, const struct aws_map *tags)
{
    const struct version *latest = &change->entry->latest;
    const struct function *now = change_before(change);
    struct documents documents;
    if (latest->settled)
        change->latest.settled =
            touched(change, latest->settled, latest->settled->config->RevisionId, tags, &documents);
    struct documents *row = &documents;
    struct documents memory_only;
    change->latest.first = touched(change, now, new_revision(change->arena), tags,
                                   latest->settled ? &memory_only : row);
    write_row(change, false, S("$LATEST"), row, now->made_of);
}

static void on_touched(void *arg, const struct err *err)
{
    struct function_change *change = CAST(function_change, arg, CHANGE_MAGIC);
    struct entry *entry = change->entry;
    if (err) {
        finish(change, NULL, NULL, err);
        return;
    }
    const struct function *now = change->latest.first;
    const struct function *version = change->version.first;
    if (version)
        apply(entry, entry_add(entry, change->number), &change->version);
    if (!entry->latest.settled) { /* it may have settled while this was written */
        struct function *settled = STEAL(change->latest.settled);
        if (settled) {
            function_unref(change->latest.first);
            change->latest.first = settled;
            now = settled;
        }
    }
    apply(entry, &entry->latest, &change->latest);
    finish(change, now, version, NULL);
}

void change_publish(struct function_change *change, struct slice description, change_done *done,
                    void *arg)
{
    const struct function *now = change_before(change);
    touch_latest(change, NULL);
    add_version(change, now->config, description, now->made_of, false);
    commit(change, on_touched, done, arg);
}

void change_tags(struct function_change *change, const struct aws_map *tags, change_done *done,
                 void *arg)
{
    touch_latest(change, tags);
    commit(change, on_touched, done, arg);
}

/* ---- deleting ---- */

/* Its rows in the tables go at once, so nobody may find what they belonged to either: a row that is
 * put until the deletion is on disk would outlive it, and belong to the next of the name. */
static void leave(struct function_change *change, bool leaving)
{
    if (change->number)
        entry_version(change->entry, change->number)->leaving = leaving;
    else
        change->entry->leaving = leaving;
}

static void on_deleted(void *arg, const struct err *err)
{
    struct function_change *change = CAST(function_change, arg, CHANGE_MAGIC);
    struct entry *entry = change->entry;
    leave(change, false);
    if (err) {
        finish(change, NULL, NULL, err);
        return;
    }
    if (change->number)
        entry_drop(entry, change->number);
    else
        entry_clear(entry);
    finish(change, NULL, NULL, NULL);
}

void change_delete(struct function_change *change, change_done *done, void *arg)
{
    const struct db_value values[] = {DB_TEXT(change->account), DB_TEXT(change->region),
                                      DB_TEXT(change->name)};
    must(entry_exists(change->entry));
    db_write_add(table_write_sql(write_of(change)), DB_ANY_ROWS,
                 "DELETE FROM functions WHERE account = $1 AND region = $2 AND name = $3", values,
                 COUNT_OF(values));
    resources_forget(change->entry->functions->resources, write_of(change), change->entry->key);
    leave(change, true);
    commit(change, on_deleted, done, arg);
}

void change_delete_version(struct function_change *change, uint64_t number, change_done *done,
                           void *arg)
{
    struct slice version = arena_printf(change->arena, "%" PRIu64, number);
    const struct db_value values[] = {DB_TEXT(change->account), DB_TEXT(change->region),
                                      DB_TEXT(change->name), DB_TEXT(version)};
    must(entry_version(change->entry, number) != NULL);
    change->number = number;
    db_write_add(table_write_sql(write_of(change)), 1,
                 "DELETE FROM functions WHERE account = $1 AND region = $2 AND name = $3 AND "
                 "version = $4",
                 values, COUNT_OF(values));
    resources_forget(
        change->entry->functions->resources, write_of(change),
        arena_printf(change->arena, "%.*s %.*s", FMT(change->entry->key), FMT(version)));
    leave(change, true);
    commit(change, on_deleted, done, arg);
}
