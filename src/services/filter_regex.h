/* The regular expressions of filter patterns: %...%. AWS's own small dialect: alternatives,
 * classes, repetition, anchors, \d \s \w and \xHH, but no groups. Pure. */
#ifndef LK_FILTER_REGEX_H
#define LK_FILTER_REGEX_H

#include "base/arena.h"
#include "base/err.h"

struct filter_regex;

/* Lies in the arena. NULL: FAULT_INVALID. */
struct filter_regex *filter_regex_parse(struct arena *arena, struct slice text, struct err *err);

/* Anywhere in the text. One thread at a time; one that costs too much does not match. */
bool filter_regex_matches(struct filter_regex *regex, struct slice text);

#endif
