#include "env/report.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* "12.34 ms": rounded as printf would, but without floating point. */
static void milliseconds(struct buf *out, uint64_t ns)
{
    uint64_t hundredths = (ns + 5000) / 10000;
    buf_u64(out, hundredths / 100);
    buf_char(out, '.');
    buf_char(out, (char)('0' + hundredths / 10 % 10));
    buf_char(out, (char)('0' + hundredths % 10));
}

static uint64_t billed_ms(const struct report_call *call)
{
    return (call->duration_ns + call->init_ns + 999999) / 1000000;
}

void report_time(char out[REPORT_TIME_LEN + 1], uint64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, REPORT_TIME_LEN + 1, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, REPORT_TIME_LEN + 1 - n, ".%03uZ", (unsigned)(unix_ms % 1000));
}

void report_quote(struct buf *out, struct slice s)
{
    buf_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_slice(out, S("\\n"));
        else if (c == '\t')
            buf_slice(out, S("\\t"));
        else if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_char(out, (char)c);
    }
    buf_char(out, '"');
}

void report_error_document(struct buf *out, struct slice type, struct slice request_id,
                           struct slice text)
{
    AUTO(buf) struct buf message = BUF_INIT(4096);
    if (request_id.n)
        buf_printf(&message, "RequestId: %.*s ", FMT(request_id));
    buf_printf(&message, "Error: %.*s", FMT(text));
    buf_slice(out, S("{\"errorType\":"));
    report_quote(out, type);
    buf_slice(out, S(",\"errorMessage\":"));
    report_quote(out, buf_all(&message));
    buf_char(out, '}');
}

static const char *status_name(enum report_status status)
{
    static const char *const names[] = {"success", "failure", "error", "timeout"};
    return names[status];
}

static bool passes(const struct report_style *style, enum report_level level)
{
    return !style->json || level >= style->floor;
}

static void json_open(struct buf *out, const char *type)
{
    char now[REPORT_TIME_LEN + 1];
    report_time(now, clock_wall_ms());
    buf_printf(out, "{\"time\":\"%s\",\"type\":\"platform.%s\",\"record\":{", now, type);
}

static void json_field(struct buf *out, const char *key, struct slice value)
{
    if (!value.p)
        return;
    if (out->n && out->p[out->n - 1] != '{')
        buf_char(out, ',');
    buf_printf(out, "\"%s\":", key);
    report_quote(out, value);
}

static void json_outcome(struct buf *out, enum report_status status, struct slice error_type)
{
    json_field(out, "status", slice_str(status_name(status)));
    if (status == REPORT_ERROR || status == REPORT_FAILURE)
        json_field(out, "errorType", error_type);
}

static void json_close(struct buf *out)
{
    buf_slice(out, S("}}\n"));
}

static struct slice phase(const struct report_init *init)
{
    return init->again ? S("invoke") : S("init");
}

void report_init_start(struct buf *out, const struct report_style *style,
                       const struct report_init *init)
{
    if (!passes(style, init->runtime.p ? REPORT_INFO : REPORT_DEBUG))
        return;
    if (style->json) {
        json_open(out, "initStart");
        json_field(out, "initializationType", S("on-demand"));
        json_field(out, "phase", phase(init));
        json_field(out, "runtimeVersion", init->runtime);
        json_field(out, "runtimeVersionArn", init->arn);
        json_field(out, "functionName", init->function);
        json_field(out, "functionVersion", init->version);
        buf_printf(out, ",\"instanceMaxMemory\":%" PRIu64, (uint64_t)init->memory_mb << 20);
        json_close(out);
        return;
    }
    if (init->again)
        return;
    buf_slice(out, S("INIT_START"));
    if (init->runtime.p)
        buf_printf(out, " Runtime Version: %.*s", FMT(init->runtime));
    if (init->arn.p)
        buf_printf(out, "\tRuntime Version ARN: %.*s", FMT(init->arn));
    buf_char(out, '\n');
}

/* Ours: AWS has every version that it offers. */
void report_nearest(struct buf *out, const struct report_style *style, struct slice runtime,
                    struct slice interpreter)
{
    if (!style->json) {
        buf_printf(out, "LAMBKIN_WARNING this host has no %.*s: %.*s runs the function\n",
                   FMT(runtime), FMT(interpreter));
        return;
    }
    if (!passes(style, REPORT_WARN))
        return;
    json_open(out, "lambkinWarning");
    json_field(out, "runtime", runtime);
    json_field(out, "interpreter", interpreter);
    json_close(out);
}

void report_init_done(struct buf *out, const struct report_style *style,
                      const struct report_init *init)
{
    if (!style->json || !passes(style, init->status ? REPORT_WARN : REPORT_DEBUG))
        return;
    json_open(out, "initRuntimeDone");
    json_field(out, "initializationType", S("on-demand"));
    json_field(out, "phase", phase(init));
    json_outcome(out, init->status, init->error_type);
    json_close(out);
}

void report_init_report(struct buf *out, const struct report_style *style,
                        const struct report_init *init)
{
    if (!passes(style, init->status ? REPORT_WARN : REPORT_DEBUG))
        return;
    if (style->json) {
        json_open(out, "initReport");
        json_field(out, "initializationType", S("on-demand"));
        json_field(out, "phase", phase(init));
        json_outcome(out, init->status, init->error_type);
        buf_slice(out, S(",\"metrics\":{\"durationMs\":"));
        milliseconds(out, init->duration_ns);
        buf_char(out, '}');
        json_close(out);
        return;
    }
    if (init->status == REPORT_SUCCESS)
        return; /* text logs show it for provisioned concurrency and snapshots only */
    buf_slice(out, S("INIT_REPORT Init Duration: "));
    milliseconds(out, init->duration_ns);
    buf_printf(out, " ms\tPhase: %.*s\tStatus: %s", FMT(phase(init)), status_name(init->status));
    if (init->status == REPORT_ERROR)
        buf_printf(out, "\tError Type: %.*s", FMT(init->error_type));
    buf_char(out, '\n');
}

void report_start(struct buf *out, const struct report_style *style, const struct report_call *call)
{
    if (!passes(style, REPORT_INFO))
        return;
    if (style->json) {
        json_open(out, "start");
        json_field(out, "requestId", call->request_id);
        json_field(out, "version", call->version);
        json_close(out);
        return;
    }
    buf_slice(out, S("START RequestId: "));
    buf_slice(out, call->request_id);
    buf_slice(out, S(" Version: "));
    buf_slice(out, call->version);
    buf_char(out, '\n');
}

void report_timeout(struct buf *out, const struct report_style *style,
                    const struct report_call *call)
{
    if (style->json)
        return; /* runtimeDone and report carry the status */
    char now[REPORT_TIME_LEN + 1];
    report_time(now, clock_wall_ms());
    buf_printf(out, "%s %.*s Task timed out after %" PRIu32 ".00 seconds\n\n", now,
               FMT(call->request_id), call->timeout_s);
}

void report_crash(struct buf *out, const struct report_style *style, const struct report_call *call,
                  struct slice text, struct slice type)
{
    if (style->json)
        return;
    buf_printf(out, "RequestId: %.*s Error: %.*s\n%.*s\n", FMT(call->request_id), FMT(text),
               FMT(type));
}

void report_end(struct buf *out, const struct report_style *style, const struct report_call *call)
{
    if (!style->json) {
        buf_slice(out, S("END RequestId: "));
        buf_slice(out, call->request_id);
        buf_char(out, '\n');
        return;
    }
    if (!passes(style, call->status ? REPORT_WARN : REPORT_DEBUG))
        return;
    json_open(out, "runtimeDone");
    json_field(out, "requestId", call->request_id);
    json_outcome(out, call->status, call->error_type);
    buf_slice(out, S(",\"metrics\":{\"durationMs\":"));
    milliseconds(out, call->duration_ns);
    buf_printf(out, ",\"producedBytes\":%zu}", call->produced);
    json_close(out);
}

static void json_report(struct buf *out, const struct report_call *call)
{
    json_open(out, "report");
    json_field(out, "requestId", call->request_id);
    buf_slice(out, S(",\"metrics\":{\"durationMs\":"));
    milliseconds(out, call->duration_ns);
    buf_printf(out,
               ",\"billedDurationMs\":%" PRIu64 ",\"memorySizeMB\":%" PRIu32
               ",\"maxMemoryUsedMB\":%" PRIu32,
               billed_ms(call), call->memory_mb, call->peak_mb);
    if (call->init_ns) {
        buf_slice(out, S(",\"initDurationMs\":"));
        milliseconds(out, call->init_ns);
    }
    buf_char(out, '}');
    json_outcome(out, call->status, call->error_type);
    json_close(out);
}

void report_report(struct buf *out, const struct report_style *style,
                   const struct report_call *call)
{
    if (!passes(style, call->status ? REPORT_WARN : REPORT_INFO))
        return;
    if (style->json) {
        json_report(out, call);
        return;
    }
    buf_slice(out, S("REPORT RequestId: "));
    buf_slice(out, call->request_id);
    buf_slice(out, S("\tDuration: "));
    milliseconds(out, call->duration_ns);
    buf_slice(out, S(" ms\tBilled Duration: "));
    buf_u64(out, billed_ms(call));
    buf_slice(out, S(" ms\tMemory Size: "));
    buf_u64(out, call->memory_mb);
    buf_slice(out, S(" MB\tMax Memory Used: "));
    buf_u64(out, call->peak_mb);
    buf_slice(out, S(" MB\t"));
    if (call->init_ns) {
        buf_slice(out, S("Init Duration: "));
        milliseconds(out, call->init_ns);
        buf_slice(out, S(" ms\t"));
    }
    if (call->status == REPORT_TIMEOUT)
        buf_slice(out, S("Status: timeout"));
    else if (call->status == REPORT_ERROR)
        buf_printf(out, "Status: error\tError Type: %.*s", FMT(call->error_type));
    buf_char(out, '\n');
}
