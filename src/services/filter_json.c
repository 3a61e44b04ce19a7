#include "services/filter_json.h"

#include <jansson.h>

enum step_kind { STEP_MEMBER, STEP_INDEX, STEP_ANY };

struct step {
    enum step_kind kind;
    const char *name; /* zero-terminated; a name with a zero byte is no member's */
    size_t index;
    const struct step *next;
};

static const char STOPS[] = "()&|{}";

/* ---- parsing ---- */

static struct step *bad_selector(struct err *err)
{
    err_set(err, FAULT_INVALID, "Invalid filter pattern: a selector is like $.name, $.list[0]");
    return NULL;
}

static struct step *read_member(struct filter_reader *reader, struct err *err)
{
    static const struct slice ends = S_INIT(" \t\r\n.[]=!<>()&|{}\"%");
    struct step *step = ARENA_NEW(reader->arena, step);
    size_t n = 0;
    while (n < reader->rest.n && slice_find(ends, reader->rest.p[n]) == SIZE_MAX)
        n++;
    step->name = arena_str(reader->arena, slice_sub(reader->rest, 0, n));
    reader->rest = slice_sub(reader->rest, n, reader->rest.n);
    return n ? step : bad_selector(err);
}

/* Behind the bracket: 3], *], "any name"] */
static struct step *read_bracket(struct filter_reader *reader, struct err *err)
{
    struct step *step = ARENA_NEW(reader->arena, step);
    struct slice name;
    uint64_t index = 0;
    if (filter_take(reader, S("*"))) {
        step->kind = STEP_ANY;
    } else if (reader->rest.n && reader->rest.p[0] == '"') {
        if (!filter_read_quoted(reader, &name, err))
            return NULL;
        step->name = arena_str(reader->arena, name);
    } else {
        size_t end = slice_find(reader->rest, ']');
        if (end == SIZE_MAX || !slice_u64(slice_sub(reader->rest, 0, end), &index))
            return bad_selector(err);
        step->kind = STEP_INDEX;
        step->index = index;
        reader->rest = slice_sub(reader->rest, end, reader->rest.n);
    }
    return filter_take(reader, S("]")) ? step : bad_selector(err);
}

static const void *read_selector(struct filter_reader *reader, struct err *err)
{
    struct step *first = NULL;
    struct step *last = NULL;
    filter_skip_blanks(reader);
    if (!filter_take(reader, S("$")))
        return bad_selector(err);
    for (;;) {
        struct step *step = NULL;
        if (filter_take(reader, S("[")))
            step = read_bracket(reader, err);
        else if (filter_take(reader, S(".[")))
            step = read_bracket(reader, err);
        else if (filter_take(reader, S(".")))
            step = read_member(reader, err);
        else
            return first ? first : bad_selector(err);
        if (!step)
            return NULL;
        if (last)
            last->next = step;
        else
            first = step;
        last = step;
    }
}

const struct filter_expr *filter_json_parse(struct arena *arena, struct slice text, struct err *err)
{
    struct filter_reader reader = {
        .arena = arena, .rest = text, .stops = STOPS, .subject = read_selector};
    const struct filter_expr *expr = filter_expr_read(&reader, err);
    if (!expr)
        return NULL;
    filter_skip_blanks(&reader);
    if (!reader.rest.n)
        return expr;
    err_set(err, FAULT_INVALID, "Invalid filter pattern: && or || is missing");
    return NULL;
}

/* ---- matching ---- */

static bool holds_value(const struct filter_leaf *leaf, const json_t *value)
{
    const struct filter_value *want = &leaf->value;
    switch (leaf->op) {
    case FILTER_IS_NULL:
        return json_is_null(value);
    case FILTER_IS_TRUE:
        return json_is_true(value);
    case FILTER_IS_FALSE:
        return json_is_false(value);
    case FILTER_EXISTS:
        return true;
    case FILTER_NOT_EXISTS:
        return false;
    case FILTER_EQ:
    case FILTER_NE:
    case FILTER_LT:
    case FILTER_LE:
    case FILTER_GT:
    case FILTER_GE:
    default:
        break;
    }
    if (json_is_number(value))
        return filter_holds_number(leaf, json_number_value(value));
    if (json_is_string(value))
        return filter_holds_text(
            leaf, (struct slice){json_string_value(value), json_string_length(value)});
    if (json_is_boolean(value) && want->bare)
        return filter_holds_text(leaf, json_is_true(value) ? S("true") : S("false"));
    return leaf->op == FILTER_NE;
}

/* found: there is such a value. With [*] one that holds is enough. */
static bool holds(const struct filter_leaf *leaf, const struct step *step, json_t *value,
                  bool *found)
{
    for (; value && step; step = step->next) {
        if (step->kind == STEP_ANY) {
            bool any = false;
            for (size_t i = 0; i < json_array_size(value) && !any; i++)
                any = holds(leaf, step->next, json_array_get(value, i), found);
            return any;
        }
        value = step->kind == STEP_INDEX ? json_array_get(value, step->index)
                                         : json_object_get(value, step->name);
    }
    *found |= value != NULL;
    return value && holds_value(leaf, value);
}

static bool test(const void *arg, const struct filter_leaf *leaf)
{
    bool found = false;
    bool good = holds(leaf, leaf->subject, (json_t *)(uintptr_t)arg, &found);
    return leaf->op == FILTER_NOT_EXISTS ? !found : good;
}

static bool may_be_json(struct slice message)
{
    size_t i = 0;
    while (i < message.n && (message.p[i] == ' ' || message.p[i] == '\t' || message.p[i] == '\n' ||
                             message.p[i] == '\r'))
        i++;
    return i < message.n && (message.p[i] == '{' || message.p[i] == '[');
}

bool filter_json_matches(const struct filter_expr *expr, struct slice message)
{
    if (!may_be_json(message))
        return false;
    json_t *json = json_loadb(message.p, message.n, JSON_ALLOW_NUL, NULL);
    bool good = json && filter_expr_holds(expr, test, json);
    json_decref(json);
    return good;
}
