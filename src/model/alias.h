/* Aliases: names that lead to one version, or to two by weight. */
#ifndef LK_ALIAS_H
#define LK_ALIAS_H

#include "model/resources.h"

struct lambda_AliasConfiguration;

/* A word that is neither "$LATEST" nor a number. */
bool alias_is_name(struct slice qualifier);

/* `function`: the function's key. Borrowed; NULL if there is none. */
const struct lambda_AliasConfiguration *alias_find(const struct resources *resources,
                                                   struct slice function, struct slice name);

/* The version for one invocation; `draw` is uniform in [0, 1). */
struct slice alias_pick(const struct lambda_AliasConfiguration *alias, double draw);

#endif
