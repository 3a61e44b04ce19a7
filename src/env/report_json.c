#include "env/report_json.h"

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

void report_milliseconds(struct buf *out, uint64_t ns)
{
    uint64_t hundredths = (ns + 5000) / 10000;
    buf_u64(out, hundredths / 100);
    buf_char(out, '.');
    buf_char(out, (char)('0' + hundredths / 10 % 10));
    buf_char(out, (char)('0' + hundredths % 10));
}

void report_time(char out[REPORT_TIME_LEN + 1], uint64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, REPORT_TIME_LEN + 1, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, REPORT_TIME_LEN + 1 - n, ".%03uZ", (unsigned)(unix_ms % 1000));
}

static void quote_odd(struct buf *out, unsigned char c)
{
    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c == '\n')
        buf_slice(out, S("\\n"));
    else if (c == '\t')
        buf_slice(out, S("\\t"));
    else if (c < 0x20)
        buf_printf(out, "\\u%04x", c);
    else
        buf_slice(out, S("\xef\xbf\xbd"));
}

/* How many bytes at the front stay as they are. */
static size_t plain(struct slice s)
{
    size_t n = 0;
    while (n < s.n) {
        unsigned char c = (unsigned char)s.p[n];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        size_t step = c < 0x80 ? 1 : slice_utf8(slice_sub(s, n, s.n));
        if (step == 0)
            break;
        n += step;
    }
    return n;
}

void report_quote(struct buf *out, struct slice s)
{
    buf_char(out, '"');
    while (s.n) {
        size_t n = plain(s);
        buf_add(out, s.p, n);
        if (n < s.n)
            quote_odd(out, (unsigned char)s.p[n++]);
        s = slice_sub(s, n, s.n);
    }
    buf_char(out, '"');
}

const char *report_status_name(enum report_status status)
{
    static const char *const names[] = {"success", "failure", "error", "timeout"};
    return names[status];
}

void report_json_begin(struct buf *out, uint64_t unix_ms, struct slice type)
{
    char when[REPORT_TIME_LEN + 1];
    report_time(when, unix_ms);
    buf_printf(out, "{\"time\":\"%s\",\"type\":\"%.*s\",\"record\":", when, FMT(type));
}

void report_json_end(struct buf *out)
{
    buf_slice(out, S("}\n"));
}

void report_json_open(struct buf *out, const char *type)
{
    char name[64];
    snprintf(name, sizeof name, "platform.%s", type);
    report_json_begin(out, clock_wall_ms(), slice_str(name));
    buf_char(out, '{');
}

void report_json_key(struct buf *out, const char *key)
{
    if (out->n && out->p[out->n - 1] != '{')
        buf_char(out, ',');
    buf_printf(out, "\"%s\":", key);
}

void report_json_field(struct buf *out, const char *key, struct slice value)
{
    if (!value.p)
        return;
    report_json_key(out, key);
    report_quote(out, value);
}

void report_json_outcome(struct buf *out, enum report_status status, struct slice error_type)
{
    report_json_field(out, "status", slice_str(report_status_name(status)));
    if (status == REPORT_ERROR || status == REPORT_FAILURE)
        report_json_field(out, "errorType", error_type);
}

void report_json_items(struct buf *out, const char *key, const struct report *report)
{
    report_json_key(out, key);
    buf_char(out, '[');
    for (size_t i = 0; i < report->item_count; i++) {
        if (i)
            buf_char(out, ',');
        report_quote(out, report->items[i]);
    }
    buf_char(out, ']');
}

void report_json_spans(struct buf *out, const struct report *report)
{
    for (size_t i = 0; i < report->span_count; i++) {
        const struct report_span *span = &report->spans[i];
        char start[REPORT_TIME_LEN + 1];
        report_time(start, span->start_ms);
        buf_slice(out, i ? S(",") : S(",\"spans\":["));
        buf_printf(out, "{\"name\":\"%s\",\"start\":\"%s\",\"durationMs\":", span->name, start);
        report_milliseconds(out, span->duration_ns);
        buf_char(out, '}');
    }
    if (report->span_count)
        buf_char(out, ']');
}

void report_json_tracing(struct buf *out, const struct report *report)
{
    if (!report->trace.n)
        return;
    buf_slice(out, S(",\"tracing\":{\"type\":\"X-Amzn-Trace-Id\",\"value\":"));
    report_quote(out, report->trace);
    buf_char(out, '}');
}

void report_json_close(struct buf *out)
{
    buf_slice(out, S("}}\n"));
}
