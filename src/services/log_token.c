#include "services/log_token.h"

enum { MS_DIGITS = 36, POSITION_DIGITS = 20 };

struct slice log_token_key(struct arena *arena, struct log_key key)
{
    return arena_printf(arena, "%0*llu%0*llu", MS_DIGITS, (unsigned long long)key.ms,
                        POSITION_DIGITS, (unsigned long long)key.position);
}

bool log_token_read_key(struct slice token, struct log_key *out)
{
    return token.n == MS_DIGITS + POSITION_DIGITS &&
           slice_u64(slice_sub(token, 0, MS_DIGITS), &out->ms) &&
           slice_u64(slice_sub(token, MS_DIGITS, token.n), &out->position);
}

struct slice log_token_page(struct arena *arena, bool backward, struct log_key key)
{
    return arena_printf(arena, "%c/%.*s/s", backward ? 'b' : 'f', FMT(log_token_key(arena, key)));
}

bool log_token_read_page(struct slice token, bool *out_backward, struct log_key *out)
{
    bool backward = slice_starts(token, S("b/"));
    if ((!backward && !slice_starts(token, S("f/"))) || !slice_ends(token, S("/s")) ||
        token.n < 4 || !log_token_read_key(slice_sub(token, 2, token.n - 4), out))
        return false;
    *out_backward = backward;
    return true;
}

struct slice log_token_arrival(struct arena *arena, uint64_t created_ms, uint64_t position)
{
    return arena_printf(arena, "a/%llu/%llu", (unsigned long long)created_ms,
                        (unsigned long long)position);
}

bool log_token_read_arrival(struct slice token, uint64_t *out_created_ms, uint64_t *out_position)
{
    struct slice rest = token;
    struct slice kind;
    struct slice created;
    return slice_cut(&rest, '/', &kind) && slice_eq(kind, S("a")) &&
           slice_cut(&rest, '/', &created) && slice_u64(created, out_created_ms) &&
           slice_u64(rest, out_position);
}
