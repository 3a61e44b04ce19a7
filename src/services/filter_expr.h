/* Conditions of filter patterns: subject, operator, value, joined by && and || (which binds less)
 * and parentheses. What a subject is, "$.a.b" or a field's name, is its user's matter. Pure. */
#ifndef LK_FILTER_EXPR_H
#define LK_FILTER_EXPR_H

#include "base/arena.h"
#include "base/err.h"
#include "services/filter_regex.h"

enum filter_op {
    FILTER_EQ,
    FILTER_NE,
    FILTER_LT,
    FILTER_LE,
    FILTER_GT,
    FILTER_GE,
    FILTER_IS_NULL,
    FILTER_IS_TRUE,
    FILTER_IS_FALSE,
    FILTER_EXISTS,
    FILTER_NOT_EXISTS,
};

struct filter_value {
    struct slice text; /* * stands for anything */
    bool bare;         /* stood there without quotes */
    bool is_number;    /* bare, and one */
    double number;
    struct filter_regex *regex; /* instead of all that */
};

struct filter_leaf {
    const void *subject;
    enum filter_op op;
    struct filter_value value;
};

enum filter_kind { FILTER_LEAF, FILTER_AND, FILTER_OR };

struct filter_expr {
    enum filter_kind kind;
    const struct filter_expr *left, *right;
    struct filter_leaf leaf;
};

struct filter_reader {
    struct arena *arena;
    struct slice rest; /* what is not yet read */
    const char *stops; /* what ends a bare value, with blanks */
    /* Reads a subject off `rest`. NULL: err says why. */
    const void *(*subject)(struct filter_reader *reader, struct err *err);
    unsigned depth;
};

/* Pure steps over `rest`. */
void filter_skip_blanks(struct filter_reader *reader);
bool filter_take(struct filter_reader *reader, struct slice token); /* if it is next */
/* "...", with \" and \\ resolved; the opening quote is next. */
bool filter_read_quoted(struct filter_reader *reader, struct slice *out, struct err *err) MUST_USE;

/* Reads up to where no && or || follows. NULL: FAULT_INVALID. */
const struct filter_expr *filter_expr_read(struct filter_reader *reader, struct err *err);

typedef bool filter_test(const void *arg, const struct filter_leaf *leaf);
bool filter_expr_holds(const struct filter_expr *expr, filter_test *test, const void *arg);

/* The operators that compare, with a text or a number. */
bool filter_holds_text(const struct filter_leaf *leaf, struct slice text);
bool filter_holds_number(const struct filter_leaf *leaf, double number);

/* A whole decimal number, with sign, fraction and exponent. */
bool filter_number(struct slice text, double *out) MUST_USE;

#endif
