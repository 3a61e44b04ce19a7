#include "front/marker.h"

#include "base/mem.h"
#include "codec/base64.h"

/* A sum over operation and key, then the key; in base64 of the kind that needs no escape in a
 * query. The sum keeps accidents out. There is nothing to protect: a page shows only what its
 * caller may see, wherever it begins. */
enum { SUM = 8 };

static struct slice *member(const struct aws_shape *shape, const void *value, struct slice name)
{
    for (size_t i = 0; shape && value && i < shape->member_count; i++) {
        const struct aws_member *m = &shape->members[i];
        if (slice_eq(m->wire, name) && m->shape->type == AWS_STRING)
            return (struct slice *)((uintptr_t)value + m->offset);
    }
    return NULL;
}

/* FNV-1a */
static uint64_t sum_of(uint64_t sum, struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        sum = (sum ^ (unsigned char)text.p[i]) * 0x100000001b3;
    return sum;
}

static uint64_t sum_for(const struct aws_operation *op, struct slice key)
{
    return sum_of(sum_of(0xcbf29ce484222325, op->name), key);
}

/* Between the two alphabets of base64. */
static void change(char *p, size_t n, const char *from, const char *to)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == from[0])
            p[i] = to[0];
        else if (p[i] == from[1])
            p[i] = to[1];
    }
}

bool marker_unwrap(const struct aws_operation *op, void *input, struct arena *arena)
{
    struct slice *marker =
        op->service->protocol == AWS_REST_JSON ? member(op->input, input, S("Marker")) : NULL;
    uint64_t sum = 0;
    if (!marker || !marker->n)
        return true;
    AUTO(buf) struct buf text = BUF_INIT(marker->n + 4);
    AUTO(buf) struct buf bytes = BUF_INIT(marker->n);
    buf_slice(&text, *marker);
    change(text.p, text.n, "-_", "+/");
    while (text.n % 4)
        buf_char(&text, '=');
    if (!base64_decode(&bytes, buf_all(&text)) || bytes.n <= SUM)
        return false;
    memcpy(&sum, bytes.p, SUM);
    struct slice key = {bytes.p + SUM, bytes.n - SUM};
    if (sum != sum_for(op, key))
        return false;
    *marker = arena_dup(arena, key);
    return true;
}

const void *marker_wrap(const struct aws_operation *op, const void *output, struct arena *arena)
{
    const struct slice *key =
        op->service->protocol == AWS_REST_JSON ? member(op->output, output, S("NextMarker")) : NULL;
    if (!key || !key->n)
        return output;
    uint64_t sum = sum_for(op, *key);
    AUTO(buf) struct buf bytes = BUF_INIT(SUM + key->n);
    AUTO(buf) struct buf text = BUF_INIT(base64_length(SUM + key->n));
    buf_add(&bytes, (const char *)&sum, SUM);
    buf_slice(&bytes, *key);
    base64_encode(&text, buf_all(&bytes));
    change(text.p, text.n, "+/", "-_");
    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    void *copy = arena_alloc(arena, op->output->size);
    memcpy(copy, output, op->output->size);
    *member(op->output, copy, S("NextMarker")) = arena_dup(arena, buf_all(&text));
    return copy;
}
