/* What the platform itself writes into an environment's log, at each step of its life. */
#ifndef LK_JOURNAL_H
#define LK_JOURNAL_H

#include "env/extensions.h"
#include "env/logs.h"
#include "env/outcome.h"
#include "env/spec.h"
#include "launch/proto.h"

/* `again`: an init under an invocation, not ahead of it. */
void journal_init_start(struct logs *logs, const struct function *fn, bool again);
/* The function runs on another version than it asked for: once per environment. */
void journal_nearest(struct logs *logs, const struct function *fn, struct slice interpreter);
/* How far each extension has got when an init is over: its EXTENSION line. */
void journal_extensions(struct logs *logs, const struct extensions *extensions);
void journal_init_end(struct logs *logs, const struct function *fn, bool again,
                      uint64_t duration_ns, const struct outcome *outcome);

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
};

void journal_start(struct logs *logs, const struct function *fn, struct slice request_id);

/* The runtime has finished, or was lost: the function's own output first, then what went wrong. */
void journal_runtime_done(struct logs *logs, const struct function *fn,
                          const struct journal_call *call, const struct outcome *outcome);
/* All have finished: END and REPORT. */
void journal_end(struct logs *logs, const struct function *fn, const struct journal_call *call,
                 const struct outcome *outcome);

#endif
