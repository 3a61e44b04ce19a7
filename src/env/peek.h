/* Looks at one member of a JSON object without reading the whole document into memory. */
#ifndef LK_PEEK_H
#define LK_PEEK_H

#include "base/slice.h"

/* The string member `key` of the object that `json` begins with, as written (escapes stay); absent
 * if there is none, if it is no string, or if the text before it is no JSON. */
struct slice peek_string(struct slice json, struct slice key);

#endif
