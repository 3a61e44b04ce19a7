#include "base/id.h"

#include <sys/random.h>

static const char hex[] = "0123456789abcdef";

void id_random(void *to, size_t n)
{
    static unsigned char pool[4096];
    static size_t left;
    unsigned char *out = to;
    while (n) {
        if (left == 0) {
            must(getrandom(pool, sizeof pool, 0) == (ssize_t)sizeof pool);
            left = sizeof pool;
        }
        size_t take = n < left ? n : left;
        unsigned char *from = pool + sizeof pool - left;
        memcpy(out, from, take);
        memset(from, 0, take); /* what was handed out is not kept */
        out += take;
        n -= take;
        left -= take;
    }
}

void id_hex(char *out, size_t digits)
{
    unsigned char raw[ID_HEX_LEN / 2];
    for (size_t done = 0; done < digits;) {
        id_random(raw, sizeof raw);
        for (size_t i = 0; i < 2 * sizeof raw && done < digits; i++)
            out[done++] = hex[i % 2 ? raw[i / 2] & 15 : raw[i / 2] >> 4];
    }
    out[digits] = '\0';
}

void id_uuid(char out[ID_UUID_LEN + 1])
{
    unsigned char raw[16];
    char *to = out;
    id_random(raw, sizeof raw);
    raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40);
    raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof raw; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = hex[raw[i] >> 4];
        *to++ = hex[raw[i] & 15];
    }
    *to = '\0';
}

bool id_is_uuid(struct slice s)
{
    if (s.n != ID_UUID_LEN)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !digit)
            return false;
    }
    return true;
}
