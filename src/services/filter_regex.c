#define PCRE2_CODE_UNIT_WIDTH 8

#include "services/filter_regex.h"

#include <pcre2.h>

enum { STEPS_MAX = 200000, HEAP_MAX_KB = 1024 };

struct filter_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *data;
};

/* All lies in the arena and dies with it. */
static void *take(size_t size, void *arena)
{
    return arena_alloc(arena, size);
}

static void leave(void *p, void *arena)
{
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What stands behind a backslash. */
static bool escape_known(struct slice rest)
{
    static const struct slice kinds = S_INIT("dDsSwWx");
    return rest.n && (!is_word(rest.p[0]) || slice_find(kinds, rest.p[0]) != SIZE_MAX);
}

/* No groups, so no look-around, no references and no recursion either. */
static bool is_dialect(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\') {
            if (!escape_known(slice_sub(text, i + 1, text.n)))
                return false;
            i++;
        } else if (c == '(' || c == ')' || (unsigned char)c < ' ') {
            return false;
        }
    }
    return text.n > 0;
}

struct filter_regex *filter_regex_parse(struct arena *arena, struct slice text, struct err *err)
{
    struct filter_regex *regex = ARENA_NEW(arena, filter_regex);
    int code = 0;
    PCRE2_SIZE offset = 0;
    if (!is_dialect(text)) {
        err_set(err, FAULT_INVALID, "Invalid filter pattern: unsupported regular expression");
        return NULL;
    }
    pcre2_general_context *memory = pcre2_general_context_create(take, leave, arena);
    pcre2_compile_context *how = pcre2_compile_context_create(memory);
    regex->code =
        pcre2_compile((PCRE2_SPTR)text.p, text.n, PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C,
                      &code, &offset, how);
    if (!regex->code) {
        err_set(err, FAULT_INVALID, "Invalid filter pattern: bad regular expression");
        return NULL;
    }
    regex->limits = pcre2_match_context_create(memory);
    pcre2_set_match_limit(regex->limits, STEPS_MAX);
    pcre2_set_heap_limit(regex->limits, HEAP_MAX_KB);
    regex->data = pcre2_match_data_create(1, memory);
    return regex;
}

bool filter_regex_matches(struct filter_regex *regex, struct slice text)
{
    return pcre2_match(regex->code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, 0, 0, regex->data,
                       regex->limits) >= 0;
}
