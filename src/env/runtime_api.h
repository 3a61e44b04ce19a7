/* The Runtime API of one environment (dataplane.md 1): what the process inside polls, answers and
 * reports errors to. Knows HTTP, routes, states and bodies; what an answer means for the
 * environment is decided by its owner. */
#ifndef LK_RUNTIME_API_H
#define LK_RUNTIME_API_H

#include "base/buf.h"
#include "base/err.h"
#include "base/sm.h"
#include "env/api_route.h"

#include <uv.h>

struct extensions;
struct runtime_api;

enum { RUNTIME_API_BODY_MAX = 6291556, RUNTIME_API_TYPE_MAX = 128 };

/* An event for the runtime. Everything it points to must stay until the answer has come or
 * runtime_api_shut(): a runtime that lost its connection asks twice. */
struct runtime_event {
    struct slice request_id;
    uint64_t deadline_ms; /* Unix */
    struct slice arn;
    struct slice trace_id;
    struct slice client_context; /* absent if none */
    struct slice body;
    bool streams;        /* whoever asked takes pieces ... */
    uint64_t stream_max; /* ... so many bytes of them */
};

enum runtime_answer_kind {
    ANSWER_RESPONSE,
    ANSWER_ERROR,     /* reported by the runtime: body is passed on as it is */
    ANSWER_TOO_LARGE, /* no body from here on */
    ANSWER_BAD_MODE,
    ANSWER_TRUNCATED,
};

struct runtime_answer {
    enum runtime_answer_kind kind;
    struct buf body;         /* taken by the owner */
    struct slice error_type; /* normalised "Runtime.X", "Function.X"; absent unless ERROR */
    uint64_t limit;          /* that TOO_LARGE passed */
};

struct runtime_api_owner {
    void (*on_next)(void *arg); /* the runtime waits: first time, or after an answer */
    /* A response in pieces, only if the event streams: its begin, each piece, then on_answer
     * without a body of its own. */
    void (*on_stream)(void *arg, struct slice content_type);
    void (*on_piece)(void *arg, struct slice bytes);
    void (*on_answer)(void *arg, struct runtime_answer *answer);
    void (*on_init_error)(void *arg, struct runtime_answer *answer);
    /* One to the Telemetry API or the Logs API, by its route; answers the request. */
    void (*on_subscription)(void *arg, struct http_request *req, enum api_route route);
};

/* The same port serves the extensions' requests. */
struct runtime_api *runtime_api_new(uv_loop_t *loop, struct extensions *extensions,
                                    const struct runtime_api_owner *owner, void *arg);
void runtime_api_free(struct runtime_api *api); /* NULL is fine */

/* Serves a new process: state Started. The listener stays the caller's. */
bool runtime_api_open(struct runtime_api *api, int listener, struct err *err) MUST_USE;

/* The process is gone or shall go: every connection is closed, nothing more is reported. */
void runtime_api_shut(struct runtime_api *api);

/* The process shall go, but its extensions live on for a while: nothing that it asks is reported
 * any more, and its event need not stay. Until runtime_api_shut(). */
void runtime_api_mute(struct runtime_api *api);

/* Hands the event to the waiting runtime. Only after on_next. */
void runtime_api_deliver(struct runtime_api *api, const struct runtime_event *event);

/* Between on_stream and on_answer: no more pieces than those that have been read, until resumed. */
void runtime_api_pause(struct runtime_api *api);
void runtime_api_resume(struct runtime_api *api);

extern const struct sm_state
    runtime_api_states[]; /* docs/states/runtime.md; the last is nameless */
const char *runtime_api_state(const struct runtime_api *api);

#endif
