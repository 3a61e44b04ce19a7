#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "lambda_api.h"
#include "model/snapshot.h"

/* Everything of one version's row in one piece of memory; the code is noted as used. */
struct row_text {
    struct documents documents;
    struct slice made_of;
    char bytes[];
};

/* ---- timer ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void stop_timer(struct entry *entry)
{
    if (entry->timer)
        uv_close((uv_handle_t *)entry->timer, on_timer_closed);
    entry->timer = NULL;
}

/* ---- versions ---- */

static void text_free(struct entry *entry, struct version *version)
{
    struct row_text *text = STEAL(version->text);
    if (!text)
        return;
    codes_release_all(entry->functions->codes, text->made_of);
    free(text);
}

static void version_clear(struct entry *entry, struct version *version)
{
    text_free(entry, version);
    function_unref(version->fn);
    function_unref(version->settled);
    *version = (struct version){.number = version->number};
}

static struct slice copy_to(char **to, struct slice s)
{
    struct slice copy = {s.p ? *to : NULL, s.n};
    if (s.p)
        memcpy(*to, s.p, s.n);
    *to += s.n;
    return copy;
}

/* In what aws_encode_struct wrote; inside its strings a quote has a backslash before it. */
static int64_t code_size(struct slice config)
{
    static const char key[] = "\"CodeSize\":";
    const char *at = memmem(config.p, config.n, key, sizeof key - 1);
    int64_t size = 0;
    for (at = at ? at + sizeof key - 1 : config.p + config.n;
         at < config.p + config.n && *at >= '0' && *at <= '9'; at++)
        size = size * 10 + (*at - '0');
    return size;
}

void version_load(struct entry *entry, struct version *version, const struct documents *sealed,
                  struct slice made_of)
{
    struct row_text *text =
        mem_new(sizeof *text + sealed->config.n + sealed->variables.n + sealed->tags.n + made_of.n);
    char *to = text->bytes;
    text->documents.config = copy_to(&to, sealed->config);
    text->documents.variables = copy_to(&to, sealed->variables);
    text->documents.tags = copy_to(&to, sealed->tags);
    text->made_of = copy_to(&to, made_of);
    codes_use_all(entry->functions->codes, text->made_of);
    version->text = text;
    version->code_bytes = code_size(sealed->config);
}

static bool unseal(const struct entry *entry, struct arena *arena, struct documents *documents,
                   struct err *err)
{
    return !documents->variables.p ||
           secret_unseal(entry->functions->secret, arena, entry->key, documents->variables,
                         &documents->variables, err);
}

static bool decode(struct entry *entry, struct version *version, struct err *err)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct functions *functions = entry->functions;
    struct documents documents = version->text->documents;
    struct slice rest = entry->key;
    struct slice account;
    struct slice region;
    slice_cut(&rest, ' ', &account);
    slice_cut(&rest, ' ', &region);
    if (!unseal(entry, arena, &documents, err))
        return false;
    version->fn = snapshot_new(functions, entry->load, account, region, &documents,
                               version->text->made_of, err);
    if (!version->fn)
        return false;
    version->fn->generation = version->fn->run_generation = ++functions->generation;
    return true;
}

struct function *version_function(struct entry *entry, struct version *version)
{
    struct err err;
    version->recent = true;
    if (version->fn || !version->text)
        return version->fn;
    if (decode(entry, version, &err)) {
        text_free(entry, version);
        pack_note(entry->functions);
    } else {
        log_error("function.damaged", "key=%.*s version=%llu err=%s", FMT(entry->key),
                  (unsigned long long)version->number, err.msg);
    }
    return version->fn;
}

struct slice version_made_of(const struct version *version)
{
    return version->fn ? version->fn->made_of : version->text->made_of;
}

struct version *entry_version(struct entry *entry, uint64_t number)
{
    size_t from = 0;
    size_t to = entry->count;
    if (number == 0)
        return &entry->latest;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (entry->versions[middle].number < number)
            from = middle + 1;
        else
            to = middle;
    }
    return from < entry->count && entry->versions[from].number == number ? &entry->versions[from]
                                                                         : NULL;
}

struct version *entry_add(struct entry *entry, uint64_t number)
{
    must(entry->count == 0 || entry->versions[entry->count - 1].number < number);
    entry->versions = mem_grow(entry->versions, (entry->count + 1) * sizeof *entry->versions);
    entry->versions[entry->count] = (struct version){.number = number};
    return &entry->versions[entry->count++];
}

static void tell(const struct functions *functions, const struct function *before,
                 const struct function *now)
{
    for (size_t i = 0; i < functions->listener_count; i++)
        functions->listeners[i].changed(functions->listeners[i].arg, before, now);
}

void entry_drop(struct entry *entry, uint64_t number)
{
    struct version *version = entry_version(entry, number);
    const struct function *before = version->fn;
    version->fn = NULL;
    version_clear(entry, version);
    size_t at = (size_t)(version - entry->versions);
    memmove(version, version + 1, (entry->count - at - 1) * sizeof *version);
    entry->count--;
    if (before)
        tell(entry->functions, before, NULL);
    function_unref(before);
}

void entry_clear(struct entry *entry)
{
    const struct function *before = entry->latest.fn;
    entry->latest.fn = NULL;
    version_clear(entry, &entry->latest);
    stop_timer(entry);
    while (entry->count)
        entry_drop(entry, entry->versions[entry->count - 1].number);
    if (before)
        tell(entry->functions, before, NULL);
    function_unref(before);
}

void version_set(struct entry *entry, struct version *version, struct function *now)
{
    const struct function *before = version->fn;
    text_free(entry, version);
    version->fn = now;
    version->recent = true;
    version->code_bytes = now->config->CodeSize.v;
    pack_note(entry->functions);
    tell(entry->functions, before, now);
    function_unref(before);
}

/* ---- settling ---- */

static void settle(struct entry *entry, struct version *version)
{
    const struct function *settled = STEAL(version->settled);
    if (settled)
        version_set(entry, version, (struct function *)(uintptr_t)settled);
}

static void on_settle(uv_timer_t *timer)
{
    struct entry *entry = CAST(entry, timer->data, ENTRY_MAGIC);
    stop_timer(entry);
    settle(entry, &entry->latest);
    for (size_t i = 0; i < entry->count; i++)
        settle(entry, &entry->versions[i]);
}

void entry_settle_later(struct entry *entry, uint32_t ms)
{
    stop_timer(entry);
    entry->timer = mem_new(sizeof *entry->timer);
    must(uv_timer_init(entry->functions->loop, entry->timer) == 0);
    entry->timer->data = entry;
    uv_timer_start(entry->timer, on_settle, ms, 0);
}

/* ---- entries ---- */

size_t entries_from(const struct functions *functions, struct slice key)
{
    size_t from = 0;
    size_t to = functions->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (slice_cmp(functions->entries[middle]->key, key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

struct entry *entry_find(const struct functions *functions, struct slice key)
{
    size_t at = entries_from(functions, key);
    return at < functions->count && slice_eq(functions->entries[at]->key, key)
               ? functions->entries[at]
               : NULL;
}

static int64_t provisioned_sum(const struct entry *entry)
{
    const struct table *table = entry->functions->resources->provisioned;
    AUTO(arena) struct arena *arena = NULL;
    const struct table_row *rows = NULL;
    int64_t sum = 0;
    if (table_count(table, entry->key) == 0) /* the usual case, without memory */
        return 0;
    arena = arena_new();
    size_t n = table_list(table, arena, arena_printf(arena, "%.*s ", FMT(entry->key)), &rows);
    for (size_t i = 0; i < n; i++)
        sum += ((const struct lambda_ProvisionedConcurrencyConfigListItem *)rows[i].value)
                   ->RequestedProvisionedConcurrentExecutions.v;
    return sum;
}

void entry_reload_concurrency(struct entry *entry)
{
    const struct lambda_Concurrency *row =
        table_get(entry->functions->resources->concurrency, entry->key);
    entry->load->reserved = row ? row->ReservedConcurrentExecutions.v : -1;
    entry->load->provisioned = provisioned_sum(entry);
}

struct entry *entry_get(struct functions *functions, struct slice key)
{
    size_t at = entries_from(functions, key);
    if (at < functions->count && slice_eq(functions->entries[at]->key, key))
        return functions->entries[at];
    if (functions->count == functions->cap) {
        functions->cap = functions->cap ? 2 * functions->cap : 16;
        functions->entries =
            mem_grow(functions->entries, functions->cap * sizeof *functions->entries);
    }
    struct entry **place = &functions->entries[at];
    memmove(place + 1, place, (functions->count - at) * sizeof *place);
    functions->count++;
    struct entry *entry = NEW(entry);
    entry->magic = ENTRY_MAGIC;
    entry->functions = functions;
    entry->key = (struct slice){mem_str(key), key.n};
    entry->load = NEW(function_load);
    entry->load->refs = 1;
    entry_reload_concurrency(entry);
    *place = entry;
    return entry;
}

bool entry_exists(const struct entry *entry)
{
    return entry->latest.fn || entry->latest.text;
}

void entry_free(struct entry *entry)
{
    struct functions *functions = entry->functions;
    size_t at = entries_from(functions, entry->key);
    struct entry **place = &functions->entries[at];
    must(at < functions->count && *place == entry);
    memmove(place, place + 1, (functions->count - at - 1) * sizeof *place);
    functions->count--;
    stop_timer(entry);
    version_clear(entry, &entry->latest);
    while (entry->count)
        version_clear(entry, &entry->versions[--entry->count]);
    free(entry->versions);
    load_unref(entry->load);
    free((char *)(uintptr_t)entry->key.p);
    free(entry);
}
