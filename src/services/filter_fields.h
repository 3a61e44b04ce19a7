/* Filter patterns for events of fields with blanks between: [ip, user, ..., status=4*, size>1000].
 * What stands in quotes or brackets is one field. Pure. */
#ifndef LK_FILTER_FIELDS_H
#define LK_FILTER_FIELDS_H

#include "services/filter_expr.h"

struct filter_fields;

/* The text between the brackets. NULL: FAULT_INVALID. */
const struct filter_fields *filter_fields_parse(struct arena *arena, struct slice text,
                                                struct err *err);
bool filter_fields_matches(const struct filter_fields *fields, struct slice message);

#endif
