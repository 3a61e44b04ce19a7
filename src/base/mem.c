#include "base/mem.h"

void *mem_new(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    must(p != NULL);
    return p;
}

void *mem_new_array(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    must(p != NULL);
    return p;
}

void *mem_grow(void *p, size_t size)
{
    void *grown = realloc(p, size ? size : 1);
    must(grown != NULL);
    return grown;
}

char *mem_str(struct slice s)
{
    char *copy = mem_new(s.n + 1);
    if (s.n)
        memcpy(copy, s.p, s.n);
    return copy;
}
