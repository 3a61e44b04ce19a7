#include "http/answer.h"

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum { HEAD_USUAL = 512 };

static struct slice date_now(void)
{
    static char text[40];
    static size_t length;
    static time_t made;
    time_t now = (time_t)(clock_wall_ms() / 1000);
    if (now != made) {
        struct tm tm;
        gmtime_r(&now, &tm);
        length = strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        made = now;
    }
    return (struct slice){text, length};
}

/* Values may come from functions: whatever would end the line becomes a blank. */
static void add_line_part(struct buf *out, struct slice s)
{
    size_t from = out->n;
    if (!buf_slice(out, s))
        return;
    for (size_t i = from; i < out->n; i++) { /* without a branch: 16 at a time */
        char c = out->p[i];
        out->p[i] = ((c == '\r') | (c == '\n') | (c == '\0')) ? ' ' : c;
    }
}

bool answer_is_bare(int status)
{
    return status == 204 || status == 304 || status < 200;
}

void answer_head(struct buf *out, const struct http_response *r, const struct answer_form *form)
{
    buf_reserve(out, HEAD_USUAL); /* it grows once */
    buf_slice(out, S("HTTP/1.1 "));
    buf_u64(out, (uint64_t)r->status);
    buf_char(out, ' ');
    buf_slice(out, slice_str(http_reason(r->status)));
    buf_slice(out, S("\r\n"));
    for (size_t i = 0; i < r->header_count; i++) {
        if (form->close && slice_eq_nocase(r->headers[i].name, S("connection")))
            continue; /* said below, and otherwise */
        add_line_part(out, r->headers[i].name);
        buf_slice(out, S(": "));
        add_line_part(out, r->headers[i].value);
        buf_slice(out, S("\r\n"));
    }
    if (form->chunked) {
        buf_slice(out, S("Transfer-Encoding: chunked\r\n"));
    } else if (!form->endless && !answer_is_bare(r->status)) {
        buf_slice(out, S("Content-Length: "));
        buf_u64(out, form->length);
        buf_slice(out, S("\r\n"));
    }
    if (!r->no_date)
        buf_slice(out, date_now());
    buf_slice(out, form->close ? S("Connection: close\r\n\r\n") : S("\r\n"));
}
