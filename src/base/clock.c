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

/* The number at `at`, of `n` digits, and no more than `max`. */
static bool number(struct slice text, size_t at, size_t n, uint64_t max, int *out)
{
    uint64_t value = 0;
    if (text.n < at + n || !slice_u64(slice_sub(text, at, n), &value) || value > max)
        return false;
    *out = (int)value;
    return true;
}

/* ".033" in front of the zone: milliseconds; further digits count for nothing. */
static bool cut_fraction(struct slice *rest, int *out_ms)
{
    size_t n = 1;
    int weight = 100;
    *out_ms = 0;
    if (!slice_starts(*rest, S(".")))
        return true;
    for (; n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9'; n++, weight /= 10)
        *out_ms += (rest->p[n] - '0') * weight;
    *rest = slice_sub(*rest, n, rest->n);
    return n > 1;
}

/* "Z", "+01:00", "-05:30": seconds to take off. */
static bool zone(struct slice text, int *out_seconds)
{
    int hours = 0;
    int minutes = 0;
    *out_seconds = 0;
    if (slice_eq_nocase(text, S("Z")))
        return true;
    if (text.n != 6 || (text.p[0] != '+' && text.p[0] != '-') || text.p[3] != ':' ||
        !number(text, 1, 2, 23, &hours) || !number(text, 4, 2, 59, &minutes))
        return false;
    *out_seconds = (hours * 60 + minutes) * (text.p[0] == '-' ? -60 : 60);
    return true;
}

bool clock_parse(struct slice text, uint64_t *out_ms)
{
    struct tm tm = {0};
    int ms = 0;
    int offset = 0;
    struct slice rest = slice_sub(text, 19, text.n);
    if (!number(text, 0, 4, 9999, &tm.tm_year) || !number(text, 5, 2, 12, &tm.tm_mon) ||
        !number(text, 8, 2, 31, &tm.tm_mday) || !number(text, 11, 2, 23, &tm.tm_hour) ||
        !number(text, 14, 2, 59, &tm.tm_min) || !number(text, 17, 2, 60, &tm.tm_sec))
        return false;
    if (text.p[4] != '-' || text.p[7] != '-' || (text.p[10] | 0x20) != 't' || text.p[13] != ':' ||
        text.p[16] != ':' || !tm.tm_mon || !tm.tm_mday || !cut_fraction(&rest, &ms) ||
        !zone(rest, &offset))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    int64_t seconds = (int64_t)timegm(&tm) - offset;
    if (seconds < 0)
        return false;
    *out_ms = (uint64_t)seconds * 1000 + (uint64_t)ms;
    return true;
}

void clock_freeze(uint64_t mono_ns, uint64_t wall_ms)
{
    frozen_mono_ns = mono_ns;
    frozen_wall_ms = wall_ms;
}
