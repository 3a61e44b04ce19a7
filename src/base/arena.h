/* Memory that is given back all at once: what belongs to one request lives in its arena. */
#ifndef LK_ARENA_H
#define LK_ARENA_H

#include "base/slice.h"

struct arena;

struct arena *arena_new(void);
struct arena *arena_new_sized(size_t size); /* for what is kept: about as much as it will hold */
void arena_free(struct arena *arena);       /* NULL is fine */
void arena_clear(struct arena *arena);      /* frees the contents, keeps the first block */

void *arena_alloc(struct arena *arena, size_t size);               /* zeroed, 16-byte aligned */
void *arena_array(struct arena *arena, size_t count, size_t size); /* overflow aborts */
struct slice arena_dup(struct arena *arena, struct slice s);       /* absent stays absent */
char *arena_str(struct arena *arena, struct slice s);              /* zero-terminated copy */
struct slice arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define ARENA_NEW(arena, type) ((struct type *)arena_alloc((arena), sizeof(struct type)))

static inline void auto_arena(struct arena **arena)
{
    arena_free(*arena);
}

#endif
