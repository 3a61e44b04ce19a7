/* A state machine whose table is data: a move that the table does not allow is our mistake. */
#ifndef LK_SM_H
#define LK_SM_H

#include "base/must.h"

#include <stdint.h>

#define SM_TO(state) (UINT32_C(1) << (state))

struct sm_state {
    const char *name;
    uint32_t to; /* SM_TO(a) | SM_TO(b): where it may go */
};

struct sm {
    const struct sm_state *states;
    const char *object; /* what kind of thing, for the trace: "env", "conn" */
    uint64_t id;        /* which one, for the trace */
    unsigned state;
};

void sm_init(struct sm *sm, const struct sm_state *states, const char *object, uint64_t id);
void sm_move(struct sm *sm, unsigned to); /* traced; aborts if the table forbids it */

static inline const char *sm_name(const struct sm *sm)
{
    return sm->states[sm->state].name;
}

#endif
