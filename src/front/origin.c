#include "front/origin.h"

/* Four numbers: a name such as 127.0.0.1.example.com may be anybody's. */
static bool is_v4(struct slice host)
{
    struct slice part;
    unsigned parts = 0;
    while (slice_cut(&host, '.', &part)) {
        uint64_t n = 0;
        if (++parts > 4 || !slice_u64(part, &n) || n > 255)
            return false;
    }
    return parts == 4;
}

static bool is_local(struct slice origin)
{
    struct slice host;
    if (slice_starts(origin, S("http://")))
        host = slice_sub(origin, 7, origin.n);
    else if (slice_starts(origin, S("https://")))
        host = slice_sub(origin, 8, origin.n);
    else
        return false; /* "null": anything may hide behind it */
    if (slice_starts(host, S("[::1]")))
        return host.n == 5 || host.p[5] == ':';
    host = slice_sub(host, 0, slice_find(host, ':'));
    return slice_eq_nocase(host, S("localhost")) || slice_ends(host, S(".localhost")) ||
           (slice_starts(host, S("127.")) && is_v4(host));
}

bool origin_may_call(const struct http_request *req)
{
    struct slice origin = http_header_get(req, S("Origin"));
    return !origin.p || is_local(origin);
}

bool origin_is_addressed(const struct http_request *req)
{
    static const struct slice domains[] = {
        S(".localhost"), S(".local"),         S(".internal"),         S(".test"),
        S(".on.aws"),    S(".amazonaws.com"), S(".amazonaws.com.cn"), S(".api.aws")};
    struct slice host = http_header_get(req, S("Host"));
    if (slice_starts(host, S("[")))
        return true;
    host = slice_sub(host, 0, slice_find(host, ':'));
    if (slice_find(host, '.') == SIZE_MAX || is_v4(host))
        return true;
    for (size_t i = 0; i < COUNT_OF(domains); i++) {
        size_t n = domains[i].n;
        if (host.n > n && slice_eq_nocase(slice_sub(host, host.n - n, host.n), domains[i]))
            return true;
    }
    return false;
}
