/* A run of bytes that somebody else owns. For reading; a zero byte in it means nothing. */
#ifndef LK_SLICE_H
#define LK_SLICE_H

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *p; /* NULL means "absent" where absence matters; n is 0 then */
    size_t n;
};

#define S(literal) ((struct slice){"" literal, sizeof(literal) - 1})
#define S_INIT(literal)                                                                            \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }                                         /* for static tables */
#define FMT(s) (int)(s).n, (s).p ? (s).p : "" /* for "%.*s" */

static inline struct slice slice_str(const char *str) /* NULL gives an absent slice */
{
    return (struct slice){str, str ? strlen(str) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_eq_nocase(struct slice a, struct slice b); /* ASCII letters only */
int slice_cmp(struct slice a, struct slice b);        /* bytewise, as memcmp */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
struct slice slice_sub(struct slice s, size_t from, size_t n); /* clamped to what is there */
struct slice slice_trim(struct slice s);                       /* spaces and tabs, both ends */

/* Length of the well-formed UTF-8 sequence that it starts with, 0 if there is none (Unicode table
 * 3-7: no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t slice_utf8(struct slice s);

/* Position of the first / last `c`, or SIZE_MAX. */
size_t slice_find(struct slice s, char c);
size_t slice_rfind(struct slice s, char c);

/* Cuts the part before the first `sep` off *rest into *part (all of it if there is none).
 * False when *rest was absent, that is, after the last part. */
bool slice_cut(struct slice *rest, char sep, struct slice *part);

/* Decimal digits only: no sign, no blanks, no 0x; false on overflow or anything else. */
bool slice_u64(struct slice s, uint64_t *out) MUST_USE;
bool slice_i64(struct slice s, int64_t *out) MUST_USE; /* one leading '-' is allowed */

/* The other way round: decimal, in the given memory. */
enum { SLICE_U64_MAX = 20 };
struct slice slice_of_u64(char to[SLICE_U64_MAX], uint64_t value);

int slice_hex_digit(char c); /* its value; -1: it is none */

#endif
