/* Making snapshots and keeping them. Private to src/model. */
#ifndef LK_SNAPSHOT_H
#define LK_SNAPSHOT_H

#include "model/code.h"
#include "model/function.h"
#include "model/resources.h"
#include "model/secret.h"

enum {
    FUNCTION_MAGIC = 0x66756e63,
    ENTRY_MAGIC = 0x656e7472,
    LISTENERS_MAX = 4,
};

/* The documents of a version's row. */
struct documents {
    struct slice config;    /* everything but the variables */
    struct slice variables; /* absent: Environment was never given */
    struct slice tags;
};

/* One version. Of thousands only a few are ever asked for, so a row stays text until then, and
 * becomes text again when nobody does any more (pack.c). */
struct version {
    uint64_t number; /* 0: $LATEST */
    struct function *fn;
    struct row_text *text; /* while fn is NULL */
    int64_t code_bytes;
    const struct function *settled; /* what fn becomes when the entry's timer fires, else NULL */
    bool recent;                    /* asked for since pack.c looked */
    bool leaving;                   /* its deletion is being written: nobody finds it any more */
};

/* One name: what it means now, and what happens to it. Lives as long as there is either. */
struct entry {
    uint32_t magic;
    struct slice key; /* "account region name"; owned */
    struct functions *functions;
    struct version latest;    /* neither fn nor text: being created */
    struct version *versions; /* in their order */
    size_t count;
    uv_timer_t *timer;
    bool changing; /* a struct function_change is out */
    bool leaving;  /* all versions are being deleted, as above */
    bool cleared;  /* its rows were deleted meanwhile: it goes with the change */
    struct function_load *load;
};

struct functions {
    uv_loop_t *loop; /* configuration */
    struct db *db;
    const struct resources *resources;
    struct secret *secret;
    struct codes *codes;
    struct function_settings settings;
    struct {
        functions_changed *changed;
        void *arg;
    } listeners[LISTENERS_MAX];
    size_t listener_count;
    struct entry **entries; /* state: in the order of their keys */
    size_t count;
    size_t cap;
    uint64_t generation;
    uint64_t reserved_epoch;
    bool key_fits; /* variables could be unsealed at least once */
    uv_timer_t *pack_timer;
    size_t fresh; /* snapshots made since pack.c looked */
    size_t pack_after;
};

/* ---- snapshots (function.c) ---- */

struct documents documents_of(struct arena *arena,
                              const struct lambda_FunctionConfiguration *config,
                              const struct aws_map *tags);

/* A new snapshot from documents; its reference is the caller's. */
struct function *snapshot_new(struct functions *functions, struct function_load *load,
                              struct slice account, struct slice region,
                              const struct documents *documents, struct slice made_of,
                              struct err *err);

/* Of the digests in struct function's made_of. */
bool codes_are_digests(struct slice made_of);
void codes_each(struct slice made_of, function_code *code, void *arg);
void codes_use_all(struct codes *codes, struct slice made_of);
void codes_release_all(struct codes *codes, struct slice made_of);

struct function_load *load_ref(struct function_load *load);
void load_unref(struct function_load *load);

/* ---- entries (entry.c) ---- */

size_t entries_from(const struct functions *functions,
                    struct slice key); /* the first key not less */
struct entry *entry_find(const struct functions *functions, struct slice key);
struct entry *entry_get(struct functions *functions, struct slice key); /* made if missing */
void entry_free(struct entry *entry); /* of one that means nothing any more */
void entry_reload_concurrency(struct entry *entry);
bool entry_exists(const struct entry *entry);

struct version *entry_version(struct entry *entry, uint64_t number); /* NULL: none */
struct version *entry_add(struct entry *entry,
                          uint64_t number); /* larger than all that are there */
void entry_drop(struct entry *entry, uint64_t number);
void entry_clear(struct entry *entry); /* all versions are gone; the listeners hear of each */

struct slice version_made_of(const struct version *version);

/* Borrowed; decoded when first asked for. NULL if there is none or it is damaged. */
struct function *version_function(struct entry *entry, struct version *version);

/* A row as it was stored; `sealed`: variables as in the database. */
void version_load(struct entry *entry, struct version *version, const struct documents *sealed,
                  struct slice made_of);

/* What the version is from here on: takes over the reference, tells the listeners. */
void version_set(struct entry *entry, struct version *version, struct function *now);

/* ---- packing (pack.c) ---- */

void pack_note(struct functions *functions); /* there is one snapshot more */
void pack_stop(struct functions *functions);

/* ---- settling ---- */

/* `settled` of the entry's versions become what they are, after a while. */
void entry_settle_later(struct entry *entry, uint32_t ms);

#endif
