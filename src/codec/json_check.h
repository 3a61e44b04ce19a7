/* Is this exactly one JSON value (RFC 8259), in valid UTF-8? Builds nothing, uses constant memory:
 * every invocation's payload passes here. */
#ifndef LK_JSON_CHECK_H
#define LK_JSON_CHECK_H

#include "base/slice.h"

enum { JSON_DEPTH_MAX = 1000 }; /* as Lambda's own parser */

struct json_fault {
    size_t at;           /* byte where it stopped being JSON */
    size_t line, column; /* of that byte, from 1 */
    char what[96];
};

bool json_check(struct slice text, struct json_fault *out) MUST_USE;

#endif
