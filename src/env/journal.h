/* What the platform itself writes into an environment's log, at each step of its life. */
#ifndef LK_JOURNAL_H
#define LK_JOURNAL_H

#include "env/extensions.h"
#include "env/logs.h"
#include "env/outcome.h"
#include "env/spec.h"
#include "env/subscription.h"
#include "launch/proto.h"

struct journal_init {
    const struct function *fn;
    bool again;       /* under an invocation, not ahead of it */
    bool provisioned; /* ahead of all: provisioned concurrency */
};
void journal_init_start(struct logs *logs, const struct journal_init *init);
/* The function runs on another version than it asked for: once per environment. */
void journal_nearest(struct logs *logs, const struct function *fn, struct slice interpreter);
/* How far each extension has got when an init is over: its EXTENSION line. */
void journal_extensions(struct logs *logs, const struct extensions *extensions);
void journal_init_end(struct logs *logs, const struct journal_init *init, uint64_t duration_ns,
                      const struct outcome *outcome);

/* `state`: "Subscribed", "Already subscribed". */
void journal_subscription(struct logs *logs, const struct subscription *subscription,
                          struct slice extension, struct slice state);

/* What FAILED means for the invocation. An exec wrapper that cannot be run is what the bootstrap
 * script of Lambda says it is, in a line of its own (dataplane.md 2.8). */
struct outcome journal_not_started(struct logs *logs, const struct spec_entrypoint *entrypoint,
                                   const struct control_event *event);

/* Where the time of a cold start went, for lambkin's own log; bench/run prints the medians. */
void journal_cold(const struct function *fn, const uint32_t steps_us[STEP_COUNT],
                  const struct control_event *started, uint64_t init_ns);

struct journal_call {
    struct slice request_id;
    uint64_t duration_ns;
    uint64_t init_ns; /* 0 = no cold start */
    uint32_t peak_mb;
    size_t produced; /* bytes of the answer */
    struct slice trace;
    uint64_t now_ns; /* moments by clock_mono_ns(); 0: there was none */
    uint64_t start_ns;
    uint64_t answer_begin_ns;
    uint64_t answer_end_ns;
    uint64_t done_ns; /* the runtime was, and extensions worked on */
};

void journal_start(struct logs *logs, const struct function *fn, struct slice request_id,
                   struct slice trace);

/* The runtime has finished, or was lost; what it has written comes first. */
void journal_runtime_done(struct logs *logs, const struct function *fn,
                          const struct journal_call *call, const struct outcome *outcome);
/* All have finished: what went wrong, END and REPORT. */
void journal_end(struct logs *logs, const struct function *fn, const struct journal_call *call,
                 const struct outcome *outcome);

#endif
