#include "base/map.h"

#include "base/mem.h"

#include <sys/random.h>

struct entry {
    struct slice key;
    void *value; /* NULL: free */
    uint64_t hash;
};

struct map {
    struct entry *entries;
    size_t cap; /* a power of two */
    size_t count;
    uint64_t seed; /* keys come from clients: nobody outside can make them collide on purpose */
};

enum { FIRST_CAP = 16 };

static uint64_t hash_of(const struct map *map, struct slice key)
{
    uint64_t h = map->seed ^ key.n;
    for (size_t at = 0; at < key.n; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = key.n - at;
        memcpy(&word, key.p + at, left < sizeof word ? left : sizeof word);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    return h * UINT64_C(0xd6e8feb86659fd93) ^ (h >> 32);
}

struct map *map_new(void)
{
    struct map *map = NEW(map);
    map->cap = FIRST_CAP;
    must(getrandom(&map->seed, sizeof map->seed, 0) == (ssize_t)sizeof map->seed);
    map->entries = mem_new_array(map->cap, sizeof *map->entries);
    return map;
}

void map_free(struct map *map)
{
    if (!map)
        return;
    free(map->entries);
    free(map);
}

/* The entry of the key, or the free one where it would go. */
static struct entry *find(const struct map *map, struct slice key, uint64_t hash)
{
    size_t at = hash & (map->cap - 1);
    for (;;) {
        struct entry *e = &map->entries[at];
        if (!e->value || (e->hash == hash && slice_eq(e->key, key)))
            return e;
        at = (at + 1) & (map->cap - 1);
    }
}

void *map_get(const struct map *map, struct slice key)
{
    return find(map, key, hash_of(map, key))->value;
}

static void grow(struct map *map)
{
    struct entry *old = map->entries;
    size_t old_cap = map->cap;
    map->cap *= 2;
    map->entries = mem_new_array(map->cap, sizeof *map->entries);
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].value)
            *find(map, old[i].key, old[i].hash) = old[i];
    }
    free(old);
}

void *map_put(struct map *map, struct slice key, void *value)
{
    must(value != NULL);
    if ((map->count + 1) * 4 > map->cap * 3)
        grow(map);
    uint64_t hash = hash_of(map, key);
    struct entry *e = find(map, key, hash);
    void *old = e->value;
    map->count += old == NULL;
    *e = (struct entry){key, value, hash};
    return old;
}

void *map_remove(struct map *map, struct slice key)
{
    struct entry *e = find(map, key, hash_of(map, key));
    void *value = e->value;
    if (!value)
        return NULL;
    e->value = NULL;
    map->count--;
    /* Entries behind the gap that probed past it are put again. */
    for (size_t at = ((size_t)(e - map->entries) + 1) & (map->cap - 1); map->entries[at].value;
         at = (at + 1) & (map->cap - 1)) {
        struct entry moved = map->entries[at];
        map->entries[at].value = NULL;
        *find(map, moved.key, moved.hash) = moved;
    }
    return value;
}

size_t map_count(const struct map *map)
{
    return map->count;
}

bool map_next(const struct map *map, size_t *at, void **out_value)
{
    while (*at < map->cap) {
        struct entry *e = &map->entries[(*at)++];
        if (e->value) {
            *out_value = e->value;
            return true;
        }
    }
    return false;
}
