#include "codec/form.h"

static bool is_text(struct slice s)
{
    while (s.n) {
        size_t length = slice_utf8(s);
        if (!length || !s.p[0])
            return false;
        s = slice_sub(s, length, s.n);
    }
    return true;
}

static bool decode(struct arena *arena, struct slice s, struct slice *out)
{
    char *to = arena_alloc(arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < s.n ? slice_hex_digit(s.p[i + 1]) : -1;
            int low = i + 2 < s.n ? slice_hex_digit(s.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        to[n++] = c;
    }
    *out = (struct slice){to, n};
    return is_text(*out);
}

static size_t count(struct slice text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '&';
    return n;
}

bool form_parse(struct slice text, size_t max, struct arena *arena, struct form *out)
{
    size_t most = count(text);
    struct form form = {NULL, 0};
    struct slice part;
    if (most > max)
        return false;
    form.pairs = arena_array(arena, most, sizeof *form.pairs);
    while (slice_cut(&text, '&', &part)) {
        struct slice value = part;
        struct slice name;
        struct form_pair *pair = &form.pairs[form.n];
        if (!part.n || !slice_cut(&value, '=', &name))
            continue;
        if (!decode(arena, name, &pair->name) || !decode(arena, value, &pair->value))
            return false;
        form.n++;
    }
    *out = form;
    return true;
}

struct slice form_get(const struct form *form, struct slice name)
{
    for (size_t i = 0; i < form->n; i++) {
        if (slice_eq(form->pairs[i].name, name))
            return form->pairs[i].value;
    }
    return (struct slice){NULL, 0};
}
