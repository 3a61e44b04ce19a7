#include "codec/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_length(size_t n)
{
    return (n + 2) / 3 * 4;
}

bool base64_encode(struct buf *out, struct slice bytes)
{
    if (bytes.n == 0)
        return true;
    char *to = buf_reserve(out, base64_length(bytes.n));
    if (!to)
        return false;
    const unsigned char *p = (const unsigned char *)bytes.p;
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t v = (uint32_t)p[i] << 16;
        if (left > 1)
            v |= (uint32_t)p[i + 1] << 8;
        if (left > 2)
            v |= p[i + 2];
        *to++ = letters[v >> 18];
        *to++ = letters[v >> 12 & 63];
        *to++ = left > 1 ? letters[v >> 6 & 63] : '=';
        *to++ = left > 2 ? letters[v & 63] : '=';
    }
    out->n += base64_length(bytes.n);
    return true;
}

static int value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct buf *out, struct slice text)
{
    if (text.n == 0 || text.n % 4)
        return text.n == 0;
    size_t padding = slice_ends(text, S("==")) ? 2 : slice_ends(text, S("=")) ? 1 : 0;
    char *to = buf_reserve(out, text.n / 4 * 3);
    if (!to)
        return false;
    uint32_t bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < text.n - padding; i++) {
        int v = value(text.p[i]);
        if (v < 0)
            return false;
        bits = bits << 6 | (uint32_t)v;
        if (i % 4)
            to[n++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    /* What the last character holds beyond the last byte must be zero. */
    if ((padding == 1 && (bits & 3)) || (padding == 2 && (bits & 15)))
        return false;
    out->n += n;
    return true;
}
