/* application/x-www-form-urlencoded: names and values, as the Query protocol's requests and a
 * query string have them. */
#ifndef LK_FORM_H
#define LK_FORM_H

#include "base/arena.h"

struct form_pair { /* decoded: %XX, '+' is a blank; a name without '=' has an empty value */
    struct slice name;
    struct slice value;
};

struct form {
    struct form_pair *pairs;
    size_t n;
};

/* False if an escape is broken, if a name or value is not UTF-8 or has a zero byte, or if there are
 * more than `max` pairs. */
bool form_parse(struct slice text, size_t max, struct arena *arena, struct form *out) MUST_USE;

struct slice form_get(const struct form *form, struct slice name); /* the first; absent if none */

#endif
