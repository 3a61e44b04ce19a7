#include "http/server.h"

struct slice http_header_get(const struct http_request *req, struct slice name)
{
    for (size_t i = 0; i < req->header_count; i++) {
        if (slice_eq_nocase(req->headers[i].name, name))
            return req->headers[i].value;
    }
    return (struct slice){NULL, 0};
}

bool http_unescape(struct arena *arena, struct slice s, struct slice *out)
{
    if (slice_find(s, '%') == SIZE_MAX) {
        *out = s;
        return true;
    }
    char *to = arena_alloc(arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int high = i + 2 < s.n ? slice_hex_digit(s.p[i + 1]) : -1;
            int low = i + 2 < s.n ? slice_hex_digit(s.p[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        to[n++] = c;
    }
    *out = (struct slice){to, n};
    return true;
}

struct slice http_query_get(struct http_request *req, struct slice key)
{
    return http_query_nth(req, key, 0);
}

struct slice http_query_nth(struct http_request *req, struct slice key, size_t nth)
{
    struct slice rest = req->query;
    struct slice pair;
    while (slice_cut(&rest, '&', &pair)) {
        struct slice value = pair;
        struct slice name;
        struct slice decoded;
        if (!slice_cut(&value, '=', &name) || !http_unescape(req->arena, name, &decoded) ||
            !slice_eq(decoded, key) || nth--)
            continue;
        if (!value.p)
            return S("");
        if (http_unescape(req->arena, value, &decoded))
            return decoded;
    }
    return (struct slice){NULL, 0};
}

const char *http_reason(int status)
{
    switch (status) {
    case 100:
        return "Continue";
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 400:
        return "Bad Request";
    case 402:
        return "Payment Required";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Payload Too Large";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Status";
    }
}
