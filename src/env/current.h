/* The one invocation that an environment works on: from the event to its answer, and on until the
 * runtime asks for the next one, which may be later. */
#ifndef LK_CURRENT_H
#define LK_CURRENT_H

#include "env/outcome.h"
#include "env/pool.h"
#include "env/runtime_api.h"

struct current {
    struct invocation *inv; /* NULL once it was handed back */
    char request_id[ID_UUID_LEN + 1];
    uint64_t start_ns;
    struct outcome outcome; /* of the answer that was given */
    bool answered;
    bool want_tail;
    size_t produced; /* bytes of the answer */
};

void current_begin(struct current *current, struct invocation *inv);
struct slice current_id(const struct current *current);

/* The runtime's answer; its body is taken over. */
void current_answer(struct current *current, struct runtime_answer *answer);
/* The platform's words in place of an answer. */
void current_fail(struct current *current, const struct outcome *outcome);
/* Back to whoever gave it, who may give the environment another before this returns. */
void current_finish(struct current *current);

#endif
