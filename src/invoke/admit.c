#include "invoke/admit.h"

#include "base/map.h"
#include "base/mem.h"

enum { KEY_MAX = 96 };

/* What functions without a reservation share in one account and region. */
struct admit_pool {
    char key[KEY_MAX];
    size_t key_n;
    uint64_t epoch; /* of the reservations that `reserved` sums up */
    int64_t reserved;
    uint32_t running;
};

struct admit {
    uint32_t limit; /* configuration */
    const struct functions *functions;
    struct map *map; /* struct admit_pool; few, and kept */
};

struct admit *admit_new(uint32_t account_limit, const struct functions *functions)
{
    struct admit *admit = NEW(admit);
    admit->limit = account_limit;
    admit->functions = functions;
    admit->map = map_new();
    return admit;
}

void admit_free(struct admit *admit)
{
    if (!admit)
        return;
    size_t at = 0;
    void *value = NULL;
    while (map_next(admit->map, &at, &value))
        free(value);
    map_free(admit->map);
    free(admit);
}

static struct slice make_key(char key[KEY_MAX], struct slice account, struct slice region)
{
    account = slice_sub(account, 0, 16); /* 12 digits; whatever else comes stays inside */
    region = slice_sub(region, 0, KEY_MAX - 17);
    memcpy(key, account.p, account.n);
    key[account.n] = ' ';
    memcpy(key + account.n + 1, region.p, region.n);
    return (struct slice){key, account.n + 1 + region.n};
}

static struct admit_pool *pool_of(struct admit *admit, const struct function *fn)
{
    char text[KEY_MAX];
    struct slice key = make_key(text, fn->account, fn->region);
    struct admit_pool *pool = map_get(admit->map, key);
    if (pool)
        return pool;
    pool = NEW(admit_pool);
    memcpy(pool->key, key.p, key.n);
    pool->key_n = key.n;
    pool->epoch = UINT64_MAX;
    map_put(admit->map, (struct slice){pool->key, key.n}, pool);
    return pool;
}

static bool has_room(const struct admit *admit, struct admit_pool *pool, const struct function *fn)
{
    uint64_t epoch = functions_reserved_epoch(admit->functions);
    if (pool->epoch != epoch) {
        pool->reserved = functions_reserved(admit->functions, fn->account, fn->region);
        pool->epoch = epoch;
    }
    return pool->running + pool->reserved < (int64_t)admit->limit;
}

enum admit_refusal admit_enter(struct admit *admit, const struct function *fn,
                               struct admission *out)
{
    struct function_load *load = fn->load;
    *out = (struct admission){NULL, load};
    if (load->reserved >= 0) {
        if (load->running >= load->reserved)
            return ADMIT_FUNCTION_FULL;
    } else {
        out->pool = pool_of(admit, fn);
        if (!has_room(admit, out->pool, fn))
            return ADMIT_ACCOUNT_FULL;
        out->pool->running++;
    }
    load->running++;
    return ADMIT_OK;
}

void admit_leave(const struct admission *admission)
{
    must(admission->load->running > 0);
    admission->load->running--;
    if (!admission->pool)
        return;
    must(admission->pool->running > 0);
    admission->pool->running--;
}
