/* Time. Tests may stop the clock and move it by hand. */
#ifndef LK_CLOCK_H
#define LK_CLOCK_H

#include "base/slice.h"

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC: for durations */
uint64_t clock_wall_ms(void); /* Unix epoch: for what people and clients see */

/* RFC 3339, "2024-03-04T17:37:38.033Z" or "+01:00" at its end: milliseconds of the Unix epoch. */
bool clock_parse(struct slice text, uint64_t *out_ms) MUST_USE;

/* For tests: both clocks stand at this point of time until the next call; 0 lets them run again. */
void clock_freeze(uint64_t mono_ns, uint64_t wall_ms);

#endif
