#include "services/filter_pattern.h"

#include "services/filter_fields.h"
#include "services/filter_json.h"

enum term_kind { TERM_ALL, TERM_ANY, TERM_NONE };

struct term {
    enum term_kind kind;
    struct slice text;
    struct filter_regex *regex; /* instead of the text */
};

struct filter_pattern {
    const struct filter_expr *json; /* one of the three */
    const struct filter_fields *fields;
    struct term *terms;
    size_t count;
    bool all_any; /* all terms are ?alternatives */
};

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool read_regex(struct filter_reader *reader, struct term *out, struct err *err)
{
    struct slice rest = slice_sub(reader->rest, 1, reader->rest.n);
    size_t end = slice_find(rest, '%');
    if (end == SIZE_MAX)
        return err_set(err, FAULT_INVALID,
                       "Invalid filter pattern: a regular expression is not closed");
    reader->rest = slice_sub(rest, end + 1, rest.n);
    out->regex = filter_regex_parse(reader->arena, slice_sub(rest, 0, end), err);
    return out->regex != NULL;
}

static bool read_term(struct filter_reader *reader, struct term *out, struct err *err)
{
    out->kind = filter_take(reader, S("?"))   ? TERM_ANY
                : filter_take(reader, S("-")) ? TERM_NONE
                                              : TERM_ALL;
    if (reader->rest.n && reader->rest.p[0] == '"')
        return filter_read_quoted(reader, &out->text, err);
    if (reader->rest.n && reader->rest.p[0] == '%')
        return read_regex(reader, out, err);
    size_t n = 0;
    while (n < reader->rest.n && !blank(reader->rest.p[n]))
        n++;
    out->text = slice_sub(reader->rest, 0, n);
    reader->rest = slice_sub(reader->rest, n, reader->rest.n);
    return n > 0 || err_set(err, FAULT_INVALID, "Invalid filter pattern: a term is empty");
}

static bool read_terms(struct filter_pattern *pattern, struct filter_reader *reader,
                       struct err *err)
{
    pattern->terms = arena_array(reader->arena, reader->rest.n + 1, sizeof *pattern->terms);
    pattern->all_any = true;
    for (; reader->rest.n; filter_skip_blanks(reader)) {
        struct term *term = &pattern->terms[pattern->count++];
        if (!read_term(reader, term, err))
            return false;
        pattern->all_any &= term->kind == TERM_ANY;
    }
    return true;
}

/* What stands between the first byte and the last. */
static bool between(struct slice text, char last, struct slice *out, struct err *err)
{
    while (text.n && blank(text.p[text.n - 1]))
        text.n--;
    if (text.n < 2 || text.p[text.n - 1] != last)
        return err_set(err, FAULT_INVALID, "Invalid filter pattern: %c is missing", last);
    *out = slice_sub(text, 1, text.n - 2);
    return true;
}

const struct filter_pattern *filter_pattern_parse(struct arena *arena, struct slice text,
                                                  struct err *err)
{
    struct filter_pattern *pattern = ARENA_NEW(arena, filter_pattern);
    struct filter_reader reader = {.arena = arena, .rest = text};
    struct slice inner = {NULL, 0};
    bool good = false;
    filter_skip_blanks(&reader);
    if (slice_starts(reader.rest, S("{"))) {
        good = between(reader.rest, '}', &inner, err) &&
               (pattern->json = filter_json_parse(arena, inner, err)) != NULL;
    } else if (slice_starts(reader.rest, S("["))) {
        good = between(reader.rest, ']', &inner, err) &&
               (pattern->fields = filter_fields_parse(arena, inner, err)) != NULL;
    } else {
        good = read_terms(pattern, &reader, err);
    }
    return good ? pattern : NULL;
}

static bool contains(const struct term *term, struct slice message)
{
    struct slice text = term->text;
    if (term->regex)
        return filter_regex_matches(term->regex, message);
    return text.n == 0 || (message.n && memmem(message.p, message.n, text.p, text.n) != NULL);
}

static bool terms_match(const struct filter_pattern *pattern, struct slice message)
{
    for (size_t i = 0; i < pattern->count; i++) {
        const struct term *term = &pattern->terms[i];
        if (term->kind == TERM_ANY && !pattern->all_any)
            continue;
        bool found = contains(term, message);
        if (pattern->all_any && found)
            return true;
        if (!pattern->all_any && found != (term->kind == TERM_ALL))
            return false;
    }
    return !pattern->all_any || !pattern->count;
}

bool filter_pattern_matches(const struct filter_pattern *pattern, struct slice message)
{
    if (pattern->json)
        return filter_json_matches(pattern->json, message);
    if (pattern->fields)
        return filter_fields_matches(pattern->fields, message);
    return terms_match(pattern, message);
}
