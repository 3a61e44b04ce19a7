/* Time. Tests may stop the clock and move it by hand. */
#ifndef LK_CLOCK_H
#define LK_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC: for durations */
uint64_t clock_wall_ms(void); /* Unix epoch: for what people and clients see */

/* For tests: both clocks stand at this point of time until the next call; 0 lets them run again. */
void clock_freeze(uint64_t mono_ns, uint64_t wall_ms);

#endif
