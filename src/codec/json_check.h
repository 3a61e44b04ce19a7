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

/* How many values a document has, roughly, and no more than `enough`: a value takes a parser that
 * builds a tree some 50 times the two bytes that it takes here. Long strings are skipped quickly.
 */
size_t json_weight(struct slice text, size_t enough);

#endif
