#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void buf_init(struct buf *b, size_t limit)
{
    *b = BUF_INIT(limit);
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = BUF_INIT(b->limit);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->over = false;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->over || n > b->limit - b->n) {
        b->over = true;
        return NULL;
    }
    if (n > b->cap - b->n) {
        size_t want = b->cap < 64 ? 64 : b->cap;
        while (want - b->n < n)
            want = want > b->limit / 2 ? b->n + n : want * 2;
        b->p = mem_grow(b->p, want);
        b->cap = want < b->limit ? want : b->limit; /* what buf_add() looks at */
    }
    return b->p + b->n;
}

bool buf_add_grow(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return !b->over; /* nothing fits everywhere, also where no memory is yet */
    char *to = buf_reserve(b, n);
    if (!to)
        return false;
    memcpy(to, p, n);
    b->n += n;
    return true;
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[512];
    va_list args;
    va_list again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    must(n >= 0);
    bool ok = true;
    if ((size_t)n < sizeof small) {
        ok = buf_add(b, small, (size_t)n);
    } else {
        char *to = buf_reserve(b, (size_t)n + 1);
        ok = to != NULL;
        if (to) {
            vsnprintf(to, (size_t)n + 1, fmt, again);
            b->n += (size_t)n;
        }
    }
    va_end(again);
    return ok;
}

bool buf_u64(struct buf *b, uint64_t value)
{
    char digits[SLICE_U64_MAX];
    return buf_slice(b, slice_of_u64(digits, value));
}

void buf_drop(struct buf *b, size_t n)
{
    must(n <= b->n);
    if (n && n < b->n)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}
