#include "front/caller.h"

static bool all_digits(struct slice s, size_t n)
{
    uint64_t ignored = 0;
    return s.n == n && slice_u64(s, &ignored);
}

/* Regions are lower-case words with dashes: anything else is not believed, as it becomes part of
 * ARNs and names. */
static bool is_region(struct slice s)
{
    bool dash = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        dash |= c == '-';
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return dash && s.n >= 5 && s.n <= 32;
}

/* "AKID/20260102/us-east-1/lambda/aws4_request" */
static struct caller from_credential(struct slice credential)
{
    struct caller caller = {0};
    struct slice key;
    struct slice date;
    struct slice region;
    struct slice service;
    if (!slice_cut(&credential, '/', &key) || !slice_cut(&credential, '/', &date) ||
        !slice_cut(&credential, '/', &region) || !slice_cut(&credential, '/', &service))
        return caller;
    caller.key = key;
    if (all_digits(key, 12))
        caller.account = key;
    if (is_region(region))
        caller.region = region;
    caller.service = service;
    return caller;
}

struct caller caller_of(struct http_request *req)
{
    static const char marker[] = "Credential=";
    struct slice header = http_header_get(req, S("Authorization"));
    const char *at = header.n ? memmem(header.p, header.n, marker, sizeof marker - 1) : NULL;
    if (at) {
        struct slice rest = {at + sizeof marker - 1,
                             header.n - (size_t)(at - header.p) - (sizeof marker - 1)};
        struct slice credential = rest;
        slice_cut(&rest, ',', &credential);
        return from_credential(slice_trim(credential));
    }
    return from_credential(http_query_get(req, S("X-Amz-Credential")));
}
