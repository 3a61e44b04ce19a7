#include "services/filter_pattern.h"

enum term_kind { TERM_ALL, TERM_ANY, TERM_NONE };

struct term {
    enum term_kind kind;
    struct slice text;
};

struct filter_pattern {
    struct term *terms;
    size_t count;
    bool has_any;
};

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What stands between quotes, with \" and \\ resolved. */
static bool quoted(struct arena *arena, struct slice *rest, struct slice *out, struct err *err)
{
    char *text = arena_alloc(arena, rest->n + 1);
    size_t n = 0;
    for (size_t i = 1; i < rest->n; i++) {
        char c = rest->p[i];
        if (c == '"') {
            *out = (struct slice){text, n};
            *rest = slice_sub(*rest, i + 1, rest->n);
            return true;
        }
        if (c == '\\' && i + 1 < rest->n)
            c = rest->p[++i];
        text[n++] = c;
    }
    return err_set(err, FAULT_INVALID, "Invalid filter pattern: a quote is not closed");
}

static bool next_term(struct arena *arena, struct slice *rest, struct term *out, struct err *err)
{
    out->kind = TERM_ALL;
    if (rest->p[0] == '?' || rest->p[0] == '-') {
        out->kind = rest->p[0] == '?' ? TERM_ANY : TERM_NONE;
        *rest = slice_sub(*rest, 1, rest->n);
    }
    if (rest->n && rest->p[0] == '"')
        return quoted(arena, rest, &out->text, err);
    size_t n = 0;
    while (n < rest->n && !blank(rest->p[n]))
        n++;
    out->text = slice_sub(*rest, 0, n);
    *rest = slice_sub(*rest, n, rest->n);
    return n > 0 || err_set(err, FAULT_INVALID, "Invalid filter pattern: a term is empty");
}

static struct slice skip_blanks(struct slice s)
{
    while (s.n && blank(s.p[0]))
        s = slice_sub(s, 1, s.n);
    return s;
}

const struct filter_pattern *filter_pattern_parse(struct arena *arena, struct slice text,
                                                  struct err *err)
{
    struct filter_pattern *pattern = ARENA_NEW(arena, filter_pattern);
    struct slice rest = skip_blanks(text);
    if (rest.n && (rest.p[0] == '{' || rest.p[0] == '[' || rest.p[0] == '%')) {
        err_set(err, FAULT_UNAVAILABLE,
                "Not implemented by lambkin yet: JSON, space-delimited and regular expression "
                "filter patterns; use terms");
        return NULL;
    }
    pattern->terms = arena_array(arena, text.n / 2 + 1, sizeof *pattern->terms);
    for (; rest.n; rest = skip_blanks(rest)) {
        struct term *term = &pattern->terms[pattern->count];
        if (!next_term(arena, &rest, term, err))
            return NULL;
        pattern->has_any |= term->kind == TERM_ANY;
        pattern->count++;
    }
    return pattern;
}

static bool contains(struct slice message, struct slice term)
{
    return term.n == 0 || (message.n && memmem(message.p, message.n, term.p, term.n) != NULL);
}

bool filter_pattern_matches(const struct filter_pattern *pattern, struct slice message)
{
    bool any = !pattern->has_any;
    for (size_t i = 0; i < pattern->count; i++) {
        const struct term *term = &pattern->terms[i];
        bool found = contains(message, term->text);
        if ((term->kind == TERM_ALL && !found) || (term->kind == TERM_NONE && found))
            return false;
        any |= term->kind == TERM_ANY && found;
    }
    return any;
}
