#include "services/log_settings.h"

#include "aws/codec.h"
#include "base/mem.h"

struct store_LogGroupSettings *log_settings_read(struct arena *arena, struct slice document)
{
    struct aws_fault fault;
    void *value = NULL;
    if (document.n &&
        aws_decode_struct(store_shape_LogGroupSettings, document, arena, &value, &fault))
        return value;
    return ARENA_NEW(arena, store_LogGroupSettings);
}

struct slice log_settings_write(struct arena *arena, const struct store_LogGroupSettings *settings)
{
    AUTO(buf) struct buf json = BUF_INIT(SIZE_MAX);
    aws_encode_struct(store_shape_LogGroupSettings, settings, &json);
    return arena_dup(arena, buf_all(&json));
}

static size_t find(const struct aws_map *tags, struct slice key)
{
    size_t i = 0;
    while (i < tags->n && !slice_eq(tags->keys[i], key))
        i++;
    return i;
}

void log_settings_tag(struct arena *arena, struct store_LogGroupSettings *settings,
                      const struct aws_map *tags)
{
    struct aws_map *have = &settings->tags;
    size_t room = have->n + tags->n;
    struct slice *keys = arena_array(arena, room, sizeof *keys);
    struct slice *values = arena_array(arena, room, sizeof *values);
    for (size_t i = 0; i < have->n; i++) {
        keys[i] = have->keys[i];
        values[i] = ((struct slice *)have->values)[i];
    }
    *have = (struct aws_map){true, have->n, keys, values};
    for (size_t i = 0; i < tags->n; i++) {
        size_t at = find(have, tags->keys[i]);
        keys[at] = tags->keys[i];
        values[at] = ((struct slice *)tags->values)[i];
        have->n += at == have->n;
    }
}

void log_settings_untag(struct store_LogGroupSettings *settings, const struct aws_list *list)
{
    struct aws_map *have = &settings->tags;
    struct slice *values = have->values;
    for (size_t i = 0; i < list->n; i++) {
        size_t at = find(have, *AWS_ITEM(*list, struct slice, i));
        if (at == have->n)
            continue;
        have->n--;
        memmove(&have->keys[at], &have->keys[at + 1], (have->n - at) * sizeof *have->keys);
        memmove(&values[at], &values[at + 1], (have->n - at) * sizeof *values);
    }
}
