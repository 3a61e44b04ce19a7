/* Filter patterns of CloudWatch Logs, the unstructured kind: terms that must all be there,
 * "phrases", ?alternatives of which one must, -exclusions that must not. JSON, space-delimited and
 * regular expression patterns are recognised and refused. Pure. */
#ifndef LK_FILTER_PATTERN_H
#define LK_FILTER_PATTERN_H

#include "base/arena.h"
#include "base/err.h"

struct filter_pattern;

/* Lies in the arena. NULL: FAULT_INVALID, or FAULT_UNAVAILABLE for the kinds that are not built. */
const struct filter_pattern *filter_pattern_parse(struct arena *arena, struct slice text,
                                                  struct err *err);
bool filter_pattern_matches(const struct filter_pattern *pattern, struct slice message);

#endif
