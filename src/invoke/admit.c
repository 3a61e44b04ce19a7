#include "invoke/admit.h"

#include "base/map.h"
#include "base/mem.h"

enum { KEY_MAX = 96 };

struct admission {
    char key[KEY_MAX];
    size_t key_n;
    uint32_t running;
};

struct admit {
    uint32_t limit;  /* configuration */
    struct map *map; /* struct admission; few, and kept */
};

struct admit *admit_new(uint32_t account_limit)
{
    struct admit *admit = NEW(admit);
    admit->limit = account_limit;
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

static struct admission *find(struct admit *admit, struct slice account, struct slice region)
{
    char text[KEY_MAX];
    struct slice key = make_key(text, account, region);
    struct admission *admission = map_get(admit->map, key);
    if (admission)
        return admission;
    admission = NEW(admission);
    memcpy(admission->key, key.p, key.n);
    admission->key_n = key.n;
    map_put(admit->map, (struct slice){admission->key, key.n}, admission);
    return admission;
}

struct admission *admit_enter(struct admit *admit, struct slice account, struct slice region)
{
    struct admission *admission = find(admit, account, region);
    if (admission->running >= admit->limit)
        return NULL;
    admission->running++;
    return admission;
}

void admit_leave(struct admission *admission)
{
    must(admission->running > 0);
    admission->running--;
}

uint32_t admit_running(const struct admit *admit, struct slice account, struct slice region)
{
    char text[KEY_MAX];
    const struct admission *admission = map_get(admit->map, make_key(text, account, region));
    return admission ? admission->running : 0;
}
