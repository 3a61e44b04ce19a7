/* A stream of requests, whole, byte by byte, and cut as the first bytes of the input say: it is
 * always the same stream of requests, with the same end; and the same if the bodies are taken in
 * pieces. */
#include "base/buf.h"
#include "base/mem.h"
#include "http/parse.h"

enum { SPLITS = 8 }; /* bytes of the input that say where it is cut */

static const struct http_limits limits = {
    .head_max = 2048, .headers_max = 16, .body_max = 4096, .trailers_max = 1024};

static void note(struct buf *out, struct slice s)
{
    buf_printf(out, "%zu:", s.n);
    buf_slice(out, s);
}

static void check_line(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        must(s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0');
}

/* What nobody behind the parser may ever see. */
static void check_request(const struct http_request *r)
{
    must(r->header_count <= limits.headers_max && r->body.n <= limits.body_max);
    must(r->method.n && r->path.n && (r->path.p[0] == '/' || slice_eq(r->path, S("*"))));
    check_line(r->target);
    for (size_t i = 0; i < r->header_count; i++) {
        must(r->headers[i].name.n);
        check_line(r->headers[i].name);
        check_line(r->headers[i].value);
    }
    for (size_t i = 0; i < r->trailer_count; i++) {
        must(r->trailers[i].name.n);
        check_line(r->trailers[i].name);
        check_line(r->trailers[i].value);
    }
}

static void note_request(struct buf *out, const struct http_request *r, bool keep_alive)
{
    check_request(r);
    note(out, r->method);
    note(out, r->target);
    note(out, r->path);
    note(out, r->query);
    for (size_t i = 0; i < r->header_count; i++) {
        note(out, r->headers[i].name);
        note(out, r->headers[i].value);
    }
    note(out, buf_all(&r->body));
    for (size_t i = 0; i < r->trailer_count; i++) {
        note(out, r->trailers[i].name);
        note(out, r->trailers[i].value);
    }
    buf_slice(out, keep_alive ? S(" stays\n") : S(" closes\n"));
}

/* All requests of the stream, as text. splits is NULL: whole. */
static struct buf parse_all(struct slice in, const uint8_t *splits, size_t split_count, bool pieces)
{
    struct buf out = BUF_INIT(SIZE_MAX / 2);
    struct http_parse parse;
    http_parse_init(&parse);
    size_t split = 0;
    bool more = true;
    while (more && in.n) {
        struct arena *arena = arena_new();
        struct http_request r = {.arena = arena,
                                 .body_limit = limits.body_max,
                                 .body = BUF_INIT(SIZE_MAX / 2),
                                 .want_pieces = pieces};
        AUTO(buf) struct buf taken = BUF_INIT(limits.body_max);
        http_parse_begin(&parse, &r, &limits);
        enum http_parse_event event = PARSE_MORE;
        while (event == PARSE_HEAD || (event == PARSE_MORE && in.n)) {
            size_t n = split_count ? (size_t)splits[split++ % split_count] + 1 : in.n;
            size_t used = 0;
            /* A copy of just these bytes, so that reading beyond them is found. */
            AUTO(free) char *piece = mem_new(n < in.n ? n : in.n);
            n = n < in.n ? n : in.n;
            if (n)
                memcpy(piece, in.p, n);
            event = http_parse_feed(&parse, piece, n, &used);
            must(used <= n && ERGO(event == PARSE_MORE, used == n));
            in = slice_sub(in, used, in.n);
            if (pieces && event == PARSE_MORE) {
                must(r.body.n <= used && buf_slice(&taken, buf_all(&r.body)));
                http_parse_handed_on(&parse);
            }
        }
        if (pieces) { /* the last one is left in it */
            must(buf_slice(&taken, buf_all(&r.body)));
            buf_free(&r.body);
            r.body = taken;
            taken = (struct buf)BUF_INIT(0);
        }
        if (event == PARSE_DONE)
            note_request(&out, &r, parse.keep_alive);
        else if (event == PARSE_BAD)
            buf_printf(&out, "refused %d", parse.status);
        else
            buf_slice(&out, event == PARSE_TOO_LARGE ? S("too large") : S("unfinished"));
        more = event == PARSE_DONE && parse.keep_alive;
        buf_free(&r.body);
        arena_free(arena);
    }
    http_parse_free(&parse);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < SPLITS)
        return 0;
    static const uint8_t single[] = {0};
    struct slice in = {(const char *)data + SPLITS, size - SPLITS};
    AUTO(buf) struct buf whole = parse_all(in, NULL, 0, false);
    AUTO(buf) struct buf bytes = parse_all(in, single, 1, false);
    AUTO(buf) struct buf pieces = parse_all(in, data, SPLITS, false);
    AUTO(buf) struct buf taken = parse_all(in, data, SPLITS, true);
    must(slice_eq(buf_all(&whole), buf_all(&bytes)));
    must(slice_eq(buf_all(&whole), buf_all(&pieces)));
    must(slice_eq(buf_all(&whole), buf_all(&taken)));
    return 0;
}
