/* Filter patterns for events that are JSON: { $.a.b = "x*" && ($.n > 3 || $.list[0].c IS TRUE) }.
 * Pure. */
#ifndef LK_FILTER_JSON_H
#define LK_FILTER_JSON_H

#include "services/filter_expr.h"

/* The text between the braces. NULL: FAULT_INVALID. */
const struct filter_expr *filter_json_parse(struct arena *arena, struct slice text,
                                            struct err *err);
/* False for what is no JSON. A member that is not there holds for NOT EXISTS alone. */
bool filter_json_matches(const struct filter_expr *expr, struct slice message);

#endif
