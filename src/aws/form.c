/* Forms into typed structs.
 *
 * The names are sorted with '.' below every other byte, so all that belongs to one member, list
 * item or map entry lies together: a value is decoded from a range of pairs, and from how much of
 * their names has been dealt with. Nothing is built, and nothing takes more than n log n. */
#include "codec/form.h"
#include "aws/query.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/base64.h"

struct decoder {
    struct arena *arena;
    struct aws_fault *fault;
};

/* Pairs whose names agree in their first `depth` bytes; those lead to the value. */
struct range {
    struct form_pair *pairs;
    size_t n;
    size_t depth;
};

static bool malformed(struct decoder *d, struct slice message)
{
    d->fault->code = "MalformedInput";
    d->fault->message = message;
    return false;
}

static int rank(char c)
{
    return c == '.' ? 0 : (unsigned char)c + 1;
}

static int by_name(const void *left, const void *right)
{
    struct slice a = ((const struct form_pair *)left)->name;
    struct slice b = ((const struct form_pair *)right)->name;
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        if (a.p[i] != b.p[i])
            return rank(a.p[i]) - rank(b.p[i]);
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

/* The next part of a name: "2" of "Tags.member.2.Key" behind "Tags.member". */
static struct slice segment(const struct form_pair *pair, size_t depth)
{
    struct slice rest = slice_sub(pair->name, depth, pair->name.n);
    struct slice part = {NULL, 0};
    if (depth) { /* the dot in front of it */
        if (!rest.n)
            return part;
        rest = slice_sub(rest, 1, rest.n);
    }
    slice_cut(&rest, '.', &part);
    return part;
}

/* Those at the front of `rest` that agree in the next part; they are taken off it. */
static struct range take_group(struct range *rest)
{
    struct slice part = segment(&rest->pairs[0], rest->depth);
    struct range group = {rest->pairs, 1, rest->depth + part.n + (rest->depth ? 1 : 0)};
    while (group.n < rest->n) {
        struct slice next = segment(&rest->pairs[group.n], rest->depth);
        if (!next.p || !slice_eq(next, part))
            break;
        group.n++;
    }
    rest->pairs += group.n;
    rest->n -= group.n;
    return group;
}

static bool find_group(struct range range, struct slice name, struct range *out)
{
    while (range.n) {
        struct slice part = segment(&range.pairs[0], range.depth);
        struct range group;
        if (!part.p) { /* the value itself stands in front of what lies below it */
            range.pairs++;
            range.n--;
            continue;
        }
        group = take_group(&range);
        if (slice_eq(part, name)) {
            *out = group;
            return true;
        }
    }
    return false;
}

/* The value of a member that has no parts. */
static bool plain(struct decoder *d, struct range range, struct slice *out)
{
    if (range.pairs[0].name.n != range.depth)
        return malformed(d, S("Start of structure or map found where not expected."));
    *out = range.pairs[0].value;
    return true;
}

static bool decode_value(struct decoder *d, const struct aws_shape *shape, struct range range,
                         void *to);

static bool decode_members(struct decoder *d, const struct aws_shape *shape, struct range range,
                           void *to)
{
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct aws_member *m = &shape->members[i];
        struct range found;
        if (find_group(range, m->wire, &found) &&
            !decode_value(d, m->shape, found, (char *)to + m->offset))
            return false;
    }
    return true;
}

/* ---- lists and maps ---- */

struct item {
    uint64_t number;
    struct range range;
};

static int by_number(const void *left, const void *right)
{
    uint64_t a = ((const struct item *)left)->number;
    uint64_t b = ((const struct item *)right)->number;
    return a < b ? -1 : a > b;
}

/* X.member.N or X.entry.N: in the order of N. "X=" alone is how clients write an empty list. */
static bool find_items(struct decoder *d, struct range range, struct slice word,
                       struct item **out_items, size_t *out_n)
{
    struct range rest;
    size_t n = 0;
    if (!find_group(range, word, &rest)) {
        if (range.pairs[0].name.n != range.depth || range.pairs[0].value.n)
            return malformed(d, S("Unexpected list element termination"));
        *out_n = 0;
        return true;
    }
    struct item *items = arena_array(d->arena, rest.n, sizeof *items);
    while (rest.n) {
        struct slice part = segment(&rest.pairs[0], rest.depth);
        if (!slice_u64(part, &items[n].number) || !items[n].number)
            return malformed(d, arena_printf(d->arena, "%.*s is not a valid index.", FMT(part)));
        items[n++].range = take_group(&rest);
    }
    qsort(items, n, sizeof *items, by_number);
    *out_items = items;
    *out_n = n;
    return true;
}

static bool decode_list(struct decoder *d, const struct aws_shape *shape, struct range range,
                        struct aws_list *out)
{
    size_t size = aws_value_size(shape->element);
    struct item *items = NULL;
    size_t n = 0;
    if (!find_items(d, range, S("member"), &items, &n))
        return false;
    *out = (struct aws_list){true, n, arena_array(d->arena, n ? n : 1, size)};
    for (size_t i = 0; i < n; i++) {
        if (!decode_value(d, shape->element, items[i].range, (char *)out->items + i * size))
            return false;
    }
    return true;
}

static bool decode_map(struct decoder *d, const struct aws_shape *shape, struct range range,
                       struct aws_map *out)
{
    size_t size = aws_value_size(shape->element);
    struct item *items = NULL;
    size_t n = 0;
    if (!find_items(d, range, S("entry"), &items, &n))
        return false;
    out->set = true;
    out->keys = arena_array(d->arena, n ? n : 1, sizeof *out->keys);
    out->values = arena_array(d->arena, n ? n : 1, size);
    for (size_t i = 0; i < n; i++) {
        struct range part;
        if (!find_group(items[i].range, S("key"), &part))
            return malformed(d, S("A map entry has no key."));
        if (!plain(d, part, &out->keys[i]))
            return false;
        if (find_group(items[i].range, S("value"), &part) &&
            !decode_value(d, shape->element, part, (char *)out->values + i * size))
            return false;
        out->n++;
    }
    return true;
}

/* ---- plain values ---- */

static bool decode_blob(struct decoder *d, struct slice text, struct slice *out)
{
    struct buf bytes = BUF_INIT(text.n);
    bool ok = base64_decode(&bytes, text);
    if (ok)
        *out = arena_dup(d->arena, buf_all(&bytes));
    buf_free(&bytes);
    return ok;
}

static bool decode_double(struct decoder *d, struct slice text, double *out)
{
    char *end = NULL;
    const char *str = arena_str(d->arena, text);
    *out = strtod(str, &end);
    return text.n && (size_t)(end - str) == text.n && *out - *out == 0;
}

static bool decode_time(struct decoder *d, struct slice text, double *out)
{
    uint64_t ms = 0;
    if (!clock_parse(text, &ms))
        return decode_double(d, text, out);
    *out = (double)ms / 1000;
    return true;
}

static bool wrong_type(struct decoder *d, const struct aws_shape *shape)
{
    const char *wanted = shape->type == AWS_BLOB        ? "a Blob"
                         : shape->type == AWS_INTEGER   ? "an Integer"
                         : shape->type == AWS_LONG      ? "a Long"
                         : shape->type == AWS_BOOLEAN   ? "a Boolean"
                         : shape->type == AWS_TIMESTAMP ? "a Timestamp"
                                                        : "a Double";
    return malformed(d, arena_printf(d->arena, "STRING_VALUE can not be converted to %s", wanted));
}

static bool decode_plain(struct decoder *d, const struct aws_shape *shape, struct slice text,
                         void *to)
{
    int64_t number = 0;
    double real = 0;
    bool truth = slice_eq_nocase(text, S("true"));
    switch (shape->type) {
    case AWS_BLOB:
        return decode_blob(d, text, to) || wrong_type(d, shape);
    case AWS_INTEGER:
    case AWS_LONG:
        if (!slice_i64(text, &number))
            return wrong_type(d, shape);
        *(struct opt_i64 *)to = OPT_I64(number);
        return true;
    case AWS_DOUBLE:
    case AWS_TIMESTAMP:
        if (shape->type == AWS_DOUBLE ? !decode_double(d, text, &real)
                                      : !decode_time(d, text, &real))
            return wrong_type(d, shape);
        *(struct opt_f64 *)to = OPT_F64(real);
        return true;
    case AWS_BOOLEAN:
        if (!truth && !slice_eq_nocase(text, S("false")))
            return wrong_type(d, shape);
        *(struct opt_bool *)to = OPT_BOOL(truth);
        return true;
    case AWS_STRING:
    case AWS_STRUCTURE:
    case AWS_LIST:
    case AWS_MAP:
        break;
    }
    *(struct slice *)to = text;
    return true;
}

static bool decode_value(struct decoder *d, const struct aws_shape *shape, struct range range,
                         void *to)
{
    struct slice text;
    switch (shape->type) {
    case AWS_STRUCTURE:
        *(void **)to = arena_alloc(d->arena, shape->size);
        return decode_members(d, shape, range, *(void **)to);
    case AWS_LIST:
        return decode_list(d, shape, range, to);
    case AWS_MAP:
        return decode_map(d, shape, range, to);
    case AWS_STRING:
    case AWS_BLOB:
    case AWS_INTEGER:
    case AWS_LONG:
    case AWS_DOUBLE:
    case AWS_TIMESTAMP:
    case AWS_BOOLEAN:
        break;
    }
    return plain(d, range, &text) && decode_plain(d, shape, text, to);
}

bool aws_query_decode(const struct aws_shape *shape, struct slice text, struct arena *arena,
                      void *to, struct aws_fault *fault)
{
    struct decoder d = {arena, fault};
    struct form form;
    if (!form_parse(text, QUERY_PAIRS_MAX, arena, &form)) {
        fault->code = "MalformedQueryString";
        fault->message = S("The query string contains a syntax error.");
        return false;
    }
    qsort(form.pairs, form.n, sizeof *form.pairs, by_name);
    return decode_members(&d, shape, (struct range){form.pairs, form.n, 0}, to);
}
