/* A growing run of bytes that this struct owns. For writing. The limit is an argument, no default.
 */
#ifndef LK_BUF_H
#define LK_BUF_H

#include "base/slice.h"

struct buf {
    char *p;
    size_t n;
    size_t cap;   /* state */
    size_t limit; /* most bytes it may ever hold */
    bool over;    /* something did not fit: it was left out, and so is all that follows */
};

#define BUF_INIT(max) ((struct buf){NULL, 0, 0, (max), false})

void buf_init(struct buf *b, size_t limit);
void buf_free(struct buf *b);  /* leaves an empty buf with the same limit */
void buf_clear(struct buf *b); /* keeps the memory */

/* All return false once the limit would be passed (and set `over`); the content stays valid. */
static inline bool buf_add(struct buf *b, const void *p, size_t n);
static inline bool buf_slice(struct buf *b, struct slice s);
static inline bool buf_char(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool buf_u64(struct buf *b, uint64_t value); /* decimal */

char *buf_reserve(struct buf *b, size_t n); /* n writable bytes after the end, or NULL */
void buf_drop(struct buf *b, size_t n);     /* removes n bytes from the front */

bool buf_add_grow(struct buf *b, const void *p, size_t n); /* what buf_add does without room */

/* Inline, so that a constant text that fits costs a few stores. */
static inline bool buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0 || b->over || n > b->cap - b->n)
        return buf_add_grow(b, p, n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
    return true;
}

static inline bool buf_slice(struct buf *b, struct slice s)
{
    return buf_add(b, s.p, s.n);
}

static inline bool buf_char(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

static inline struct slice buf_all(const struct buf *b)
{
    return (struct slice){b->p ? b->p : "", b->n};
}

static inline void auto_buf(struct buf *b)
{
    buf_free(b);
}

#endif
