/* A hash table from byte strings to pointers. The keys stay the caller's and must outlive their
 * entry (they usually lie inside the value). Order of iteration is arbitrary. */
#ifndef LK_MAP_H
#define LK_MAP_H

#include "base/slice.h"

struct map;

struct map *map_new(void);
void map_free(struct map *map); /* NULL is fine; values stay the caller's */

void *map_get(const struct map *map, struct slice key);        /* NULL if there is none */
void *map_put(struct map *map, struct slice key, void *value); /* the replaced value or NULL */
void *map_remove(struct map *map, struct slice key);           /* the removed value or NULL */
size_t map_count(const struct map *map);

/* for (size_t at = 0; map_next(map, &at, &value);) - the map must not change meanwhile. */
bool map_next(const struct map *map, size_t *at, void **out_value);

#endif
