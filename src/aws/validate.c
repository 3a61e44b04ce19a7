/* Constraints and their texts, as controlplane.md facts 4-6 have them:
 *
 *   1 validation error detected: Value 'X' at 'camelCaseField' failed to satisfy constraint: Member
 * must ...
 *
 * several are joined by "; ", null stands without quotes, lists print as [a, b], maps as {k=v}.
 * What is sensitive is not printed at all: "Value at 'environment.variables' failed ...". */
#include "aws/codec.h"

#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>

/* Values are printed whole as long as the models' own limits are about texts of this size. */
enum { ERRORS_MAX = 10, VALUE_MAX = 16384 };

struct checker {
    struct arena *arena;
    struct buf text;
    size_t count;
    struct slice said; /* the whole message, where a shape has one of its own */
};

/* ---- patterns ---- */

static bool plain_name(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return s.n > 0;
}

/* Compiled at first use and kept: there are some hundred in all. */
static pcre2_code *compiled(const char *pattern)
{
    enum { SLOTS = 512 };
    static struct {
        const char *pattern;
        pcre2_code *code;
    } cache[SLOTS];
    size_t at = ((uintptr_t)pattern >> 3) % SLOTS;
    for (size_t i = 0; i < SLOTS; i++, at = (at + 1) % SLOTS) {
        if (cache[at].pattern == pattern)
            return cache[at].code;
        if (!cache[at].pattern) {
            int error = 0;
            /* \u0020, as Java has it, is no escape of PCRE2's own. */
            uint32_t java = strstr(pattern, "\\u") ? PCRE2_ALT_BSUX : 0;
            PCRE2_SIZE offset = 0;
            cache[at].pattern = pattern;
            cache[at].code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                           PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF |
                                               PCRE2_MATCH_INVALID_UTF | java,
                                           &error, &offset, NULL);
            return cache[at].code;
        }
    }
    return NULL;
}

static bool matches(const struct aws_shape *shape, struct slice value)
{
    if (shape->takes_plain_names && plain_name(value))
        return true;
    const pcre2_code *code = compiled(shape->pattern);
    if (!code)
        return true; /* a pattern that PCRE2 does not read: a test makes sure that there is none */
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    int found = pcre2_match(code, (PCRE2_SPTR)value.p, value.n, 0, 0, match, NULL);
    pcre2_match_data_free(match);
    return found >= 0;
}

/* ---- texts ---- */

static void print_value(struct buf *out, const struct aws_shape *shape, const void *value)
{
    const struct aws_list *list = value;
    const struct aws_map *map = value;
    size_t size = shape->element ? aws_value_size(shape->element) : 0;
    switch (shape->type) {
    case AWS_STRING:
    case AWS_BLOB:
        buf_slice(out, slice_sub(*(const struct slice *)value, 0, out->limit - out->n));
        break;
    case AWS_INTEGER:
    case AWS_LONG:
        buf_printf(out, "%lld", (long long)((const struct opt_i64 *)value)->v);
        break;
    case AWS_DOUBLE:
    case AWS_TIMESTAMP: {
        double v = ((const struct opt_f64 *)value)->v;
        buf_printf(out, v == (double)(int64_t)v ? "%.1f" : "%.15g", v); /* as Java: 2.0 */
        break;
    }
    case AWS_BOOLEAN:
        buf_slice(out, ((const struct opt_bool *)value)->v ? S("true") : S("false"));
        break;
    case AWS_LIST:
        buf_char(out, '[');
        for (size_t i = 0; i < list->n; i++) {
            if (i)
                buf_slice(out, S(", "));
            print_value(out, shape->element, (const char *)list->items + i * size);
        }
        buf_char(out, ']');
        break;
    case AWS_MAP:
        buf_char(out, '{');
        for (size_t i = 0; i < map->n; i++) {
            if (i)
                buf_slice(out, S(", "));
            buf_slice(out, map->keys[i]);
            buf_char(out, '=');
            print_value(out, shape->element, (const char *)map->values + i * size);
        }
        buf_char(out, '}');
        break;
    case AWS_STRUCTURE:
        buf_printf(out, "%s()", shape->name);
        break;
    }
}

static bool is_sensitive(const struct aws_shape *shape)
{
    return shape->sensitive || (shape->element && shape->element->sensitive);
}

static void complain(struct checker *c, const struct aws_shape *shape, const void *value,
                     struct slice path, struct slice constraint)
{
    if (++c->count > ERRORS_MAX)
        return;
    if (c->text.n)
        buf_slice(&c->text, S("; "));
    if (value && is_sensitive(shape)) {
        buf_printf(&c->text, "Value at '%.*s' failed to satisfy constraint: ", FMT(path));
    } else if (value) {
        AUTO(buf) struct buf printed = BUF_INIT(VALUE_MAX);
        print_value(&printed, shape, value);
        buf_printf(&c->text,
                   "Value '%.*s' at '%.*s' failed to satisfy constraint: ", FMT(buf_all(&printed)),
                   FMT(path));
    } else {
        buf_printf(&c->text, "Value null at '%.*s' failed to satisfy constraint: ", FMT(path));
    }
    buf_slice(&c->text, constraint);
}

/* ---- one value ---- */

/* Collects what a value breaks as "Member must ..." texts; prefix is "Member", "Map keys" is said
 * by the caller. */
typedef void broken(void *arg, struct slice constraint);

static struct slice enum_list(const struct aws_shape *shape, struct arena *arena)
{
    AUTO(buf) struct buf text = BUF_INIT(VALUE_MAX);
    buf_slice(&text, S("Member must satisfy enum value set: ["));
    for (size_t i = 0; i < shape->enum_count; i++) {
        if (i)
            buf_slice(&text, S(", "));
        buf_slice(&text, shape->enums[i]);
    }
    buf_char(&text, ']');
    return arena_dup(arena, buf_all(&text));
}

static bool in_enum(const struct aws_shape *shape, struct slice value)
{
    for (size_t i = 0; i < shape->enum_count; i++) {
        if (slice_eq(shape->enums[i], value))
            return true;
    }
    return false;
}

/* Characters as Java counts them: UTF-16 units. */
static int64_t java_length(struct slice s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char byte = (unsigned char)s.p[i];
        n += (byte & 0xc0) != 0x80;
        n += byte >= 0xf0;
    }
    return n;
}

static void check_length(const struct aws_shape *shape, int64_t n, struct arena *arena, broken *on,
                         void *arg)
{
    if (shape->has_max && n > shape->max)
        on(arg, arena_printf(arena, "Member must have length less than or equal to %lld",
                             (long long)shape->max));
    if (shape->has_min && n < shape->min)
        on(arg, arena_printf(arena, "Member must have length greater than or equal to %lld",
                             (long long)shape->min));
}

/* Bounds of doubles are printed as Java prints them: 1.0. */
static const char *fraction_of(const struct aws_shape *shape)
{
    return shape->type == AWS_DOUBLE ? ".0" : "";
}

static void check_range(const struct aws_shape *shape, double v, struct arena *arena, broken *on,
                        void *arg)
{
    const char *fraction = fraction_of(shape);
    if (shape->has_max && v > (double)shape->max)
        on(arg, arena_printf(arena, "Member must have value less than or equal to %lld%s",
                             (long long)shape->max, fraction));
    if (shape->has_min && v < (double)shape->min)
        on(arg, arena_printf(arena, "Member must have value greater than or equal to %lld%s",
                             (long long)shape->min, fraction));
}

static void check_plain(const struct aws_shape *shape, const void *value, struct arena *arena,
                        broken *on, void *arg)
{
    switch (shape->type) {
    case AWS_STRING: {
        struct slice s = *(const struct slice *)value;
        check_length(shape, java_length(s), arena, on, arg);
        if (shape->pattern && !matches(shape, s))
            on(arg, arena_printf(arena, "Member must satisfy regular expression pattern: %s",
                                 shape->pattern));
        if (shape->enums && !in_enum(shape, s))
            on(arg, enum_list(shape, arena));
        break;
    }
    case AWS_BLOB:
        check_length(shape, (int64_t)((const struct slice *)value)->n, arena, on, arg);
        break;
    case AWS_INTEGER:
    case AWS_LONG:
        check_range(shape, (double)((const struct opt_i64 *)value)->v, arena, on, arg);
        break;
    case AWS_DOUBLE:
    case AWS_TIMESTAMP:
        check_range(shape, ((const struct opt_f64 *)value)->v, arena, on, arg);
        break;
    case AWS_LIST:
        check_length(shape, (int64_t)((const struct aws_list *)value)->n, arena, on, arg);
        break;
    case AWS_MAP:
        check_length(shape, (int64_t)((const struct aws_map *)value)->n, arena, on, arg);
        break;
    case AWS_BOOLEAN:
    case AWS_STRUCTURE:
        break;
    }
}

struct complaint {
    struct checker *checker;
    const struct aws_shape *shape;
    const void *value;
    struct slice path;
};

static void on_member_broken(void *arg, struct slice constraint)
{
    struct complaint *c = arg;
    complain(c->checker, c->shape, c->value, c->path, constraint);
}

/* ---- members of lists and maps: all of the element's constraints are told at once ---- */

static void on_any_broken(void *arg, struct slice constraint)
{
    (void)constraint;
    *(bool *)arg = true;
}

static struct slice all_constraints(const struct aws_shape *shape, struct arena *arena)
{
    AUTO(buf) struct buf text = BUF_INIT(VALUE_MAX);
    if (shape->has_max && shape->type == AWS_STRING)
        buf_printf(&text, "Member must have length less than or equal to %lld, ",
                   (long long)shape->max);
    if (shape->has_min && shape->type == AWS_STRING)
        buf_printf(&text, "Member must have length greater than or equal to %lld, ",
                   (long long)shape->min);
    if (shape->has_max && (shape->type == AWS_DOUBLE || shape->type == AWS_INTEGER))
        buf_printf(&text, "Member must have value less than or equal to %lld%s, ",
                   (long long)shape->max, fraction_of(shape));
    if (shape->has_min && (shape->type == AWS_DOUBLE || shape->type == AWS_INTEGER))
        buf_printf(&text, "Member must have value greater than or equal to %lld%s, ",
                   (long long)shape->min, fraction_of(shape));
    if (shape->pattern)
        buf_printf(&text, "Member must satisfy regular expression pattern: %s, ", shape->pattern);
    if (shape->enums)
        buf_printf(&text, "%.*s, ", FMT(enum_list(shape, arena)));
    buf_slice(&text, S("Member must not be null"));
    return arena_dup(arena, buf_all(&text));
}

static bool any_broken(const struct aws_shape *shape, const void *values, size_t n,
                       struct arena *arena)
{
    bool found = false;
    size_t size = aws_value_size(shape);
    for (size_t i = 0; i < n && !found; i++) {
        const void *value = (const char *)values + i * size;
        if (shape->type == AWS_STRING && !((const struct slice *)value)->p)
            found = true; /* null */
        else
            check_plain(shape, value, arena, on_any_broken, &found);
    }
    return found;
}

static void check_members(struct checker *c, const struct aws_shape *shape, const void *value,
                          struct slice path);

static void check_elements(struct checker *c, const struct aws_shape *shape, const void *value,
                           struct slice path)
{
    const struct aws_list *list = value;
    const struct aws_map *map = value;
    const struct aws_shape *element = shape->element;
    if (shape->type == AWS_LIST && element->type == AWS_STRUCTURE) {
        for (size_t i = 0; i < list->n; i++) {
            const void *item = *AWS_ITEM(*list, void *, i);
            struct slice inner = arena_printf(c->arena, "%.*s.%zu.member", FMT(path), i + 1);
            if (item)
                check_members(c, element, item, inner);
            else
                complain(c, element, NULL, inner, S("Member must not be null"));
        }
        return;
    }
    if (shape->type == AWS_LIST && any_broken(element, list->items, list->n, c->arena))
        complain(c, shape, value, path,
                 shape->said ? slice_str(shape->said)
                             : arena_printf(c->arena, "Member must satisfy constraint: [%.*s]",
                                            FMT(all_constraints(element, c->arena))));
    if (shape->type == AWS_MAP && any_broken(shape->key, map->keys, map->n, c->arena))
        complain(c, shape, value, path,
                 arena_printf(c->arena, "Map keys must satisfy constraint: [%.*s]",
                              FMT(all_constraints(shape->key, c->arena))));
    if (shape->type == AWS_MAP && any_broken(element, map->values, map->n, c->arena))
        complain(c, shape, value, path,
                 arena_printf(c->arena, "Map value must satisfy constraint: [%.*s]",
                              FMT(all_constraints(element, c->arena))));
}

/* IAM's own words for names and paths. */
static void note_said(struct checker *c, const struct aws_member *m, const void *field)
{
    struct slice value = *(const struct slice *)field;
    if (m->shape->said && !c->said.p && !matches(m->shape, value))
        c->said = arena_printf(c->arena, "The specified value for %.*s is invalid. It must %s",
                               FMT(m->camel), m->shape->said);
}

static void check_members(struct checker *c, const struct aws_shape *shape, const void *value,
                          struct slice path)
{
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct aws_member *m = &shape->members[i];
        const void *field = (const char *)value + m->offset;
        if (m->where == AWS_PAYLOAD || (!aws_is_set(m->shape, field) && !m->required))
            continue;
        struct slice inner =
            path.n ? arena_printf(c->arena, "%.*s.%.*s", FMT(path), FMT(m->camel)) : m->camel;
        if (!aws_is_set(m->shape, field)) {
            complain(c, m->shape, NULL, inner, S("Member must not be null"));
        } else if (m->shape->type == AWS_STRUCTURE) {
            check_members(c, m->shape, *(void *const *)field, inner);
        } else {
            struct complaint complaint = {c, m->shape, field, inner};
            check_plain(m->shape, field, c->arena, on_member_broken, &complaint);
            if (m->shape->type == AWS_STRING)
                note_said(c, m, field);
            if (m->shape->element)
                check_elements(c, m->shape, field, inner);
        }
    }
}

bool aws_validate(const struct aws_shape *shape, const void *value, struct arena *arena,
                  struct aws_fault *fault)
{
    struct checker c = {.arena = arena, .text = BUF_INIT(ERRORS_MAX * 3 * VALUE_MAX)};
    check_members(&c, shape, value, (struct slice){NULL, 0});
    if (c.count) {
        fault->code = "ValidationException";
        fault->message = arena_printf(arena, "%zu validation error%s detected: %.*s", c.count,
                                      c.count > 1 ? "s" : "", FMT(buf_all(&c.text)));
        if (c.said.p && c.count == 1)
            fault->message = c.said;
    }
    buf_free(&c.text);
    return c.count == 0;
}
