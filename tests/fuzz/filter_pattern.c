/* Filter patterns, the first line, against a message, the rest: a condition joined with itself
 * holds for the same messages, and nothing that is no JSON satisfies one about JSON. */
#include "services/filter_pattern.h"
#include "base/mem.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_twice(struct arena *arena, struct slice inner, const char *join,
                       struct slice message, bool expected)
{
    struct err err;
    struct slice text = arena_printf(arena, "{(%.*s)%s(%.*s)}", FMT(inner), join, FMT(inner));
    const struct filter_pattern *pattern = filter_pattern_parse(arena, text, &err);
    return !pattern || filter_pattern_matches(pattern, message) == expected;
}

static bool is_json(struct slice message)
{
    json_t *json = json_loadb(message.p, message.n, JSON_ALLOW_NUL, NULL);
    json_decref(json);
    return json != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct slice message = {(const char *)data, size};
    struct slice text;
    struct err err = {0};
    if (!slice_cut(&message, '\n', &text) || text.n > 1024 || slice_find(text, '\0') != SIZE_MAX)
        return 0;
    const struct filter_pattern *pattern = filter_pattern_parse(arena, text, &err);
    if (!pattern) {
        must(err.fault == FAULT_INVALID && err.msg[0]);
        return 0;
    }
    bool holds = filter_pattern_matches(pattern, message);
    must(filter_pattern_matches(pattern, message) == holds);
    struct slice inner = slice_trim(text);
    if (!slice_starts(inner, S("{")) || !slice_ends(inner, S("}")))
        return 0;
    must(!holds || is_json(message));
    inner = slice_sub(inner, 1, inner.n - 2);
    must(same_twice(arena, inner, "&&", message, holds));
    must(same_twice(arena, inner, "||", message, holds));
    return 0;
}
