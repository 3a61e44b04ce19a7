#include "model/stamp.h"

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static struct slice stamp(struct arena *arena, bool with_ms)
{
    uint64_t ms = clock_wall_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char fraction[8] = "";
    gmtime_r(&seconds, &tm);
    if (with_ms)
        snprintf(fraction, sizeof fraction, ".%03u", (unsigned)(ms % 1000));
    return arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02d%s+0000", tm.tm_year + 1900,
                        tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
}

struct slice stamp_now(struct arena *arena)
{
    return stamp(arena, true);
}

struct slice stamp_now_seconds(struct arena *arena)
{
    return stamp(arena, false);
}
