#include "http/chunked.h"

enum { SIZE, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILERS };

enum { DIGITS_MAX = 15 }; /* so that `left` cannot overflow */

void chunked_begin(struct chunked *chunked, size_t trailers_max)
{
    buf_clear(&chunked->trailers);
    chunked->trailers.limit = trailers_max;
    chunked->left = 0;
    chunked->digits = 0;
    chunked->line = 0;
    chunked->at = SIZE;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* One byte outside of the data. */
static enum chunked_event step(struct chunked *chunked, char c)
{
    int digit = 0;
    switch (chunked->at) {
    case SIZE:
        digit = hex(c);
        if (digit >= 0 && chunked->digits < DIGITS_MAX) {
            chunked->left = chunked->left * 16 + (unsigned)digit;
            chunked->digits++;
            return CHUNKED_MORE;
        }
        chunked->at = SIZE_LF;
        return c == '\r' && chunked->digits ? CHUNKED_MORE : CHUNKED_BAD;
    case SIZE_LF:
        chunked->at = chunked->left ? DATA : TRAILERS;
        chunked->digits = 0;
        return c == '\n' ? CHUNKED_MORE : CHUNKED_BAD;
    case DATA_CR:
        chunked->at = DATA_LF;
        return c == '\r' ? CHUNKED_MORE : CHUNKED_BAD;
    case DATA_LF:
        chunked->at = SIZE;
        return c == '\n' ? CHUNKED_MORE : CHUNKED_BAD;
    default: /* TRAILERS */
        if (!buf_char(&chunked->trailers, c))
            return CHUNKED_BAD;
        chunked->line++;
        if (c != '\n')
            return CHUNKED_MORE;
        size_t n = chunked->trailers.n;
        if (n < 2 || chunked->trailers.p[n - 2] != '\r')
            return CHUNKED_BAD;
        if (chunked->line == 2) {
            chunked->trailers.n -= 2;
            return CHUNKED_DONE;
        }
        chunked->line = 0;
        return CHUNKED_MORE;
    }
}

enum chunked_event chunked_feed(struct chunked *chunked, const char *p, size_t n, size_t *used,
                                struct slice *out_data)
{
    size_t at = 0;
    while (at < n) {
        if (chunked->at == DATA) {
            size_t take = n - at < chunked->left ? n - at : (size_t)chunked->left;
            *out_data = (struct slice){p + at, take};
            chunked->left -= take;
            if (!chunked->left)
                chunked->at = DATA_CR;
            *used = at + take;
            return CHUNKED_DATA;
        }
        enum chunked_event event = step(chunked, p[at++]);
        if (event != CHUNKED_MORE) {
            *used = at;
            return event;
        }
    }
    *used = n;
    return CHUNKED_MORE;
}

uint64_t chunked_announced(const struct chunked *chunked)
{
    return chunked->at == DATA ? chunked->left : 0;
}
