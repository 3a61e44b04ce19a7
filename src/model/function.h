/* Lambda functions: what exists, in memory for readers and in the database for good.
 *
 * A `struct function` is an immutable snapshot of one version of one function; a change makes a new
 * snapshot with a higher generation. Whoever keeps one across a return to the loop holds a
 * reference. */
#ifndef LK_MODEL_FUNCTION_H
#define LK_MODEL_FUNCTION_H

#include "aws/value.h"
#include "base/arena.h"
#include "base/err.h"

#include <uv.h>

struct codes;
struct db;
struct functions;
struct lambda_FunctionConfiguration;
struct resources;

enum {
    FUNCTION_DIGEST_LEN = 64,
    FUNCTION_KEY_MAX = 320, /* "account region name qualifier" */
};

struct function {
    uint32_t magic;
    uint32_t refs;
    struct arena *arena; /* owns everything below */
    struct slice account;
    struct slice region;
    struct slice name;
    struct slice version; /* "$LATEST" or a number */
    struct slice arn;     /* unqualified: arn:aws:lambda:R:A:function:NAME */
    const struct lambda_FunctionConfiguration
        *config; /* complete, as GetFunctionConfiguration shows it now */
    struct aws_map tags;
    char code[FUNCTION_DIGEST_LEN + 1]; /* hex SHA-256 of the zip: blob and unpacked tree */
    struct slice made_of;               /* that and the digests of its layers in order, by spaces */
    uint64_t
        generation; /* grows with every change; environments of an older runnable one are retired */
    uint64_t run_generation; /* the last generation in which code or configuration changed */
    uint32_t memory_mb;
    uint32_t timeout_s;
    uint32_t tmp_mb;
    bool pending;  /* State is Pending: not invokable yet (409) */
    bool updating; /* LastUpdateStatus is InProgress: `previous` serves */
    const struct function
        *previous; /* while updating: the snapshot that serves invocations; else NULL */
    struct function_load *load; /* shared by all snapshots of the name */
};

/* How busy a function is: counted by admission, kept as long as somebody runs. */
struct function_load {
    unsigned refs;
    int64_t reserved;    /* how many may run at once; -1: no reservation */
    int64_t provisioned; /* made ahead, over all versions */
    uint32_t running;
};

const struct function *function_ref(const struct function *fn);
void function_unref(const struct function *fn); /* NULL is fine */

struct function_settings {
    uint32_t pending_ms; /* how long a new function stays Pending */
    uint32_t update_ms;  /* how long an update stays InProgress */
};

/* 0: the answer still says Pending or InProgress, the next one does not. */
extern const struct function_settings function_settings_default;

/* Opens the tables and loads everything. What lies on disk is always the settled state of a change,
 * so nothing is in flight after a crash. `dir`: the data folder, for secret.key. */
struct functions *functions_open(uv_loop_t *loop, struct db *db, const struct resources *resources,
                                 const char *dir, const struct function_settings *settings,
                                 struct err *err);
void functions_close(struct functions *functions); /* NULL is fine; before db_close() */

/* What belongs to functions, and the key of a function's rows there. */
const struct resources *functions_resources(const struct functions *functions);
struct slice function_key(char to[FUNCTION_KEY_MAX], struct slice account, struct slice region,
                          struct slice name);

/* What all reservations of an account and region take together. The epoch grows with each change.
 */
int64_t functions_reserved(const struct functions *functions, struct slice account,
                           struct slice region);
uint64_t functions_reserved_epoch(const struct functions *functions);

/* What is provisioned for functions that have no reservation: the rest of what is not to be given
 * away twice. */
int64_t functions_provisioned(const struct functions *functions, struct slice account,
                              struct slice region);

/* Borrowed: take a reference to keep it. NULL if there is none. version absent = $LATEST; aliases
 * are not looked up (alias.h). */
const struct function *functions_find(const struct functions *functions, struct slice account,
                                      struct slice region, struct slice name, struct slice version);

/* Functions of an account and region by name, with all_versions each followed by its versions in
 * their order. The array lies in the arena, the functions are borrowed. */
struct function_page {
    struct slice account;
    struct slice region;
    struct slice name;       /* only this function; absent: all */
    struct slice after_name; /* begin behind this one; absent: with the first */
    uint64_t after_version; /* behind this version of it; 0: behind $LATEST; not if !all_versions */
    bool all_versions;
    size_t limit;
};
size_t functions_list(const struct functions *functions, struct arena *arena,
                      const struct function_page *page, const struct function ***out);

struct function_usage {
    size_t functions;
    int64_t code_bytes; /* of all versions (controlplane.md fact 101) */
};
struct function_usage functions_usage(const struct functions *functions, struct slice account,
                                      struct slice region);

/* Each code package (zip or layer) that a version needs, of every account; some come more than
 * once. */
typedef void function_code(void *arg, const char *digest);
void functions_each_code(const struct functions *functions, function_code *code, void *arg);

/* Which code packages are in use, by whom ever (a running environment's snapshot counts). */
struct codes *functions_codes(struct functions *functions);

/* The rows are gone already: so are the functions. Those that are being changed go
 * when that ends: it cannot be written. */
void functions_clear(struct functions *functions);

/* Called in the loop for each new snapshot (after it is on disk) and with `now` NULL when a
 * function is gone: the pool retires environments. */
typedef void functions_changed(void *arg, const struct function *before,
                               const struct function *now);
void functions_on_change(struct functions *functions, functions_changed *changed, void *arg);
void functions_unlisten(struct functions *functions); /* nobody is called any more */

#endif
