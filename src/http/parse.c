#include "http/parse.h"

#include "base/mem.h"

static const bool *token_bytes(void)
{
    static bool table[256];
    if (!table['a']) {
        for (const char *c = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
             *c; c++)
            table[(unsigned char)*c] = true;
    }
    return table;
}

static enum http_parse_event bad(struct http_parse *parse, int status)
{
    parse->status = status;
    return PARSE_BAD;
}

/* The strict look at the raw head (it ends in CR LF CR LF): every line ends in CR LF, no control
 * bytes, header lines are token ":" value, none is folded. */
static bool head_is_strict(struct slice head)
{
    const bool *token = token_bytes();
    bool first = true;
    size_t at = 0;
    while (at + 2 <= head.n) {
        const char *cr = memchr(head.p + at, '\r', head.n - at);
        if (!cr || cr + 1 >= head.p + head.n || cr[1] != '\n')
            return false;
        struct slice line = {head.p + at, (size_t)(cr - (head.p + at))};
        at += line.n + 2;
        for (size_t i = 0; i < line.n; i++) {
            unsigned char c = (unsigned char)line.p[i];
            if ((c < 0x20 && (c != '\t' || first)) || c == 0x7f || (first && c >= 0x80))
                return false;
        }
        if (!first && line.n) {
            size_t name = 0;
            while (name < line.n && token[(unsigned char)line.p[name]])
                name++;
            if (name == 0 || name == line.n || line.p[name] != ':')
                return false;
        }
        first = false;
    }
    return at == head.n;
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
    if (parse->where == PARSE_IN_HEAD) {
        struct http_header *h =
            add_header(&r->headers, &r->header_count, parse->limits->headers_max, r->arena);
        if (!h)
            return -1;
        h->name = (struct slice){at, n};
        return 0;
    }
    if (parse->trailer_bytes + n > 16384)
        return -1;
    parse->trailer_bytes += n;
    struct http_header *t = NULL;
    if (r->trailer_count && !parse->trailer_value)
        t = &r->trailers[r->trailer_count - 1]; /* a name that came in pieces */
    else
        t = add_header(&r->trailers, &r->trailer_count, 64, r->arena);
    if (!t)
        return -1;
    parse->trailer_value = false;
    t->name = arena_printf(r->arena, "%.*s%.*s", FMT(t->name), (int)n, at);
    return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t n)
{
    struct http_parse *parse = llhttp->data;
    struct http_request *r = parse->request;
    if (parse->where == PARSE_IN_HEAD) {
        r->headers[r->header_count - 1].value = slice_trim((struct slice){at, n});
        return 0;
    }
    if (parse->trailer_bytes + n > 16384 || memchr(at, 0, n))
        return -1;
    parse->trailer_bytes += n;
    parse->trailer_value = true;
    struct http_header *t = &r->trailers[r->trailer_count - 1];
    t->value = arena_printf(r->arena, "%.*s%.*s", FMT(t->value), (int)n, at);
    return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    llhttp->upgrade = 0; /* nothing is upgraded here: Upgrade is ignored, as RFC 9110 7.8 allows */
    return HPE_PAUSED;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t n)
{
    struct http_parse *parse = llhttp->data;
    struct http_request *r = parse->request;
    if (n > r->body_limit - r->body.n) {
        parse->too_large = true;
        return -1;
    }
    if (!r->body.cap && llhttp->content_length && !(llhttp->flags & F_CHUNKED)) {
        /* The rest is announced: reserve it at once, but never on the word of a peer alone. */
        uint64_t whole = llhttp->content_length + n;
        if (whole <= r->body_limit && whole <= (1u << 20))
            buf_reserve(&r->body, (size_t)whole);
    }
    buf_add(&r->body, at, n);
    return 0;
}

static int on_chunk_extension(llhttp_t *llhttp, const char *at, size_t n)
{
    (void)llhttp;
    (void)at;
    (void)n;
    return -1; /* nobody needs them, and proxies read them differently */
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct http_parse *parse = llhttp->data;
    parse->where = PARSE_AT_END;
    return HPE_PAUSED;
}

static const llhttp_settings_t *settings(void)
{
    static llhttp_settings_t s;
    if (!s.on_url) {
        llhttp_settings_init(&s);
        s.on_header_field = on_header_field;
        s.on_header_value = on_header_value;
        s.on_headers_complete = on_headers_complete;
        s.on_body = on_body;
        s.on_chunk_extension_name = on_chunk_extension;
        s.on_message_complete = on_message_complete;
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
}

void http_parse_begin(struct http_parse *parse, struct http_request *request,
                      const struct http_limits *limits)
{
    llhttp_reset(&parse->llhttp);
    parse->request = request;
    parse->limits = limits;
    parse->head.limit = limits->head_max;
    buf_clear(&parse->head);
    parse->scanned = 0;
    parse->where = PARSE_IN_HEAD;
    parse->status = 0;
    parse->keep_alive = parse->expects_continue = parse->too_large = false;
    parse->trailer_bytes = 0;
    parse->trailer_value = false;
}

static bool length_is_strict(struct slice value)
{
    uint64_t ignored = 0;
    return slice_u64(value, &ignored);
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
                if (!length_is_strict(h->value))
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
    bool http11 = parse->llhttp.http_major == 1 && parse->llhttp.http_minor == 1;
    if (parse->llhttp.http_major != 1 || parse->llhttp.http_minor > 1)
        return 505;
    if (hosts > 1 || (http11 && hosts == 0) || lengths > 1 || codings > 1 || (lengths && codings) ||
        (codings && !http11))
        return 400;
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
        if (slash == SIZE_MAX)
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
    if (!head_is_strict(raw))
        return bad(parse, 400);
    struct slice head = arena_dup(r->arena, raw);
    enum llhttp_errno error = llhttp_execute(&parse->llhttp, head.p, head.n);
    if (error != HPE_PAUSED)
        return bad(parse, r->header_count == parse->limits->headers_max ? 431 : 400);
    if (llhttp_get_error_pos(&parse->llhttp) > head.p + head.n)
        return bad(parse, 400);
    r->method = slice_str(llhttp_method_name(llhttp_get_method(&parse->llhttp)));
    if (slice_eq(r->method, S("CONNECT")) || !split_target(r))
        return bad(parse, 400);
    int status = head_is_sound(parse);
    if (status)
        return bad(parse, status);
    parse->where = PARSE_IN_BODY;
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

static enum http_parse_event feed_head(struct http_parse *parse, const char *p, size_t n,
                                       size_t *used)
{
    struct slice whole = {p, n};
    size_t before = parse->head.n;
    if (before ==
        0) { /* the usual case: all of it in one piece, not copied before it is complete */
        size_t end = head_end(whole, 0);
        if (end != SIZE_MAX) {
            if (end > parse->limits->head_max)
                return bad(parse, 431);
            *used = end;
            return parse_head(parse, slice_sub(whole, 0, end));
        }
    }
    size_t room = parse->head.limit - before;
    size_t take = n < room ? n : room;
    buf_add(&parse->head, p, take);
    whole = buf_all(&parse->head);
    size_t end = head_end(whole, parse->scanned);
    if (end != SIZE_MAX) {
        *used = end - before;
        return parse_head(parse, slice_sub(whole, 0, end));
    }
    if (has_bare_lf(whole, parse->scanned))
        return bad(parse, 400);
    parse->scanned = whole.n > 3 ? whole.n - 3 : 0;
    *used = take;
    return take < n || whole.n == parse->head.limit ? bad(parse, 431) : PARSE_MORE;
}

enum http_parse_event http_parse_feed(struct http_parse *parse, const char *p, size_t n,
                                      size_t *used)
{
    *used = 0;
    if (parse->where == PARSE_IN_HEAD)
        return feed_head(parse, p, n, used);

    /* llhttp paused at the end of the head; from here it reads body and trailers. */
    llhttp_resume(&parse->llhttp);
    enum llhttp_errno error = llhttp_execute(&parse->llhttp, p, n);
    if (error == HPE_OK) {
        *used = n;
        return PARSE_MORE;
    }
    if (error == HPE_PAUSED && parse->where == PARSE_AT_END) {
        const char *at = llhttp_get_error_pos(&parse->llhttp);
        *used = at ? (size_t)(at - p) : n;
        return PARSE_DONE;
    }
    if (parse->too_large)
        return PARSE_TOO_LARGE;
    return bad(parse, 400);
}
