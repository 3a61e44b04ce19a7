#include "base/arena.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

enum { BLOCK = 4096 - 64 };

struct block {
    struct block *next;
    size_t used;
    size_t size;
    _Alignas(16) char data[];
};

struct arena {
    struct block *blocks; /* newest first */
};

static struct block *block_new(struct block *next, size_t size)
{
    struct block *b = malloc(sizeof *b + size);
    must(b != NULL);
    b->next = next;
    b->used = 0;
    b->size = size;
    return b;
}

struct arena *arena_new(void)
{
    return arena_new_sized(BLOCK);
}

struct arena *arena_new_sized(size_t size)
{
    struct arena *arena = NEW(arena);
    arena->blocks = block_new(NULL, size);
    return arena;
}

void arena_clear(struct arena *arena)
{
    while (arena->blocks->next) {
        struct block *gone = arena->blocks;
        arena->blocks = gone->next;
        free(gone);
    }
    arena->blocks->used = 0;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    arena_clear(arena);
    free(arena->blocks);
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    must(size <= SIZE_MAX / 2);
    size = (size + 15) & ~(size_t)15;
    struct block *b = arena->blocks;
    if (size > b->size - b->used)
        b = arena->blocks = block_new(b, size > BLOCK ? size : BLOCK);
    void *p = b->data + b->used;
    b->used += size;
    return memset(p, 0, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total = 0;
    must(!__builtin_mul_overflow(count, size, &total));
    return arena_alloc(arena, total);
}

struct slice arena_dup(struct arena *arena, struct slice s)
{
    if (!s.p)
        return s;
    return (struct slice){arena_str(arena, s), s.n};
}

char *arena_str(struct arena *arena, struct slice s)
{
    char *copy = arena_alloc(arena, s.n + 1);
    if (s.n)
        memcpy(copy, s.p, s.n);
    return copy;
}

struct slice arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args;
    va_list again;
    must(fmt); /* said for the compiler's checks under sanitizers */
    va_start(args, fmt);
    va_copy(again, args);
    char small[256]; /* most texts are formatted once, only long ones twice */
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    must(n >= 0);
    char *p = arena_alloc(arena, (size_t)n + 1);
    if ((size_t)n < sizeof small)
        memcpy(p, small, (size_t)n);
    else
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct slice){p, (size_t)n};
}
