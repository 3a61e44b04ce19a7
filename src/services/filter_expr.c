#include "services/filter_expr.h"

#include "base/mem.h"

enum { DEPTH_MAX = 50, NUMBER_MAX = 64 };

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void filter_skip_blanks(struct filter_reader *reader)
{
    while (reader->rest.n && blank(reader->rest.p[0]))
        reader->rest = slice_sub(reader->rest, 1, reader->rest.n);
}

bool filter_take(struct filter_reader *reader, struct slice token)
{
    if (!slice_starts(reader->rest, token))
        return false;
    reader->rest = slice_sub(reader->rest, token.n, reader->rest.n);
    return true;
}

bool filter_read_quoted(struct filter_reader *reader, struct slice *out, struct err *err)
{
    struct slice rest = reader->rest;
    char *text = arena_alloc(reader->arena, rest.n + 1);
    size_t n = 0;
    for (size_t i = 1; i < rest.n; i++) {
        char c = rest.p[i];
        if (c == '"') {
            *out = (struct slice){text, n};
            reader->rest = slice_sub(rest, i + 1, rest.n);
            return true;
        }
        if (c == '\\' && i + 1 < rest.n)
            c = rest.p[++i];
        text[n++] = c;
    }
    return err_set(err, FAULT_INVALID, "Invalid filter pattern: a quote is not closed");
}

/* ---- numbers ---- */

static size_t digits(struct slice s, size_t *at)
{
    size_t from = *at;
    while (*at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9')
        (*at)++;
    return *at - from;
}

static bool sign(struct slice s, size_t *at)
{
    bool there = *at < s.n && (s.p[*at] == '-' || s.p[*at] == '+');
    *at += there;
    return there;
}

static bool is_number(struct slice s)
{
    size_t at = 0;
    size_t n = 0;
    sign(s, &at);
    n = digits(s, &at);
    if (at < s.n && s.p[at] == '.') {
        at++;
        n += digits(s, &at);
    }
    if (n && at < s.n && (s.p[at] == 'e' || s.p[at] == 'E')) {
        at++;
        sign(s, &at);
        n = digits(s, &at);
    }
    return n && at == s.n;
}

bool filter_number(struct slice text, double *out)
{
    char copy[NUMBER_MAX];
    if (text.n >= sizeof copy || !is_number(text))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    *out = strtod(copy, NULL); /* its syntax was looked at above */
    return true;
}

/* ---- values ---- */

static bool read_regex(struct filter_reader *reader, struct filter_value *out, struct err *err)
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

static bool read_bare(struct filter_reader *reader, struct filter_value *out, struct err *err)
{
    struct slice rest = reader->rest;
    size_t n = 0;
    while (n < rest.n && !blank(rest.p[n]) &&
           slice_find(slice_str(reader->stops), rest.p[n]) == SIZE_MAX)
        n++;
    out->text = slice_sub(rest, 0, n);
    out->bare = true;
    out->is_number = filter_number(out->text, &out->number);
    reader->rest = slice_sub(rest, n, rest.n);
    return n > 0 || err_set(err, FAULT_INVALID, "Invalid filter pattern: a value is missing");
}

static bool read_value(struct filter_reader *reader, struct filter_value *out, struct err *err)
{
    filter_skip_blanks(reader);
    if (reader->rest.n && reader->rest.p[0] == '"')
        return filter_read_quoted(reader, &out->text, err);
    if (reader->rest.n && reader->rest.p[0] == '%')
        return read_regex(reader, out, err);
    return read_bare(reader, out, err);
}

/* ---- operators ---- */

static bool take_word(struct filter_reader *reader, struct slice word)
{
    filter_skip_blanks(reader);
    struct slice next = slice_sub(reader->rest, 0, word.n);
    if (!slice_eq_nocase(next, word))
        return false;
    reader->rest = slice_sub(reader->rest, word.n, reader->rest.n);
    return true;
}

static bool read_words(struct filter_reader *reader, enum filter_op *out)
{
    static const struct {
        struct slice first, second;
        enum filter_op op;
    } words[] = {{S_INIT("IS"), S_INIT("NULL"), FILTER_IS_NULL},
                 {S_INIT("IS"), S_INIT("TRUE"), FILTER_IS_TRUE},
                 {S_INIT("IS"), S_INIT("FALSE"), FILTER_IS_FALSE},
                 {S_INIT("NOT"), S_INIT("EXISTS"), FILTER_NOT_EXISTS},
                 {S_INIT("EXISTS"), S_INIT(""), FILTER_EXISTS}};
    struct slice before = reader->rest;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (take_word(reader, words[i].first) && take_word(reader, words[i].second)) {
            *out = words[i].op;
            return true;
        }
        reader->rest = before;
    }
    return false;
}

static bool read_op(struct filter_reader *reader, enum filter_op *out)
{
    static const struct {
        struct slice sign;
        enum filter_op op;
    } signs[] = {{S_INIT("!="), FILTER_NE}, {S_INIT("<="), FILTER_LE}, {S_INIT(">="), FILTER_GE},
                 {S_INIT("="), FILTER_EQ},  {S_INIT("<"), FILTER_LT},  {S_INIT(">"), FILTER_GT}};
    filter_skip_blanks(reader);
    for (size_t i = 0; i < COUNT_OF(signs); i++) {
        if (filter_take(reader, signs[i].sign)) {
            *out = signs[i].op;
            return true;
        }
    }
    return false;
}

static bool is_order(enum filter_op op)
{
    return op == FILTER_LT || op == FILTER_LE || op == FILTER_GT || op == FILTER_GE;
}

static bool read_leaf(struct filter_reader *reader, struct filter_leaf *out, struct err *err)
{
    out->subject = reader->subject(reader, err);
    if (!out->subject)
        return false;
    if (read_words(reader, &out->op))
        return true;
    if (!read_op(reader, &out->op))
        return err_set(err, FAULT_INVALID, "Invalid filter pattern: an operator is missing");
    if (!read_value(reader, &out->value, err))
        return false;
    return !is_order(out->op) || out->value.is_number ||
           err_set(err, FAULT_INVALID,
                   "Invalid filter pattern: only numbers can be less or greater");
}

/* ---- expressions ---- */

static struct filter_expr *read_or(struct filter_reader *reader, struct err *err);

static struct filter_expr *read_one(struct filter_reader *reader, struct err *err)
{
    filter_skip_blanks(reader);
    if (filter_take(reader, S("("))) {
        if (++reader->depth > DEPTH_MAX) {
            err_set(err, FAULT_INVALID, "Invalid filter pattern: too many parentheses");
            return NULL;
        }
        struct filter_expr *inner = read_or(reader, err);
        reader->depth--;
        filter_skip_blanks(reader);
        if (inner && !filter_take(reader, S(")"))) {
            err_set(err, FAULT_INVALID, "Invalid filter pattern: a parenthesis is not closed");
            return NULL;
        }
        return inner;
    }
    struct filter_expr *leaf = ARENA_NEW(reader->arena, filter_expr);
    return read_leaf(reader, &leaf->leaf, err) ? leaf : NULL;
}

static struct filter_expr *joined(struct filter_reader *reader, enum filter_kind kind,
                                  const struct filter_expr *left, const struct filter_expr *right)
{
    struct filter_expr *expr = ARENA_NEW(reader->arena, filter_expr);
    expr->kind = kind;
    expr->left = left;
    expr->right = right;
    return right ? expr : NULL;
}

static struct filter_expr *read_and(struct filter_reader *reader, struct err *err)
{
    struct filter_expr *expr = read_one(reader, err);
    for (filter_skip_blanks(reader); expr && filter_take(reader, S("&&"));
         filter_skip_blanks(reader))
        expr = joined(reader, FILTER_AND, expr, read_one(reader, err));
    return expr;
}

static struct filter_expr *read_or(struct filter_reader *reader, struct err *err)
{
    struct filter_expr *expr = read_and(reader, err);
    for (filter_skip_blanks(reader); expr && filter_take(reader, S("||"));
         filter_skip_blanks(reader))
        expr = joined(reader, FILTER_OR, expr, read_and(reader, err));
    return expr;
}

const struct filter_expr *filter_expr_read(struct filter_reader *reader, struct err *err)
{
    return read_or(reader, err);
}

/* ---- evaluation ---- */

bool filter_expr_holds(const struct filter_expr *expr, filter_test *test, const void *arg)
{
    if (expr->kind == FILTER_LEAF)
        return test(arg, &expr->leaf);
    bool left = filter_expr_holds(expr->left, test, arg);
    if (left == (expr->kind == FILTER_OR))
        return left;
    return filter_expr_holds(expr->right, test, arg);
}

/* Where `part` begins in the text, or SIZE_MAX. */
static size_t position_of(struct slice text, struct slice part)
{
    const char *at = part.n && text.n ? memmem(text.p, text.n, part.p, part.n) : text.p;
    return at || !part.n ? (size_t)(at - text.p) : SIZE_MAX;
}

/* The pattern's stars stand for any run of bytes: what is before the first and behind the last must
 * be where it is, and what is between comes in this order. Takes time linear in both. */
static bool glob(struct slice pattern, struct slice text)
{
    size_t star = slice_find(pattern, '*');
    if (star == SIZE_MAX)
        return slice_eq(pattern, text);
    size_t last = slice_rfind(pattern, '*');
    struct slice head = slice_sub(pattern, 0, star);
    struct slice tail = slice_sub(pattern, last + 1, pattern.n);
    if (text.n < head.n + tail.n || !slice_starts(text, head) || !slice_ends(text, tail))
        return false;
    struct slice rest = slice_sub(text, head.n, text.n - head.n - tail.n);
    struct slice parts = slice_sub(pattern, star, last - star);
    struct slice part;
    while (slice_cut(&parts, '*', &part)) {
        size_t at = position_of(rest, part);
        if (at == SIZE_MAX)
            return false;
        rest = slice_sub(rest, at + part.n, rest.n);
    }
    return true;
}

bool filter_holds_number(const struct filter_leaf *leaf, double number)
{
    const struct filter_value *value = &leaf->value;
    if (!value->is_number)
        return leaf->op == FILTER_NE;
    switch (leaf->op) {
    case FILTER_EQ:
        return number == value->number;
    case FILTER_NE:
        return number != value->number;
    case FILTER_LT:
        return number < value->number;
    case FILTER_LE:
        return number <= value->number;
    case FILTER_GT:
        return number > value->number;
    case FILTER_GE:
        return number >= value->number;
    case FILTER_IS_NULL:
    case FILTER_IS_TRUE:
    case FILTER_IS_FALSE:
    case FILTER_EXISTS:
    case FILTER_NOT_EXISTS:
    default:
        return false;
    }
}

bool filter_holds_text(const struct filter_leaf *leaf, struct slice text)
{
    const struct filter_value *value = &leaf->value;
    if (leaf->op != FILTER_EQ && leaf->op != FILTER_NE)
        return false;
    bool same = value->regex ? filter_regex_matches(value->regex, text) : glob(value->text, text);
    return same == (leaf->op == FILTER_EQ);
}
