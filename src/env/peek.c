#include "env/peek.h"

/* `at` points behind the opening quote; gives the position of the closing one, or SIZE_MAX. */
static size_t string_end(struct slice json, size_t at)
{
    for (; at < json.n; at++) {
        if (json.p[at] == '\\')
            at++;
        else if (json.p[at] == '"')
            return at;
    }
    return SIZE_MAX;
}

static size_t skip_blanks(struct slice json, size_t at)
{
    while (at < json.n &&
           (json.p[at] == ' ' || json.p[at] == '\t' || json.p[at] == '\r' || json.p[at] == '\n'))
        at++;
    return at;
}

struct slice peek_string(struct slice json, struct slice key)
{
    static const struct slice none = {NULL, 0};
    size_t depth = 0;
    for (size_t at = 0; at < json.n; at++) {
        char c = json.p[at];
        if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth -= depth > 0;
        if (c != '"')
            continue;
        size_t end = string_end(json, at + 1);
        if (end == SIZE_MAX)
            return none;
        struct slice name = slice_sub(json, at + 1, end - at - 1);
        at = end;
        size_t colon = skip_blanks(json, end + 1);
        if (depth != 1 || colon >= json.n || json.p[colon] != ':' || !slice_eq(name, key))
            continue;
        size_t value = skip_blanks(json, colon + 1);
        if (value >= json.n || json.p[value] != '"')
            return none;
        size_t value_end = string_end(json, value + 1);
        return value_end == SIZE_MAX ? none : slice_sub(json, value + 1, value_end - value - 1);
    }
    return none;
}
