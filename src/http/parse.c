#include "http/parse.h"

#include "base/mem.h"
#include "http/strict.h"

enum {
    TRAILERS_MAX = 64,
    TRUSTED_LENGTH = 1 << 20,
};

static enum http_parse_event bad(struct http_parse *parse, int status)
{
    parse->status = status;
    return PARSE_BAD;
}

static struct http_header *add_header(struct http_header **list, size_t *count, size_t max,
                                      struct arena *arena)
{
    if (*count == max)
        return NULL;
    if ((*count & (*count - 1)) == 0) { /* full at each power of two */
        size_t cap = *count ? *count * 2 : 16;
        if (*count == 0 || *count >= 16) {
            struct http_header *grown = arena_array(arena, cap, sizeof *grown);
            if (*count)
                memcpy(grown, *list, *count * sizeof *grown);
            *list = grown;
        }
    }
    return &(*list)[(*count)++];
}

static int on_url(llhttp_t *llhttp, const char *at, size_t n)
{
    struct http_parse *parse = llhttp->data;
    parse->request->target = (struct slice){at, n}; /* the head is contiguous: one call */
    return 0;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t n)
{
    struct http_parse *parse = llhttp->data;
    struct http_request *r = parse->request;
    struct http_header *h =
        add_header(&r->headers, &r->header_count, parse->limits->headers_max, r->arena);
    if (!h) {
        parse->status = 431;
        return -1;
    }
    h->name = (struct slice){at, n};
    h->value = (struct slice){at + n, 0};
    return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t n)
{
    struct http_parse *parse = llhttp->data;
    struct http_request *r = parse->request;
    r->headers[r->header_count - 1].value = slice_trim((struct slice){at, n});
    return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    return HPE_PAUSED; /* the body is read without llhttp */
}

static const llhttp_settings_t *settings(void)
{
    static llhttp_settings_t s;
    if (!s.on_url) {
        llhttp_settings_init(&s);
        s.on_header_field = on_header_field;
        s.on_header_value = on_header_value;
        s.on_headers_complete = on_headers_complete;
        s.on_url = on_url;
    }
    return &s;
}

void http_parse_init(struct http_parse *parse)
{
    memset(parse, 0, sizeof *parse);
    llhttp_init(&parse->llhttp, HTTP_REQUEST, settings());
    parse->llhttp.data = parse;
}

void http_parse_free(struct http_parse *parse)
{
    buf_free(&parse->head);
    buf_free(&parse->chunked.trailers);
}

void http_parse_begin(struct http_parse *parse, struct http_request *request,
                      const struct http_limits *limits)
{
    llhttp_reset(&parse->llhttp);
    parse->request = request;
    parse->limits = limits;
    parse->head.limit = limits->head_max;
    buf_clear(&parse->head);
    buf_clear(&parse->chunked.trailers);
    parse->scanned = 0;
    parse->blank = 0;
    parse->where = PARSE_IN_HEAD;
    parse->status = 0;
    parse->is_chunked = parse->keep_alive = parse->expects_continue = false;
    parse->left = parse->handed = 0;
}

/* What a head must hold beyond its syntax. Returns 0 or the status to refuse it with. */
static int head_is_sound(struct http_parse *parse)
{
    struct http_request *r = parse->request;
    size_t hosts = 0, lengths = 0, codings = 0;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct http_header *h = &r->headers[i];
        switch (h->name.n) { /* only these lengths can matter: keeps the warm path short */
        case 4:
            hosts += slice_eq_nocase(h->name, S("host"));
            break;
        case 6:
            if (slice_eq_nocase(h->name, S("expect"))) {
                if (!slice_eq_nocase(h->value, S("100-continue")))
                    return 417;
                parse->expects_continue = true;
            }
            break;
        case 14:
            if (slice_eq_nocase(h->name, S("content-length"))) {
                lengths++;
                if (!slice_u64(h->value, &parse->left))
                    return 400;
            }
            break;
        case 17:
            if (slice_eq_nocase(h->name, S("transfer-encoding"))) {
                codings++;
                if (!slice_eq_nocase(h->value, S("chunked")))
                    return 501;
            }
            break;
        default:
            break;
        }
    }
    bool http11 = parse->llhttp.http_minor == 1; /* strict_head() lets 1.0 and 1.1 through */
    if (hosts > 1 || (http11 && hosts == 0) || lengths > 1 || codings > 1 || (lengths && codings) ||
        (codings && !http11))
        return 400;
    parse->is_chunked = codings == 1;
    parse->expects_continue = parse->expects_continue && http11;
    parse->keep_alive = http11 && llhttp_should_keep_alive(&parse->llhttp);
    return 0;
}

/* "/path?query", also out of "http://host/path?query"; anything else is refused. */
static bool split_target(struct http_request *r)
{
    struct slice t = r->target;
    if (t.n && t.p[0] != '/') {
        if (slice_eq(t, S("*")) && slice_eq(r->method, S("OPTIONS"))) {
            r->path = t;
            return true;
        }
        size_t skip = slice_starts(t, S("http://")) ? 7 : slice_starts(t, S("https://")) ? 8 : 0;
        size_t slash = skip ? slice_find(slice_sub(t, skip, t.n), '/') : SIZE_MAX;
        if (slash == SIZE_MAX || slash == 0)
            return false;
        t = slice_sub(t, skip + slash, t.n);
    }
    if (t.n == 0 || slice_find(t, '#') != SIZE_MAX)
        return false;
    struct slice rest = t;
    slice_cut(&rest, '?', &r->path);
    r->query = rest;
    return true;
}

static enum http_parse_event parse_head(struct http_parse *parse, struct slice raw)
{
    struct http_request *r = parse->request;
    int status = strict_head(raw);
    if (status)
        return bad(parse, status);
    struct slice head = arena_dup(r->arena, raw);
    enum llhttp_errno error = llhttp_execute(&parse->llhttp, head.p, head.n);
    if (error != HPE_PAUSED)
        return bad(parse, parse->status ? parse->status : error == HPE_INVALID_METHOD ? 501 : 400);
    r->method = slice_str(llhttp_method_name(llhttp_get_method(&parse->llhttp)));
    if (slice_eq(r->method, S("CONNECT")))
        return bad(parse, 501);
    status = split_target(r) ? head_is_sound(parse) : 400;
    if (status)
        return bad(parse, status);
    bool has_body = parse->is_chunked || parse->left;
    if (parse->is_chunked)
        chunked_begin(&parse->chunked, parse->limits->trailers_max);
    parse->where = has_body ? PARSE_IN_BODY : PARSE_AT_END;
    return PARSE_HEAD;
}

/* Where the head ends (behind CR LF CR LF), or SIZE_MAX. */
static size_t head_end(struct slice s, size_t from)
{
    const char *at = s.n > from ? memmem(s.p + from, s.n - from, "\r\n\r\n", 4) : NULL;
    return at ? (size_t)(at - s.p) + 4 : SIZE_MAX;
}

/* A peer that ends lines in a bare LF would make us wait for ever: refuse as soon as it is seen. */
static bool has_bare_lf(struct slice s, size_t from)
{
    for (const char *lf; from < s.n && (lf = memchr(s.p + from, '\n', s.n - from));
         from = (size_t)(lf - s.p) + 1) {
        if (lf == s.p || lf[-1] != '\r')
            return true;
    }
    return false;
}

/* Not an HTTP request at all (TLS, another protocol): told by its first byte. */
static bool starts_badly(struct slice s)
{
    return s.n && !strict_is_token(s.p[0]);
}

static enum http_parse_event feed_head(struct http_parse *parse, const char *p, size_t n,
                                       size_t *used)
{
    size_t max = parse->limits->head_max;
    size_t before = parse->head.n;
    struct slice whole = {p, n};
    if (before == 0) {
        /* The usual case: all of it in one piece, not copied before it is complete. */
        size_t end = starts_badly(whole) ? SIZE_MAX : head_end(whole, 0);
        if (end <= max) {
            *used = end;
            return parse_head(parse, slice_sub(whole, 0, end));
        }
    }
    size_t take = n < max - before ? n : max - before;
    buf_add(&parse->head, p, take);
    whole = buf_all(&parse->head);
    size_t end = head_end(whole, parse->scanned);
    if (end != SIZE_MAX) {
        *used = end - before;
        return parse_head(parse, slice_sub(whole, 0, end));
    }
    if (starts_badly(whole) || has_bare_lf(whole, parse->scanned))
        return bad(parse, 400);
    parse->scanned = whole.n > 3 ? whole.n - 3 : 0;
    *used = take;
    return whole.n == max ? bad(parse, 431) : PARSE_MORE;
}

/* RFC 9112 2.2: an empty line before a request is skipped. One, and only CR LF. */
static size_t skip_blank(struct http_parse *parse, const char *p, size_t n)
{
    size_t at = 0;
    while (at < n && parse->blank < 2 && !parse->head.n && p[at] == "\r\n"[parse->blank]) {
        at++;
        parse->blank++;
    }
    return at;
}

static uint64_t room(const struct http_parse *parse)
{
    return parse->request->body_limit - parse->handed - parse->request->body.n;
}

void http_parse_handed_on(struct http_parse *parse)
{
    parse->handed += parse->request->body.n;
    buf_clear(&parse->request->body);
}

static enum http_parse_event feed_plain(struct http_parse *parse, const char *p, size_t n,
                                        size_t *used)
{
    struct http_request *r = parse->request;
    if (parse->left > room(parse))
        return PARSE_TOO_LARGE;
    /* The rest is announced, but memory is not given on the word of a peer alone: up to 1 MB at
     * once, more when that much has come. */
    if (n && !r->want_pieces && (parse->left <= TRUSTED_LENGTH || r->body.n >= TRUSTED_LENGTH))
        buf_reserve(&r->body, (size_t)parse->left);
    *used = n < parse->left ? n : (size_t)parse->left;
    buf_add(&r->body, p, *used);
    parse->left -= *used;
    if (parse->left)
        return PARSE_MORE;
    parse->where = PARSE_AT_END;
    return PARSE_DONE;
}

static bool parse_trailers(struct http_parse *parse)
{
    struct http_request *r = parse->request;
    if (!parse->chunked.trailers.n)
        return true;
    struct slice rest = arena_dup(r->arena, buf_all(&parse->chunked.trailers)), line;
    while (rest.n) {
        struct http_header *t = add_header(&r->trailers, &r->trailer_count, TRAILERS_MAX, r->arena);
        if (!t || !strict_line(&rest, &line) || !strict_header(line, &t->name, &t->value))
            return false;
    }
    return true;
}

static enum http_parse_event feed_chunked(struct http_parse *parse, const char *p, size_t n,
                                          size_t *used)
{
    struct http_request *r = parse->request;
    for (;;) {
        struct slice data = {NULL, 0};
        size_t taken = 0;
        enum chunked_event event =
            chunked_feed(&parse->chunked, p + *used, n - *used, &taken, &data);
        *used += taken;
        uint64_t left = room(parse);
        if (data.n > left || chunked_announced(&parse->chunked) > left - data.n)
            return PARSE_TOO_LARGE;
        buf_slice(&r->body, data);
        switch (event) {
        case CHUNKED_DATA:
            break;
        case CHUNKED_MORE:
            return PARSE_MORE;
        case CHUNKED_DONE:
            parse->where = PARSE_AT_END;
            return parse_trailers(parse) ? PARSE_DONE : bad(parse, 400);
        case CHUNKED_BAD:
            return bad(parse, 400);
        }
    }
}

enum http_parse_event http_parse_feed(struct http_parse *parse, const char *p, size_t n,
                                      size_t *used)
{
    *used = 0;
    if (parse->where == PARSE_AT_END)
        return PARSE_DONE;
    if (parse->where == PARSE_IN_BODY)
        return parse->is_chunked ? feed_chunked(parse, p, n, used) : feed_plain(parse, p, n, used);
    size_t skipped = skip_blank(parse, p, n);
    if (skipped == n) {
        *used = n;
        return PARSE_MORE;
    }
    if (parse->blank == 1)
        return bad(parse, 400);
    enum http_parse_event event = feed_head(parse, p + skipped, n - skipped, used);
    *used += skipped;
    return event;
}

bool http_parse_wants_continue(const struct http_parse *parse)
{
    const struct http_request *r = parse->request;
    return parse->expects_continue && parse->where == PARSE_IN_BODY &&
           (parse->is_chunked || parse->left <= r->body_limit);
}
