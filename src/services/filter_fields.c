#include "services/filter_fields.h"

#include "base/mem.h"

struct field {
    bool many;                      /* "...": any number of them */
    const struct filter_expr *expr; /* NULL: whatever it is */
};

struct filter_fields {
    struct field *list;
    size_t n;
};

static const char STOPS[] = "()&|,]";

/* ---- parsing ---- */

static const void *read_name(struct filter_reader *reader, struct err *err)
{
    static const struct slice ends = S_INIT(" \t\r\n,=!<>()&|[]\"%");
    size_t n = 0;
    filter_skip_blanks(reader);
    while (n < reader->rest.n && slice_find(ends, reader->rest.p[n]) == SIZE_MAX)
        n++;
    const char *name = reader->rest.p;
    reader->rest = slice_sub(reader->rest, n, reader->rest.n);
    if (n)
        return name;
    err_set(err, FAULT_INVALID, "Invalid filter pattern: the name of a field is missing");
    return NULL;
}

static bool at_end(struct filter_reader *reader)
{
    filter_skip_blanks(reader);
    return !reader->rest.n || reader->rest.p[0] == ',';
}

static bool read_field(struct filter_reader *reader, struct field *out, struct err *err)
{
    filter_skip_blanks(reader);
    struct slice before = reader->rest;
    if (filter_take(reader, S("..."))) {
        out->many = true;
        return true;
    }
    if (!filter_take(reader, S("("))) {
        if (!read_name(reader, err))
            return false;
        if (at_end(reader))
            return true;
    }
    reader->rest = before;
    out->expr = filter_expr_read(reader, err);
    return out->expr != NULL;
}

const struct filter_fields *filter_fields_parse(struct arena *arena, struct slice text,
                                                struct err *err)
{
    struct filter_fields *fields = ARENA_NEW(arena, filter_fields);
    struct filter_reader reader = {
        .arena = arena, .rest = text, .stops = STOPS, .subject = read_name};
    fields->list = arena_array(arena, text.n + 1, sizeof *fields->list);
    do {
        if (!read_field(&reader, &fields->list[fields->n++], err))
            return NULL;
        if (!at_end(&reader)) {
            err_set(err, FAULT_INVALID, "Invalid filter pattern: a comma is missing");
            return NULL;
        }
    } while (filter_take(&reader, S(",")));
    return fields;
}

/* ---- matching ---- */

static bool test(const void *arg, const struct filter_leaf *leaf)
{
    const struct slice *text = arg;
    double number = 0;
    if (leaf->value.is_number && filter_number(*text, &number))
        return filter_holds_number(leaf, number);
    return filter_holds_text(leaf, *text);
}

static bool matches(const struct field *field, const struct slice *text)
{
    return !field->expr || filter_expr_holds(field->expr, test, text);
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* False: there is no other. */
static bool next_text(struct slice *rest, struct slice *out)
{
    while (rest->n && blank(rest->p[0]))
        *rest = slice_sub(*rest, 1, rest->n);
    if (!rest->n)
        return false;
    char close = rest->p[0] == '"' ? '"' : rest->p[0] == '[' ? ']' : '\0';
    size_t end = close ? slice_find(slice_sub(*rest, 1, rest->n), close) : SIZE_MAX;
    if (end != SIZE_MAX) {
        *out = slice_sub(*rest, 1, end);
        *rest = slice_sub(*rest, end + 2, rest->n);
        return true;
    }
    size_t n = 0;
    while (n < rest->n && !blank(rest->p[n]))
        n++;
    *out = slice_sub(*rest, 0, n);
    *rest = slice_sub(*rest, n, rest->n);
    return true;
}

static struct slice *split(struct slice message, size_t *out_count)
{
    struct slice *texts = NULL;
    struct slice text;
    size_t n = 0;
    while (next_text(&message, &text)) {
        if ((n & (n - 1)) == 0)
            texts = mem_grow(texts, (n ? 2 * n : 1) * sizeof *texts);
        texts[n++] = text;
    }
    *out_count = n;
    return texts;
}

/* As with stars in a name: the last "..." takes what the fields behind it leave over. */
bool filter_fields_matches(const struct filter_fields *fields, struct slice message)
{
    size_t count = 0;
    AUTO(free) struct slice *texts = split(message, &count);
    size_t f = 0;
    size_t t = 0;
    size_t many = SIZE_MAX;
    size_t from = 0;
    while (t < count) {
        if (f < fields->n && fields->list[f].many) {
            many = f++;
            from = t;
        } else if (f < fields->n && matches(&fields->list[f], &texts[t])) {
            f++;
            t++;
        } else if (many != SIZE_MAX) {
            f = many + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (f < fields->n && fields->list[f].many)
        f++;
    return f == fields->n;
}
