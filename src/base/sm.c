#include "base/sm.h"

#include "base/log.h"

#include <inttypes.h>

void sm_init(struct sm *sm, const struct sm_state *states, const char *object, uint64_t id)
{
    *sm = (struct sm){.states = states, .object = object, .id = id, .state = 0};
}

void sm_move(struct sm *sm, unsigned to)
{
    if (!(sm->states[sm->state].to & SM_TO(to)))
        log_error("sm.forbidden", "%s=%" PRIu64 " from=%s to=%s", sm->object, sm->id,
                  sm->states[sm->state].name, sm->states[to].name);
    must(sm->states[sm->state].to & SM_TO(to));
    log_trace("sm.move", "%s=%" PRIu64 " from=%s to=%s", sm->object, sm->id,
              sm->states[sm->state].name, sm->states[to].name);
    sm->state = to;
}
