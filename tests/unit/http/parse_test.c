#include "test.h"

#include "abuse.h"

#include "base/mem.h"
#include "http/parse.h"

#include <stdio.h>

static const struct http_limits limits = {
    .head_max = 8192, .headers_max = 20, .body_max = 1 << 20, .trailers_max = 16 << 10};

/* What became of a request, as text; *used says where the next one would begin. */
static char *parse_in_pieces(struct slice in, size_t piece, size_t *used)
{
    struct arena *arena = arena_new();
    struct http_request r = {
        .arena = arena, .body_limit = limits.body_max, .body = BUF_INIT(SIZE_MAX / 2)};
    struct http_parse parse;
    http_parse_init(&parse);
    http_parse_begin(&parse, &r, &limits);
    enum http_parse_event event = PARSE_MORE;
    size_t at = 0;
    while (event == PARSE_HEAD || (event == PARSE_MORE && at < in.n)) {
        size_t taken = 0, n = in.n - at < piece ? in.n - at : piece;
        event = http_parse_feed(&parse, in.p + at, n, &taken);
        assert_true(taken <= n);
        assert_true(event != PARSE_MORE || taken == n);
        at += taken;
    }
    *used = at;
    struct buf out = BUF_INIT(1 << 24);
    switch (event) {
    case PARSE_MORE:
    case PARSE_HEAD:
        buf_slice(&out, S("more"));
        break;
    case PARSE_BAD:
        buf_printf(&out, "%d", parse.status);
        break;
    case PARSE_TOO_LARGE:
        buf_slice(&out, S("413"));
        break;
    case PARSE_DONE:
        buf_printf(&out, "200 %.*s %.*s [%.*s] [%.*s]%s\n", FMT(r.method), FMT(r.target),
                   FMT(r.path), FMT(r.query), parse.keep_alive ? "" : " close");
        for (size_t i = 0; i < r.header_count; i++)
            buf_printf(&out, "%.*s=%.*s\n", FMT(r.headers[i].name), FMT(r.headers[i].value));
        buf_slice(&out, buf_all(&r.body));
        for (size_t i = 0; i < r.trailer_count; i++)
            buf_printf(&out, "\n%.*s=%.*s", FMT(r.trailers[i].name), FMT(r.trailers[i].value));
        break;
    }
    buf_char(&out, '\0');
    http_parse_free(&parse);
    buf_free(&r.body);
    arena_free(arena);
    return out.p;
}

static void the_list_of_abuse_whole_and_in_pieces(void **state)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 2, 3, 5, 7, 16, 31};
    for (size_t i = 0; i < COUNT_OF(abuse); i++) {
        const struct abuse *row = &abuse[i];
        AUTO(free) char *whole = NULL;
        for (size_t k = 0; k < COUNT_OF(pieces); k++) {
            size_t used = 0;
            AUTO(free) char *got = parse_in_pieces(row->bytes, pieces[k], &used);
            char want[4];
            snprintf(want, sizeof want, "%d", row->status);
            if (strncmp(got, want, 3) != 0 || (whole && strcmp(whole, got) != 0))
                fail_msg("%s, in pieces of %zu: %s, expected %d", row->name, pieces[k], got,
                         row->status);
            if (row->status == 200)
                assert_int_equal(used, row->bytes.n);
            if (!whole)
                whole = STEAL(got);
        }
    }
}

static void expect(const char *in, const char *want)
{
    for (size_t piece = 1; piece <= strlen(in); piece++) {
        size_t used = 0;
        AUTO(free) char *got = parse_in_pieces(slice_str(in), piece, &used);
        assert_string_equal(got, want);
    }
}

static void requests_are_understood_at_every_split(void **state)
{
    expect(GET "\r\n", "200 GET / [/] []\nHost=x\n");
    expect(GET "A:  b c \t\r\nEmpty:\r\n\r\n", "200 GET / [/] []\nHost=x\nA=b c\nEmpty=\n");
    expect("PUT /a%2Fb?x=1?y HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
           "200 PUT /a%2Fb?x=1?y [/a%2Fb] [x=1?y]\nHost=x\nContent-Length=5\nhello");
    expect("DELETE http://h:1/p?q HTTP/1.1\r\nHost: x\r\n\r\n",
           "200 DELETE http://h:1/p?q [/p] [q]\nHost=x\n");
    expect(CHUNKED "5\r\nhello\r\n00006\r\n world\r\n0\r\nX-A: 1\r\nX-B:\r\n\r\n",
           "200 POST / [/] []\nHost=x\nTransfer-Encoding=chunked\nhello world\nX-A=1\nX-B=");
    expect(GET "Connection: close\r\n\r\n", "200 GET / [/] [] close\nHost=x\nConnection=close\n");
    expect("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
           "200 GET / [/] [] close\nConnection=keep-alive\n");
    expect("GET /a HTTP/1.1\r\nHost: x\r\n", "more");
    expect(POST "Content-Length: 5\r\n\r\nhell", "more");
    expect(CHUNKED "5\r\nhello\r\n0\r\n", "more");
}

static void what_follows_is_left_for_the_next_request(void **state)
{
    static const char *const first[] = {GET "\r\n", POST "Content-Length: 3\r\n\r\nabc",
                                        CHUNKED "3\r\nabc\r\n0\r\nA: b\r\n\r\n"};
    for (size_t i = 0; i < COUNT_OF(first); i++) {
        size_t used = 0;
        AUTO(buf) struct buf in = BUF_INIT(4096);
        buf_printf(&in, "%s%s", first[i], GET "\r\n");
        AUTO(free) char *got = parse_in_pieces(buf_all(&in), SIZE_MAX, &used);
        assert_int_equal(used, strlen(first[i]));
    }
}

/* Heads at, below and above the limit, whole and byte by byte. */
static void heads_are_bounded(void **state)
{
    for (size_t size = limits.head_max - 2; size <= limits.head_max + 2; size++) {
        AUTO(buf) struct buf in = BUF_INIT(1 << 20);
        buf_slice(&in, S(GET "A: "));
        while (in.n < size - 4)
            buf_char(&in, 'a');
        buf_slice(&in, S("\r\n\r\n"));
        static const size_t pieces[] = {SIZE_MAX, 4096, 1};
        for (size_t k = 0; k < COUNT_OF(pieces); k++) {
            size_t used = 0;
            AUTO(free) char *got = parse_in_pieces(buf_all(&in), pieces[k], &used);
            assert_memory_equal(got, size <= limits.head_max ? "200" : "431", 3);
        }
    }
}

static void a_line_without_end_is_bounded(void **state)
{
    AUTO(buf) struct buf in = BUF_INIT(1 << 20);
    buf_slice(&in, S("GET /"));
    while (in.n < 3 * limits.head_max)
        buf_char(&in, 'a');
    size_t used = 0;
    AUTO(free) char *whole = parse_in_pieces(buf_all(&in), SIZE_MAX, &used);
    assert_string_equal(whole, "431");
    AUTO(free) char *bytes = parse_in_pieces(buf_all(&in), 1, &used);
    assert_string_equal(bytes, "431");
    assert_true(used <= limits.head_max);
}

static void headers_are_counted(void **state)
{
    for (size_t count = limits.headers_max - 2; count <= limits.headers_max + 2; count++) {
        AUTO(buf) struct buf in = BUF_INIT(1 << 20);
        buf_slice(&in, S(GET));
        for (size_t i = 1; i < count; i++)
            buf_printf(&in, "A%zu: %zu\r\n", i, i);
        buf_slice(&in, S("\r\n"));
        size_t used = 0;
        AUTO(free) char *got = parse_in_pieces(buf_all(&in), SIZE_MAX, &used);
        assert_memory_equal(got, count <= limits.headers_max ? "200" : "431", 3);
    }
}

static void trailers_are_bounded(void **state)
{
    AUTO(buf) struct buf in = BUF_INIT(1 << 20);
    buf_slice(&in, S(CHUNKED "0\r\nA: "));
    while (in.n < 40000)
        buf_char(&in, 'a');
    size_t used = 0;
    AUTO(free) char *got = parse_in_pieces(buf_all(&in), 1, &used);
    assert_string_equal(got, "400");
    buf_clear(&in);
    buf_slice(&in, S(CHUNKED "0\r\n"));
    for (size_t i = 0; i < 65; i++)
        buf_slice(&in, S("A: b\r\n"));
    buf_slice(&in, S("\r\n"));
    AUTO(free) char *many = parse_in_pieces(buf_all(&in), SIZE_MAX, &used);
    assert_string_equal(many, "400");
}

static void bodies_are_bounded(void **state)
{
    for (size_t over = 0; over < 2; over++) {
        size_t size = limits.body_max + over, used = 0;
        AUTO(buf) struct buf plain = BUF_INIT(4 << 20), chunked = BUF_INIT(4 << 20);
        buf_printf(&plain, POST "Content-Length: %zu\r\n\r\n", size);
        buf_printf(&chunked, CHUNKED "%zx\r\n", size);
        for (size_t i = 0; i < size; i++) {
            buf_char(&plain, 'a');
            buf_char(&chunked, 'a');
        }
        buf_slice(&chunked, S("\r\n0\r\n\r\n"));
        AUTO(free) char *a = parse_in_pieces(buf_all(&plain), 50000, &used);
        AUTO(free) char *b = parse_in_pieces(buf_all(&chunked), 50000, &used);
        assert_memory_equal(a, over ? "413" : "200", 3);
        assert_memory_equal(b, over ? "413" : "200", 3);
    }
}

static void an_announced_length_reserves_little(void **state)
{
    struct http_limits large = limits;
    large.body_max = 1ul << 40;
    struct arena *arena = arena_new();
    struct http_request r = {
        .arena = arena, .body_limit = large.body_max, .body = BUF_INIT(SIZE_MAX / 2)};
    struct http_parse parse;
    http_parse_init(&parse);
    http_parse_begin(&parse, &r, &large);
    struct slice in = S(POST "Content-Length: 1000000000000\r\n\r\nabc");
    size_t used = 0;
    assert_int_equal(http_parse_feed(&parse, in.p, in.n, &used), PARSE_HEAD);
    assert_int_equal(http_parse_feed(&parse, in.p + used, in.n - used, &used), PARSE_MORE);
    assert_true(r.body.n == 3 && r.body.cap < 4096);
    http_parse_free(&parse);
    buf_free(&r.body);
    arena_free(arena);
}

static bool wants_continue(const char *head, size_t body_limit)
{
    struct arena *arena = arena_new();
    struct http_request r = {.arena = arena, .body_limit = body_limit, .body = BUF_INIT(1 << 20)};
    struct http_parse parse;
    size_t used = 0;
    http_parse_init(&parse);
    http_parse_begin(&parse, &r, &limits);
    assert_int_equal(http_parse_feed(&parse, head, strlen(head), &used), PARSE_HEAD);
    bool wants = http_parse_wants_continue(&parse);
    http_parse_free(&parse);
    arena_free(arena);
    return wants;
}

static void continue_is_for_bodies_that_will_be_taken(void **state)
{
    assert_true(wants_continue(POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", 5));
    assert_true(wants_continue(POST "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n", 5));
    assert_true(
        wants_continue(POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", 5));
    assert_false(wants_continue(POST "Expect: 100-continue\r\nContent-Length: 6\r\n\r\n", 5));
    assert_false(wants_continue(POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", 5));
    assert_false(wants_continue(POST "Expect: 100-continue\r\n\r\n", 5));
    assert_false(wants_continue(POST "Content-Length: 5\r\n\r\n", 5));
    assert_false(
        wants_continue("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", 5));
}

static void queries_and_escapes(void **state)
{
    struct arena *arena = arena_new();
    struct http_request r = {.arena = arena,
                             .query = S("a=1&b=%41%2f&empty=&flag&a=2&%63=x+y&bad=%zz&n=%00")};
    struct slice out;
    assert_true(slice_eq(http_query_get(&r, S("a")), S("1")));
    assert_true(slice_eq(http_query_get(&r, S("b")), S("A/")));
    assert_true(http_query_get(&r, S("empty")).p && http_query_get(&r, S("empty")).n == 0);
    assert_true(http_query_get(&r, S("flag")).p && http_query_get(&r, S("flag")).n == 0);
    assert_true(slice_eq(http_query_get(&r, S("c")), S("x+y")));
    assert_null(http_query_get(&r, S("bad")).p);
    assert_null(http_query_get(&r, S("n")).p);
    assert_null(http_query_get(&r, S("missing")).p);
    assert_true(slice_eq(http_query_nth(&r, S("a"), 1), S("2")));
    assert_null(http_query_nth(&r, S("a"), 2).p);
    assert_false(http_unescape(arena, S("%"), &out));
    assert_false(http_unescape(arena, S("a%4"), &out));
    assert_false(http_unescape(arena, S("%+1"), &out));
    assert_true(http_unescape(arena, S("%41%c3%A9"), &out) && slice_eq(out, S("A\xc3\xa9")));
    assert_true(http_unescape(arena, S(""), &out) && out.n == 0);
    r.query = (struct slice){NULL, 0};
    assert_null(http_query_get(&r, S("a")).p);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_of_abuse_whole_and_in_pieces),
        cmocka_unit_test(requests_are_understood_at_every_split),
        cmocka_unit_test(what_follows_is_left_for_the_next_request),
        cmocka_unit_test(heads_are_bounded),
        cmocka_unit_test(a_line_without_end_is_bounded),
        cmocka_unit_test(headers_are_counted),
        cmocka_unit_test(trailers_are_bounded),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(an_announced_length_reserves_little),
        cmocka_unit_test(continue_is_for_bodies_that_will_be_taken),
        cmocka_unit_test(queries_and_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
