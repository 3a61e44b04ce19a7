/* Filter patterns of CloudWatch Logs (events.md 3.8). Three kinds:
 *
 *   terms that must all be there, "phrases", -exclusions, %regular expressions%; or ?alternatives
 *   of which one must (with other terms beside them they mean nothing, as in AWS);
 *   { $.a.b = "x" && $.n > 3 } for JSON (filter_json.h);
 *   [a, b=..., ...] for fields (filter_fields.h). Pure. */
#ifndef LK_FILTER_PATTERN_H
#define LK_FILTER_PATTERN_H

#include "base/arena.h"
#include "base/err.h"

struct filter_pattern;

/* Lies in the arena. NULL: FAULT_INVALID. */
const struct filter_pattern *filter_pattern_parse(struct arena *arena, struct slice text,
                                                  struct err *err);
/* One thread at a time. */
bool filter_pattern_matches(const struct filter_pattern *pattern, struct slice message);

#endif
