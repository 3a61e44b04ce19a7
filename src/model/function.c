#include "model/function.h"

#include "base/mem.h"
#include "lambda_api.h"
#include "model/snapshot.h"
#include "store/db.h"

#include <stdio.h>

const struct function_settings function_settings_default = {.pending_ms = 0, .update_ms = 0};

struct slice function_key(char to[FUNCTION_KEY_MAX], struct slice account, struct slice region,
                          struct slice name)
{
    int n = snprintf(to, FUNCTION_KEY_MAX, "%.*s %.*s %.*s", FMT(account), FMT(region), FMT(name));
    /* Names of up to 140 characters come this far; what is longer exists nowhere. */
    return (struct slice){to, (size_t)n < FUNCTION_KEY_MAX ? (size_t)n : 0};
}

/* 0: $LATEST. False: no version can have this name. */
static bool version_number(struct slice version, uint64_t *out)
{
    *out = 0;
    if (!version.p || slice_eq(version, S("$LATEST")))
        return true;
    return version.n && version.p[0] != '0' && slice_u64(version, out);
}

const struct function *functions_find(const struct functions *functions, struct slice account,
                                      struct slice region, struct slice name, struct slice version)
{
    char key[FUNCTION_KEY_MAX];
    uint64_t number = 0;
    struct entry *entry = entry_find(functions, function_key(key, account, region, name));
    if (!entry || entry->leaving || !version_number(version, &number))
        return NULL;
    struct version *found = entry_version(entry, number);
    return found && !found->leaving ? version_function(entry, found) : NULL;
}

/* ---- lists ---- */

struct listing {
    const struct function **list;
    size_t n;
    size_t limit;
};

static bool add(struct listing *listing, struct entry *entry, struct version *version)
{
    const struct function *fn = version_function(entry, version);
    if (listing->n == listing->limit)
        return false;
    if (fn)
        listing->list[listing->n++] = fn;
    return true;
}

static bool add_versions(struct listing *listing, struct entry *entry, uint64_t after)
{
    for (size_t i = 0; i < entry->count; i++) {
        if (entry->versions[i].number > after && !add(listing, entry, &entry->versions[i]))
            return false;
    }
    return true;
}

size_t functions_list(const struct functions *functions, struct arena *arena,
                      const struct function_page *page, const struct function ***out)
{
    char text[FUNCTION_KEY_MAX];
    char after[FUNCTION_KEY_MAX];
    struct slice name = page->name.p ? page->name : S("");
    struct slice prefix = function_key(text, page->account, page->region, name);
    struct slice behind = page->after_name.p
                              ? function_key(after, page->account, page->region, page->after_name)
                              : (struct slice){NULL, 0};
    struct listing listing = {arena_array(arena, page->limit + 1, sizeof *listing.list), 0,
                              page->limit};
    bool more = prefix.n > 0;
    for (size_t at = entries_from(functions, behind.n ? behind : prefix);
         more && at < functions->count; at++) {
        struct entry *entry = functions->entries[at];
        bool resumed = behind.n && slice_eq(entry->key, behind);
        if (page->name.p ? !slice_eq(entry->key, prefix) : !slice_starts(entry->key, prefix))
            break;
        if (!resumed)
            more = add(&listing, entry, &entry->latest);
        if (more && page->all_versions)
            more = add_versions(&listing, entry, resumed ? page->after_version : 0);
    }
    *out = listing.list;
    return listing.n;
}

struct function_usage functions_usage(const struct functions *functions, struct slice account,
                                      struct slice region)
{
    char text[FUNCTION_KEY_MAX];
    struct function_usage usage = {0};
    struct slice prefix = function_key(text, account, region, S(""));
    for (size_t at = entries_from(functions, prefix);
         at < functions->count && slice_starts(functions->entries[at]->key, prefix); at++) {
        const struct entry *entry = functions->entries[at];
        usage.functions += entry_exists(entry);
        usage.code_bytes += entry->latest.code_bytes;
        for (size_t i = 0; i < entry->count; i++)
            usage.code_bytes += entry->versions[i].code_bytes;
    }
    return usage;
}

void functions_each_code(const struct functions *functions, function_code *code, void *arg)
{
    for (size_t at = 0; at < functions->count; at++) {
        const struct entry *entry = functions->entries[at];
        if (entry_exists(entry))
            codes_each(version_made_of(&entry->latest), code, arg);
        for (size_t i = 0; i < entry->count; i++)
            codes_each(version_made_of(&entry->versions[i]), code, arg);
    }
}

/* Of a function's reserved concurrency. */
static void on_reserved(void *arg, struct slice key, const void *before, const void *now)
{
    struct functions *functions = arg;
    struct entry *entry = entry_find(functions, key);
    (void)before;
    (void)now;
    functions->reserved_epoch++;
    if (entry)
        entry_reload_concurrency(entry);
}

static void on_provisioned(void *arg, struct slice key, const void *before, const void *now)
{
    on_reserved(arg, slice_sub(key, 0, slice_rfind(key, ' ')), before, now);
}

int64_t functions_reserved(const struct functions *functions, struct slice account,
                           struct slice region)
{
    AUTO(arena) struct arena *arena = arena_new();
    char prefix[FUNCTION_KEY_MAX];
    const struct table_row *rows = NULL;
    size_t n = table_list(functions->resources->concurrency, arena,
                          function_key(prefix, account, region, S("")), &rows);
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((const struct lambda_Concurrency *)rows[i].value)->ReservedConcurrentExecutions.v;
    return sum;
}

int64_t functions_provisioned(const struct functions *functions, struct slice account,
                              struct slice region)
{
    AUTO(arena) struct arena *arena = arena_new();
    char prefix[FUNCTION_KEY_MAX];
    const struct table_row *rows = NULL;
    const struct resources *resources = functions->resources;
    size_t n = table_list(resources->provisioned, arena,
                          function_key(prefix, account, region, S("")), &rows);
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        const struct lambda_ProvisionedConcurrencyConfigListItem *row = rows[i].value;
        struct slice function = slice_sub(rows[i].key, 0, slice_rfind(rows[i].key, ' '));
        if (!table_has(resources->concurrency, function))
            sum += row->RequestedProvisionedConcurrentExecutions.v;
    }
    return sum;
}

uint64_t functions_reserved_epoch(const struct functions *functions)
{
    return functions->reserved_epoch;
}

const struct resources *functions_resources(const struct functions *functions)
{
    return functions->resources;
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

void functions_clear(struct functions *functions)
{
    for (size_t at = functions->count; at-- > 0;) {
        struct entry *entry = functions->entries[at];
        if (entry->changing) { /* it cannot be written: there is no row to change */
            entry->cleared = entry_exists(entry);
            continue;
        }
        entry_clear(entry);
        entry_free(entry);
    }
}

/* ---- loading ---- */

static bool load_row(void *arg, const struct db_value *columns, size_t count, struct err *err)
{
    struct functions *functions = arg;
    char key[FUNCTION_KEY_MAX];
    uint64_t number = 0;
    const struct documents sealed = {columns[4].text, columns[5].text, columns[6].text};
    struct entry *entry =
        entry_get(functions, function_key(key, columns[0].text, columns[1].text, columns[2].text));
    must(count == 8);
    if (!version_number(columns[3].text, &number) || !codes_are_digests(columns[7].text))
        return err_set(err, FAULT_INTERNAL, "stored function %.*s is damaged", FMT(entry->key));
    struct version *version = number ? entry_add(entry, number) : &entry->latest;
    version_load(entry, version, &sealed, columns[7].text);
    /* One is enough to tell that the key fits. */
    if (!sealed.variables.p || functions->key_fits)
        return true;
    functions->key_fits = true;
    AUTO(arena) struct arena *arena = arena_new();
    struct slice plain;
    return secret_unseal(functions->secret, arena, entry->key, sealed.variables, &plain, err) ||
           err_add(err, "function %.*s", FMT(entry->key));
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
                   "FROM functions ORDER BY account, region, name, LENGTH(version), version",
                   load_row, functions, err);
}

struct functions *functions_open(uv_loop_t *loop, struct db *db, const struct resources *resources,
                                 const char *dir, const struct function_settings *settings,
                                 struct err *err)
{
    struct functions *functions = NEW(functions);
    functions->loop = loop;
    functions->db = db;
    functions->resources = resources;
    functions->settings = *settings;
    functions->codes = codes_new();
    functions->secret = secret_open(dir, err);
    if (!functions->secret || !load(functions, err)) {
        functions_close(functions);
        return NULL;
    }
    table_on_change(resources->concurrency, on_reserved, functions);
    table_on_change(resources->provisioned, on_provisioned, functions);
    return functions;
}

void functions_close(struct functions *functions)
{
    if (!functions)
        return;
    pack_stop(functions);
    codes_close(functions->codes);
    while (functions->count)
        entry_free(functions->entries[functions->count - 1]);
    free(functions->entries);
    secret_free(functions->secret);
    free(functions);
}
