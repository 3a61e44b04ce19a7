/* The runtime identifiers that AWS has (controlplane.md facts 6-8). */
#ifndef LK_RUNTIME_NAMES_H
#define LK_RUNTIME_NAMES_H

#include "base/slice.h"

struct runtime_name {
    struct slice name;
    bool retired; /* AWS creates no functions with it any more */
};

enum { RUNTIME_NAMES = 33 };

/* Those that are not retired in the order of AWS's error message, which clients see; the others
 * behind them. */
extern const struct runtime_name runtime_names[RUNTIME_NAMES];

const struct runtime_name *runtime_name_find(struct slice name); /* NULL: AWS has none like it */

#endif
