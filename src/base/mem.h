/* Ownership: small allocations abort on failure, locals release themselves, pointers are handed on.
 * Sizes that a client chooses are checked against a limit before they come here. */
#ifndef LK_MEM_H
#define LK_MEM_H

#include "base/slice.h"

#include <stdlib.h>
#include <unistd.h>

void *mem_new(size_t size);                     /* zeroed; never NULL */
void *mem_new_array(size_t count, size_t size); /* zeroed; never NULL; overflow aborts */
void *mem_grow(void *p, size_t size);           /* realloc; never NULL */
char *mem_str(struct slice s);                  /* a copy that ends in a zero byte */

#define NEW(type) ((struct type *)mem_new(sizeof(struct type)))

/* Hands the value of a pointer variable on and leaves NULL behind. */
#define STEAL(p)                                                                                   \
    __extension__({                                                                                \
        __typeof__(p) steal_p_ = (p);                                                              \
        (p) = NULL;                                                                                \
        steal_p_;                                                                                  \
    })

/* AUTO(free) char *x; AUTO(fd) int fd = -1; and AUTO(x) for each type that defines auto_x(). */
#define AUTO(kind) __attribute__((cleanup(auto_##kind)))

static inline void auto_free(void *p)
{
    free(*(void **)p);
}

static inline void auto_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline int fd_take(int *fd)
{
    int value = *fd;
    *fd = -1;
    return value;
}

#endif
