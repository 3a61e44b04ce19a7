/* The one invocation that an environment works on: from the event to its answer, and on until the
 * runtime asks for the next one, which may be later. */
#ifndef LK_CURRENT_H
#define LK_CURRENT_H

#include "env/outcome.h"
#include "env/pool.h"
#include "env/runtime_api.h"
#include "env/stream.h"

enum { CURRENT_TRACE_MAX = 256 }; /* bytes of an X-Ray header; a longer one is not told */

struct current {
    struct invocation *inv; /* NULL once it was handed back */
    char request_id[ID_UUID_LEN + 1];
    char trace[CURRENT_TRACE_MAX];
    size_t trace_n;
    uint64_t start_ns;
    uint64_t answer_begin_ns; /* the runtime's; 0: there was none */
    uint64_t answer_end_ns;
    uint64_t done_ns;       /* the runtime asked for the next one, and that was logged */
    struct outcome outcome; /* of the answer that was given */
    bool answered;
    bool half; /* an answer broke off */
    bool want_tail;
    size_t produced;       /* bytes of the answer */
    struct stream *stream; /* the answer comes in pieces; NULL: not */
};

void current_begin(struct current *current, struct invocation *inv);
struct slice current_id(const struct current *current);
struct slice current_trace(const struct current *current);
/* For a runtime that has left_ms for it. */
struct runtime_event current_event(const struct current *current, uint64_t left_ms,
                                   uint64_t stream_max);

/* The runtime's answer; its body is taken over. If it broke off, the call is not answered yet, but
 * its outcome is there. */
void current_answer(struct current *current, struct runtime_answer *answer);
/* The platform's words in place of an answer. */
void current_fail(struct current *current, const struct outcome *outcome);
/* Back to whoever gave it, who may give the environment another before this returns. */
void current_finish(struct current *current);

#endif
