/* How many invocations each account runs at once in each region (dataplane.md 7.1). */
#ifndef LK_ADMIT_H
#define LK_ADMIT_H

#include "base/slice.h"

struct admit;
struct admission; /* the counter of one account in one region */

struct admit *admit_new(uint32_t account_limit);
void admit_free(struct admit *admit); /* NULL is fine */

/* NULL: the account runs as many as it may. Otherwise admit_leave() when it is over. */
struct admission *admit_enter(struct admit *admit, struct slice account, struct slice region);
void admit_leave(struct admission *admission);

uint32_t admit_running(const struct admit *admit, struct slice account, struct slice region);

#endif
