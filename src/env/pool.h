/* Execution environments of all functions: finds an idle one (most recently used first), starts one
 * where there is none, freezes and retires the idle ones, replaces those of a changed function. */
#ifndef LK_POOL_H
#define LK_POOL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/list.h"
#include "env/settings.h"
#include "model/function.h"

#include <uv.h>

struct http_handler;
struct invocation;
struct pool;
struct log_store;
struct stream;

/* What functions reach as AWS_ENDPOINT_URL: lambkin's own door. */
struct env_endpoint {
    const struct http_handler *handler;
    void *arg;
};

/* Who takes an answer in pieces. Called from the loop, in this order, before `done`; a runtime that
 * does not stream, or fails before it does, calls neither. */
struct invocation_stream {
    void (*begin)(struct invocation *inv, struct slice content_type); /* the runtime's own */
    /* False: no more until invocation_resume(). What has been read already still comes (64 KB). */
    bool (*piece)(struct invocation *inv, struct slice bytes);
};

/* One invocation, from the moment it was admitted. The invoker owns it and frees it after `done`.
 */
struct invocation {
    uint32_t magic;
    const struct function *fn; /* a reference of the invocation's own */
    char request_id[ID_UUID_LEN + 1];
    struct slice invoked_arn;    /* as the invoker addressed it (dataplane.md 1.3) */
    struct slice trace_id;       /* X-Ray header text; always present */
    struct slice client_context; /* JSON, decoded; absent if none */
    struct buf event;            /* the payload; kept until done, it may be handed out twice */
    bool want_tail;              /* LogType=Tail */
    const struct invocation_stream *stream; /* NULL: a streamed answer is collected, up to 6 MB */

    /* Called exactly once, from the loop, as soon as the answer is complete; the environment may
     * still be busy. With want_tail it comes when the invocation is over, as the tail ends with
     * REPORT. */
    void (*done)(struct invocation *inv);
    void *arg;

    /* result, valid in done() */
    struct buf payload;  /* response or error document; owned by the invocation. Empty if all of a
                            response came in pieces */
    bool function_error; /* X-Amz-Function-Error: Unhandled */
    struct buf tail;     /* last 4 KB of its log, text form */
    struct err
        refused; /* refused.fault != FAULT_NONE: not run at all (no environment could be made) */

    /* state: the pool's */
    struct list link;
    uint64_t queued_ns;
    struct stream *source; /* the pieces come from there; NULL: no more, or not yet */
};

struct pool *pool_new(uv_loop_t *loop, int launcher_fd, struct log_store *logs,
                      const struct env_settings *settings, struct err *err);
void pool_free(struct pool *pool); /* ends every environment */

/* Once, before the first invocation. */
void pool_set_endpoint(struct pool *pool, const struct env_endpoint *endpoint);

/* Runs it now or as soon as an environment is ready; admission (429) has been decided before. */
void pool_invoke(struct pool *pool, struct invocation *inv);

/* The taker of pieces has room again. Fine at any time before `done`. */
void invocation_resume(struct invocation *inv);

/* Its environments finish their call and go: the next invocation starts cold. */
void pool_retire(struct pool *pool, const struct function *fn);

/* Environments of older generations finish their call and go; connect to functions_on_change. */
void pool_function_changed(void *pool, const struct function *before, const struct function *now);

/* Keeps so many environments of a published version initialised, apart from those that start on
 * demand (PutProvisionedConcurrencyConfig); 0 ends it. A failed init ends it, too, until it is
 * asked for anew. */
void pool_provision(struct pool *pool, const struct function *fn, size_t count);
struct pool_provisioned {
    size_t wanted;
    size_t allocated; /* initialised */
    size_t available; /* of these, idle */
    bool failed;
};
struct pool_provisioned pool_provisioned(struct pool *pool, const struct function *fn);

struct pool_zip {
    struct slice
        owner; /* who may spoil it: only zips of one owner meet in a sandbox; absent: none */
    const char *digest;
    int fd; /* read-only; ownership passes */
};

/* Unpacks a zip into code/<digest> inside a sandbox; `done` exactly once. Failures carry AWS's text
 * in err.msg and FAULT_INVALID (bad zip) or FAULT_LIMIT (too large unzipped). */
typedef void pool_unpacked(void *arg, const struct err *err); /* err NULL: it is there */
void pool_unpack(struct pool *pool, const struct pool_zip *zip, pool_unpacked *done, void *arg);
void pool_forget_code(struct pool *pool, const char *digest); /* nobody uses it any more */

/* How a runtime identifier maps to an interpreter on this host (runtimes/<lang>/runtime.conf). */
struct runtime_choice {
    struct slice language;    /* folder of runtimes/, absent for provided.* */
    struct slice interpreter; /* path inside the rootfs, absent for provided.* */
    struct slice rootfs;      /* name of the root file system, absent for the host's */
    bool exact;               /* false: nearest version of the same language; warn */
    uint64_t version;         /* of the interpreter, 0 for provided.*: 11 of Python 3.11 */
};
bool pool_choose_runtime(
    struct pool *pool, struct slice runtime, struct runtime_choice *out,
    struct err *err) MUST_USE; /* FAULT_UNAVAILABLE: no interpreter, msg says what to install */

struct pool_stats {
    size_t environments, busy, frozen, starting;
    size_t parked; /* runtimes that wait for a function (parking.h) */
    uint64_t parked_bytes;
    uint64_t started_total, invocations_total;
};
struct pool_stats pool_stats(const struct pool *pool);

struct launch_facts;
/* What the launcher found this host to be; NULL until its first packet has come. */
const struct launch_facts *pool_facts(const struct pool *pool);

#endif
