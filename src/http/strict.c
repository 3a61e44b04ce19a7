#include "http/strict.h"

static const bool token[256] = {
    ['!'] = true,         ['#'] = true,         ['$'] = true,         ['%'] = true, ['&'] = true,
    ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true, ['.'] = true,
    ['^'] = true,         ['_'] = true,         ['`'] = true,         ['|'] = true, ['~'] = true,
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

bool strict_is_token(char c)
{
    return token[(unsigned char)c];
}

/* Any control byte other than tab? Eight bytes at a time: heads are on the warm path. */
static bool has_control(struct slice s)
{
    const uint64_t ones = 0x0101010101010101, high = ones * 0x80;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t x = 0;
        memcpy(&x, s.p + i, 8);
        uint64_t below = (x - ones * 0x20) & ~x, y = x ^ (ones * 0x7f);
        if ((below | ((y - ones) & ~y)) & high)
            break; /* one of them, or a tab: look closer */
    }
    for (; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

bool strict_line(struct slice *rest, struct slice *out_line)
{
    const char *cr = rest->n ? memchr(rest->p, '\r', rest->n) : NULL;
    size_t n = cr ? (size_t)(cr - rest->p) : 0;
    if (!cr || n + 2 > rest->n || cr[1] != '\n')
        return false;
    *out_line = (struct slice){rest->p, n};
    *rest = (struct slice){rest->p + n + 2, rest->n - n - 2};
    return true;
}

bool strict_header(struct slice line, struct slice *out_name, struct slice *out_value)
{
    size_t n = 0;
    while (n < line.n && token[(unsigned char)line.p[n]])
        n++;
    struct slice value = slice_sub(line, n + 1, line.n);
    if (n == 0 || n == line.n || line.p[n] != ':' || has_control(value))
        return false;
    *out_name = (struct slice){line.p, n};
    *out_value = slice_trim(value);
    return true;
}

int strict_request_line(struct slice line)
{
    struct slice rest = line, method, target;
    if (!slice_cut(&rest, ' ', &method) || !slice_cut(&rest, ' ', &target) || !rest.p)
        return 400;
    for (size_t i = 0; i < method.n; i++) {
        if (!token[(unsigned char)method.p[i]])
            return 400;
    }
    for (size_t i = 0; i < target.n; i++) {
        unsigned char c = (unsigned char)target.p[i];
        if (c <= 0x20 || c >= 0x7f)
            return 400;
    }
    if (method.n == 0 || target.n == 0 || rest.n != 8 || !slice_starts(rest, S("HTTP/")) ||
        rest.p[5] < '0' || rest.p[5] > '9' || rest.p[6] != '.' || rest.p[7] < '0' ||
        rest.p[7] > '9')
        return 400;
    return slice_eq(rest, S("HTTP/1.1")) || slice_eq(rest, S("HTTP/1.0")) ? 0 : 505;
}

int strict_head(struct slice head)
{
    struct slice line, name, value;
    if (!strict_line(&head, &line))
        return 400;
    int status = strict_request_line(line);
    while (head.n > 2) {
        if (!strict_line(&head, &line) || !strict_header(line, &name, &value))
            return 400; /* also instead of 505, so that it does not matter what is seen first */
    }
    return status;
}
