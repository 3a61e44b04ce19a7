#include "base/clock.h"

#include <time.h>

static uint64_t frozen_mono_ns;
static uint64_t frozen_wall_ms;

uint64_t clock_mono_ns(void)
{
    struct timespec now;
    if (frozen_mono_ns)
        return frozen_mono_ns;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_wall_ms(void)
{
    struct timespec now;
    if (frozen_wall_ms)
        return frozen_wall_ms;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void clock_freeze(uint64_t mono_ns, uint64_t wall_ms)
{
    frozen_mono_ns = mono_ns;
    frozen_wall_ms = wall_ms;
}
