/* A snapshot takes some kilobytes, its row one. So versions that nobody has asked for since the
 * last look become rows in memory again, however they became snapshots: listing fifty thousand
 * versions must not keep all of them. */
#include "base/mem.h"
#include "lambda_api.h"
#include "model/snapshot.h"

enum { PACK_EVERY = 2048 }; /* new snapshots between two looks, at least */

/* Somebody else's reference may become an environment of this very generation, and what settles or
 * is being changed must stay what it is. */
static bool may_pack(const struct entry *entry, const struct version *version)
{
    const struct function *fn = version->fn;
    return fn && fn->refs == 1 && !version->recent && !version->settled && !entry->changing &&
           !fn->pending && !fn->updating;
}

static void pack(struct entry *entry, struct version *version)
{
    AUTO(arena) struct arena *arena = arena_new();
    const struct function *fn = STEAL(version->fn);
    struct documents documents = documents_of(arena, fn->config, &fn->tags);
    if (documents.variables.p)
        documents.variables =
            secret_seal(entry->functions->secret, arena, entry->key, documents.variables);
    version_load(entry, version, &documents, fn->made_of);
    function_unref(fn);
}

/* True: it stays a snapshot. */
static bool look_at(struct entry *entry, struct version *version)
{
    if (may_pack(entry, version))
        pack(entry, version);
    version->recent = false;
    return version->fn != NULL;
}

static void on_stopped(uv_handle_t *handle)
{
    free(handle);
}

void pack_stop(struct functions *functions)
{
    if (functions->pack_timer)
        uv_close((uv_handle_t *)functions->pack_timer, on_stopped);
    functions->pack_timer = NULL;
}

static void on_look(uv_timer_t *timer)
{
    struct functions *functions = timer->data;
    size_t left = 0;
    pack_stop(functions);
    for (size_t at = 0; at < functions->count; at++) {
        struct entry *entry = functions->entries[at];
        left += look_at(entry, &entry->latest);
        for (size_t i = 0; i < entry->count; i++)
            left += look_at(entry, &entry->versions[i]);
    }
    functions->fresh = 0;
    functions->pack_after = left; /* looking costs as much as was asked for */
}

void pack_note(struct functions *functions)
{
    functions->fresh++;
    if (functions->pack_timer || functions->fresh < PACK_EVERY ||
        functions->fresh < functions->pack_after)
        return;
    /* Not at once: the caller may hold what he has just found. */
    functions->pack_timer = mem_new(sizeof *functions->pack_timer);
    must(uv_timer_init(functions->loop, functions->pack_timer) == 0);
    functions->pack_timer->data = functions;
    uv_timer_start(functions->pack_timer, on_look, 0, 0);
}
