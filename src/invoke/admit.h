/* How many invocations run at once (dataplane.md 7.1): a function with a reservation has that many
 * for itself, all others of an account and region share what is left of the account's limit. */
#ifndef LK_ADMIT_H
#define LK_ADMIT_H

#include "model/function.h"

struct admit;

/* What one invocation takes; given back by admit_leave(). */
struct admission {
    struct admit_pool *pool;    /* the account's; NULL: the function's reservation */
    struct function_load *load; /* lives as long as the invocation's reference to its function */
};

enum admit_refusal { ADMIT_OK, ADMIT_ACCOUNT_FULL, ADMIT_FUNCTION_FULL };

struct admit *admit_new(uint32_t account_limit, const struct functions *functions);
void admit_free(struct admit *admit); /* NULL is fine */

enum admit_refusal admit_enter(struct admit *admit, const struct function *fn,
                               struct admission *out) MUST_USE;
void admit_leave(const struct admission *admission);

#endif
