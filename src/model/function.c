#include "model/function.h"

#include "aws/codec.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "lambda_api.h"
#include "model/snapshot.h"
#include "store/db.h"

#include <stdio.h>

enum { DOCUMENT_MAX = 16 << 20 };

const struct function_settings function_settings_default = {.pending_ms = 0, .update_ms = 0};

/* ---- snapshots ---- */

/* What a snapshot needs beside its contents. */
struct held {
    struct function fn;
    struct codes *codes;
};

const struct function *function_ref(const struct function *fn)
{
    struct function *counted = CAST(function, (struct function *)(uintptr_t)fn, FUNCTION_MAGIC);
    counted->refs++;
    return fn;
}

void function_unref(const struct function *fn)
{
    if (!fn)
        return;
    struct function *counted = CAST(function, (struct function *)(uintptr_t)fn, FUNCTION_MAGIC);
    must(counted->refs > 0);
    if (--counted->refs)
        return;
    struct held *held = (struct held *)(void *)counted; /* its first member */
    struct codes *codes = held->codes;
    char code[FUNCTION_DIGEST_LEN + 1];
    memcpy(code, fn->code, sizeof code);
    const struct function *previous = fn->previous;
    counted->magic = 0;
    arena_free(fn->arena); /* the snapshot itself lies in it */
    code_release(codes, code);
    function_unref(previous);
}

struct documents documents_of(struct arena *arena,
                              const struct lambda_FunctionConfiguration *config,
                              const struct aws_map *tags)
{
    AUTO(buf) struct buf b = BUF_INIT(DOCUMENT_MAX);
    struct documents documents = {0};
    struct lambda_FunctionConfiguration bare = *config;
    bare.Environment = NULL;
    aws_encode_struct(lambda_shape_FunctionConfiguration, &bare, &b);
    documents.config = arena_dup(arena, buf_all(&b));
    if (config->Environment) {
        buf_clear(&b);
        aws_encode_struct(lambda_shape_EnvironmentResponse, config->Environment, &b);
        documents.variables = arena_dup(arena, buf_all(&b));
    }
    buf_clear(&b);
    const struct lambda_ListTagsResponse shell = {.Tags = *tags};
    aws_encode_struct(lambda_shape_ListTagsResponse, &shell, &b);
    documents.tags = arena_dup(arena, buf_all(&b));
    must(!b.over);
    return documents;
}

static bool decode(const struct aws_shape *shape, struct slice json, struct arena *arena,
                   void **out, struct err *err)
{
    struct aws_fault fault;
    return aws_decode_struct(shape, json, arena, out, &fault) ||
           err_set(err, FAULT_INTERNAL, "stored document: %.*s", FMT(fault.message));
}

static bool decode_all(struct function *fn, const struct documents *documents, struct err *err)
{
    void *config = NULL;
    void *environment = NULL;
    void *tags = NULL;
    if (!decode(lambda_shape_FunctionConfiguration, documents->config, fn->arena, &config, err) ||
        !decode(lambda_shape_ListTagsResponse, documents->tags, fn->arena, &tags, err))
        return false;
    if (documents->variables.p && !decode(lambda_shape_EnvironmentResponse, documents->variables,
                                          fn->arena, &environment, err))
        return false;
    ((struct lambda_FunctionConfiguration *)config)->Environment = environment;
    fn->config = config;
    fn->tags = ((struct lambda_ListTagsResponse *)tags)->Tags;
    return true;
}

struct function *snapshot_new(struct functions *functions, struct slice account,
                              struct slice region, const struct documents *documents,
                              struct slice code, struct err *err)
{
    struct arena *arena = arena_new();
    struct held *held = ARENA_NEW(arena, held);
    struct function *fn = &held->fn;
    fn->arena = arena;
    if (code.n != FUNCTION_DIGEST_LEN || !decode_all(fn, documents, err)) {
        if (code.n != FUNCTION_DIGEST_LEN)
            err_set(err, FAULT_INTERNAL, "stored digest is damaged");
        arena_free(arena);
        return NULL;
    }
    const struct lambda_FunctionConfiguration *config = fn->config;
    fn->magic = FUNCTION_MAGIC;
    fn->refs = 1;
    fn->account = arena_dup(arena, account);
    fn->region = arena_dup(arena, region);
    fn->name = config->FunctionName;
    fn->version = config->Version;
    fn->arn = config->FunctionArn;
    fn->memory_mb = (uint32_t)config->MemorySize.v;
    fn->timeout_s = (uint32_t)config->Timeout.v;
    fn->tmp_mb = config->EphemeralStorage ? (uint32_t)config->EphemeralStorage->Size.v : 512;
    memcpy(fn->code, code.p, code.n);
    held->codes = functions->codes;
    code_use(held->codes, fn->code);
    return fn;
}

/* ---- entries ---- */

struct slice function_key(char to[FUNCTION_KEY_MAX], struct slice account, struct slice region,
                          struct slice name)
{
    int n = snprintf(to, FUNCTION_KEY_MAX, "%.*s %.*s %.*s", FMT(account), FMT(region), FMT(name));
    /* Names of up to 140 characters come this far; what is longer exists nowhere. */
    return (struct slice){to, (size_t)n < FUNCTION_KEY_MAX ? (size_t)n : 0};
}

struct entry *entry_find(const struct functions *functions, struct slice key)
{
    return map_get(functions->entries, key);
}

struct entry *entry_get(struct functions *functions, struct slice key)
{
    struct entry *entry = entry_find(functions, key);
    if (entry)
        return entry;
    entry = NEW(entry);
    entry->magic = ENTRY_MAGIC;
    entry->functions = functions;
    entry->key = (struct slice){mem_str(key), key.n};
    map_put(functions->entries, entry->key, entry);
    return entry;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void stop_timer(struct entry *entry)
{
    if (entry->timer)
        uv_close((uv_handle_t *)entry->timer, on_timer_closed);
    entry->timer = NULL;
    function_unref(entry->settled);
    entry->settled = NULL;
}

void entry_free(struct entry *entry)
{
    map_remove(entry->functions->entries, entry->key);
    stop_timer(entry);
    function_unref(entry->now);
    free((char *)(uintptr_t)entry->key.p);
    free(entry);
}

void entry_set(struct entry *entry, const struct function *now)
{
    struct functions *functions = entry->functions;
    const struct function *before = entry->now;
    stop_timer(entry);
    entry->now = now;
    for (size_t i = 0; i < functions->listener_count; i++)
        functions->listeners[i].changed(functions->listeners[i].arg, before, now);
    function_unref(before);
}

const struct function *functions_find(const struct functions *functions, struct slice account,
                                      struct slice region, struct slice name, struct slice version)
{
    char key[FUNCTION_KEY_MAX];
    if (version.p && !slice_eq(version, S("$LATEST")))
        return NULL; /* published versions do not exist yet */
    const struct entry *entry = entry_find(functions, function_key(key, account, region, name));
    return entry ? entry->now : NULL;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp((*(const struct function *const *)a)->name,
                     (*(const struct function *const *)b)->name);
}

size_t functions_all(const struct functions *functions, struct arena *arena,
                     const struct function ***out)
{
    size_t n = 0;
    size_t at = 0;
    void *value = NULL;
    const struct function **list =
        arena_array(arena, map_count(functions->entries) + 1, sizeof(struct function *));
    while (map_next(functions->entries, &at, &value)) {
        const struct function *fn = CAST(entry, value, ENTRY_MAGIC)->now;
        if (fn)
            list[n++] = fn;
    }
    *out = list;
    return n;
}

size_t functions_list(const struct functions *functions, struct arena *arena, struct slice account,
                      struct slice region, const struct function ***out)
{
    const struct function **list = NULL;
    size_t all = functions_all(functions, arena, &list);
    size_t n = 0;
    for (size_t i = 0; i < all; i++) {
        if (slice_eq(list[i]->account, account) && slice_eq(list[i]->region, region))
            list[n++] = list[i];
    }
    qsort(list, n, sizeof *list, by_name);
    *out = list;
    return n;
}

struct codes *functions_codes(struct functions *functions)
{
    return functions->codes;
}

void functions_on_change(struct functions *functions, functions_changed *changed, void *arg)
{
    must(functions->listener_count < LISTENERS_MAX);
    functions->listeners[functions->listener_count].changed = changed;
    functions->listeners[functions->listener_count++].arg = arg;
}

void functions_unlisten(struct functions *functions)
{
    functions->listener_count = 0;
}

/* ---- loading ---- */

static bool load_row(void *arg, const struct db_value *columns, size_t count, struct err *err)
{
    struct functions *functions = arg;
    char key[FUNCTION_KEY_MAX];
    AUTO(arena) struct arena *arena = arena_new();
    struct slice account = columns[0].text;
    struct slice region = columns[1].text;
    struct slice name = columns[2].text;
    struct documents documents = {.config = columns[4].text, .tags = columns[6].text};
    must(count == 8);
    if (columns[5].text.p) {
        struct slice owner =
            arena_printf(arena, "%.*s %.*s %.*s", FMT(account), FMT(region), FMT(name));
        if (!secret_unseal(functions->secret, arena, owner, columns[5].text, &documents.variables,
                           err))
            return false;
    }
    struct function *fn =
        snapshot_new(functions, account, region, &documents, columns[7].text, err);
    if (!fn)
        return err_add(err, "function %.*s", FMT(name));
    fn->generation = fn->run_generation = ++functions->generation;
    entry_get(functions, function_key(key, account, region, name))->now = fn;
    return true;
}

static bool load(struct functions *functions, struct err *err)
{
    return db_exec(functions->db,
                   "CREATE TABLE IF NOT EXISTS functions ("
                   "account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, "
                   "version TEXT NOT NULL, config TEXT NOT NULL, variables TEXT, "
                   "tags TEXT NOT NULL, code TEXT NOT NULL, "
                   "PRIMARY KEY (account, region, name, version))",
                   err) &&
           db_read(functions->db,
                   "SELECT account, region, name, version, config, variables, tags, code "
                   "FROM functions",
                   load_row, functions, err);
}

struct functions *functions_open(uv_loop_t *loop, struct db *db, const char *dir,
                                 const struct function_settings *settings, struct err *err)
{
    struct functions *functions = NEW(functions);
    functions->loop = loop;
    functions->db = db;
    functions->settings = *settings;
    functions->codes = codes_new();
    functions->entries = map_new();
    functions->secret = secret_open(dir, err);
    if (!functions->secret || !load(functions, err)) {
        functions_close(functions);
        return NULL;
    }
    return functions;
}

void functions_close(struct functions *functions)
{
    if (!functions)
        return;
    size_t at = 0;
    void *value = NULL;
    codes_close(functions->codes);
    while (map_next(functions->entries, &at, &value)) {
        entry_free(value);
        at = 0; /* the map has changed */
    }
    map_free(functions->entries);
    secret_free(functions->secret);
    free(functions);
}
