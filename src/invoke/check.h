/* What Invoke and InvokeWithResponseStream check alike, in Lambda's order (dataplane.md 4.3).
 * Private to src/invoke. */
#ifndef LK_INVOKE_CHECK_H
#define LK_INVOKE_CHECK_H

#include "aws/target.h"
#include "front/call.h"
#include "model/function.h"

/* The members that both operations' inputs have. */
struct order {
    struct slice name;
    struct slice qualifier;
    struct slice type; /* InvocationType */
    struct slice log_type;
    struct slice context; /* ClientContext, in base64 */
};

/* What shall run. */
struct checked {
    const struct function *fn; /* not a reference */
    struct target target;
    struct slice context; /* JSON in the call's arena; absent if none */
};

enum { INVOKE_PAYLOAD_MAX = 6291456 }; /* AWS: 6 MB */

/* False: the call is answered, because it may not run or as all it wanted was these checks. */
bool check_order(struct call *call, const struct functions *functions, const struct order *order,
                 struct checked *out) MUST_USE;

#endif
