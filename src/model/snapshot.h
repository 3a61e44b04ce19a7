/* Making snapshots and keeping them. Private to src/model. */
#ifndef LK_SNAPSHOT_H
#define LK_SNAPSHOT_H

#include "model/code.h"
#include "model/function.h"
#include "model/secret.h"

enum {
    FUNCTION_MAGIC = 0x66756e63,
    ENTRY_MAGIC = 0x656e7472,
    FUNCTION_KEY_MAX = 320,
    LISTENERS_MAX = 4,
};

/* One name: what it means now, and what happens to it. Lives as long as there is either. */
struct entry {
    uint32_t magic;
    struct slice key; /* "account region name"; owned */
    struct functions *functions;
    const struct function *now;     /* NULL: being created */
    const struct function *settled; /* what `now` becomes when the timer fires, else NULL */
    uv_timer_t *timer;
    bool changing; /* a struct function_change is out */
};

struct functions {
    uv_loop_t *loop; /* configuration */
    struct db *db;
    struct secret *secret;
    struct codes *codes;
    struct function_settings settings;
    struct {
        functions_changed *changed;
        void *arg;
    } listeners[LISTENERS_MAX];
    size_t listener_count;
    struct map *entries; /* state */
    uint64_t generation;
};

struct slice function_key(char to[FUNCTION_KEY_MAX], struct slice account, struct slice region,
                          struct slice name);
struct entry *entry_find(const struct functions *functions, struct slice key);
struct entry *entry_get(struct functions *functions, struct slice key); /* made if missing */
void entry_free(struct entry *entry); /* of one that means nothing any more */

/* The two documents of a function's row: everything but the variables, and the variables. */
struct documents {
    struct slice config;
    struct slice variables; /* absent: Environment was never given */
    struct slice tags;
};
struct documents documents_of(struct arena *arena,
                              const struct lambda_FunctionConfiguration *config,
                              const struct aws_map *tags);

/* A new snapshot from documents; its reference is the caller's. */
struct function *snapshot_new(struct functions *functions, struct slice account,
                              struct slice region, const struct documents *documents,
                              struct slice code, struct err *err);

/* What the entry means from here on: takes over the reference, tells the listeners. */
void entry_set(struct entry *entry, const struct function *now);

#endif
