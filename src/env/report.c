#include "env/report.h"

#include "base/clock.h"
#include "base/mem.h"
#include "env/report_json.h"

#include <inttypes.h>

static uint64_t billed_ms(const struct report *call)
{
    return (call->duration_ns + call->init_ns + 999999) / 1000000;
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

static bool is_text(const struct report_style *style)
{
    return style->form == REPORT_TEXT;
}

static bool is_logs_api(const struct report_style *style)
{
    return style->form == REPORT_FORM_LOGS_2020 || style->form == REPORT_FORM_LOGS_2021;
}

static bool passes(const struct report_style *style, enum report_level level)
{
    return is_text(style) || level >= style->floor;
}

/* ---- an init: the Logs API has none of it ---- */

static struct slice phase(const struct report *init)
{
    return init->again ? S("invoke") : S("init");
}

static void open_init(struct buf *out, const char *type, const struct report *init)
{
    report_json_open(out, type);
    report_json_field(out, "initializationType",
                      init->provisioned ? S("provisioned-concurrency") : S("on-demand"));
    report_json_field(out, "phase", phase(init));
}

void report_init_start(struct buf *out, const struct report_style *style, const struct report *init)
{
    if (is_logs_api(style) || !passes(style, init->runtime.p ? REPORT_INFO : REPORT_DEBUG))
        return;
    if (!is_text(style)) {
        open_init(out, "initStart", init);
        report_json_field(out, "runtimeVersion", init->runtime);
        report_json_field(out, "runtimeVersionArn", init->arn);
        report_json_field(out, "functionName", init->function);
        report_json_field(out, "functionVersion", init->version);
        buf_printf(out, ",\"instanceMaxMemory\":%" PRIu64, (uint64_t)init->memory_mb << 20);
        report_json_close(out);
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

/* Ours: AWS has every version that it offers. Not for subscribers, who know AWS's events only. */
void report_nearest(struct buf *out, const struct report_style *style, const struct report *init)
{
    if (is_text(style)) {
        buf_printf(out, "LAMBKIN_WARNING this host has no %.*s: %.*s runs the function\n",
                   FMT(init->runtime), FMT(init->interpreter));
        return;
    }
    if (!passes(style, REPORT_WARN))
        return;
    report_json_open(out, "lambkinWarning");
    report_json_field(out, "runtime", init->runtime);
    report_json_field(out, "interpreter", init->interpreter);
    report_json_close(out);
}

void report_init_done(struct buf *out, const struct report_style *style, const struct report *init)
{
    if (is_text(style) || is_logs_api(style) ||
        !passes(style, init->status ? REPORT_WARN : REPORT_DEBUG))
        return;
    open_init(out, "initRuntimeDone", init);
    report_json_outcome(out, init->status, init->error_type);
    report_json_close(out);
}

void report_init_report(struct buf *out, const struct report_style *style,
                        const struct report *init)
{
    if (is_logs_api(style) || !passes(style, init->status ? REPORT_WARN : REPORT_DEBUG))
        return;
    if (!is_text(style)) {
        open_init(out, "initReport", init);
        if (style->form != REPORT_FORM_2022_07)
            report_json_outcome(out, init->status, init->error_type);
        buf_slice(out, S(",\"metrics\":{\"durationMs\":"));
        report_milliseconds(out, init->duration_ns);
        buf_char(out, '}');
        report_json_close(out);
        return;
    }
    if (init->status == REPORT_SUCCESS && !init->provisioned) /* dataplane.md 3.2 */
        return;
    buf_slice(out, S("INIT_REPORT Init Duration: "));
    report_milliseconds(out, init->duration_ns);
    buf_printf(out, " ms\tPhase: %.*s\tStatus: %s", FMT(phase(init)),
               report_status_name(init->status));
    if (init->status == REPORT_ERROR)
        buf_printf(out, "\tError Type: %.*s", FMT(init->error_type));
    buf_char(out, '\n');
}

/* ---- extensions ---- */

/* "[Platform, Function]", "[INVOKE, SHUTDOWN]" */
static void text_items(struct buf *out, const struct report *report)
{
    buf_char(out, '[');
    for (size_t i = 0; i < report->item_count; i++) {
        struct slice item = report->items[i];
        char first = item.n ? item.p[0] : ' ';
        if (i)
            buf_slice(out, S(", "));
        buf_char(out, first >= 'a' && first <= 'z' ? (char)(first - 'a' + 'A') : first);
        buf_slice(out, slice_sub(item, 1, item.n));
    }
    buf_char(out, ']');
}

void report_extension(struct buf *out, const struct report_style *style,
                      const struct report *report)
{
    if (!passes(style, report->error_type.p ? REPORT_WARN : REPORT_INFO))
        return;
    if (!is_text(style)) {
        report_json_open(out, "extension");
        report_json_field(out, "name", report->name);
        report_json_field(out, "state", report->state);
        report_json_items(out, "events", report);
        report_json_field(out, "errorType", report->error_type);
        report_json_close(out);
        return;
    }
    buf_printf(out, "EXTENSION\tName: %.*s\tState: %.*s\tEvents: ", FMT(report->name),
               FMT(report->state));
    text_items(out, report);
    if (report->error_type.p)
        buf_printf(out, "\tError Type: %.*s", FMT(report->error_type));
    buf_char(out, '\n');
}

static void subscription(struct buf *out, const struct report_style *style, const char *word,
                         const char *type, const struct report *report)
{
    if (!passes(style, REPORT_INFO))
        return;
    if (is_text(style)) {
        buf_printf(out, "%s\tName: %.*s\tState: %.*s\tTypes: ", word, FMT(report->name),
                   FMT(report->state));
        text_items(out, report);
        buf_char(out, '\n');
        return;
    }
    report_json_open(out, type);
    report_json_field(out, "name", report->name);
    report_json_field(out, "state", report->state);
    report_json_items(out, "types", report);
    report_json_close(out);
}

void report_telemetry_subscription(struct buf *out, const struct report_style *style,
                                   const struct report *report)
{
    subscription(out, style, "TELEMETRY", "telemetrySubscription", report);
}

void report_logs_subscription(struct buf *out, const struct report_style *style,
                              const struct report *report)
{
    subscription(out, style, "LOGS", "logsSubscription", report);
}

void report_logs_dropped(struct buf *out, const struct report_style *style,
                         const struct report *report)
{
    if (is_text(style))
        return;
    report_json_open(out, "logsDropped");
    report_json_field(out, "reason", report->reason);
    buf_printf(out, ",\"droppedRecords\":%" PRIu64 ",\"droppedBytes\":%" PRIu64,
               report->dropped_records, report->dropped_bytes);
    report_json_close(out);
}

/* ---- an invocation ---- */

void report_start(struct buf *out, const struct report_style *style, const struct report *call)
{
    if (!passes(style, REPORT_INFO))
        return;
    if (!is_text(style)) {
        report_json_open(out, "start");
        report_json_field(out, "requestId", call->request_id);
        report_json_field(out, "version", call->version);
        if (!is_logs_api(style))
            report_json_tracing(out, call);
        report_json_close(out);
        return;
    }
    buf_slice(out, S("START RequestId: "));
    buf_slice(out, call->request_id);
    buf_slice(out, S(" Version: "));
    buf_slice(out, call->version);
    buf_char(out, '\n');
}

void report_timeout(struct buf *out, const struct report_style *style, const struct report *call)
{
    if (!is_text(style))
        return; /* runtimeDone and report carry the status */
    char now[REPORT_TIME_LEN + 1];
    report_time(now, clock_wall_ms());
    buf_printf(out, "%s %.*s Task timed out after %" PRIu32 ".00 seconds\n\n", now,
               FMT(call->request_id), call->timeout_s);
}

void report_crash(struct buf *out, const struct report_style *style, const struct report *call)
{
    AUTO(buf) struct buf text = BUF_INIT(4096);
    buf_printf(&text, "RequestId: %.*s Error: %.*s\n%.*s\n", FMT(call->request_id),
               FMT(call->crash), FMT(call->crash_type));
    if (is_text(style)) {
        buf_slice(out, buf_all(&text));
    } else if (is_logs_api(style)) {
        report_json_begin(out, clock_wall_ms(), S("platform.fault"));
        report_quote(out, slice_sub(buf_all(&text), 0, text.n - 1));
        report_json_end(out);
    }
}

void report_runtime_done(struct buf *out, const struct report_style *style,
                         const struct report *call)
{
    if (is_text(style) || style->form == REPORT_FORM_LOGS_2020 ||
        !passes(style, call->status ? REPORT_WARN : REPORT_DEBUG))
        return;
    report_json_open(out, "runtimeDone");
    report_json_field(out, "requestId", call->request_id);
    report_json_field(out, "status", slice_str(report_status_name(call->status)));
    if (!is_logs_api(style)) {
        if (call->status == REPORT_ERROR || call->status == REPORT_FAILURE)
            report_json_field(out, "errorType", call->error_type);
        buf_slice(out, S(",\"metrics\":{\"durationMs\":"));
        report_milliseconds(out, call->duration_ns);
        buf_printf(out, ",\"producedBytes\":%zu}", call->produced);
        report_json_spans(out, call);
        report_json_tracing(out, call);
    }
    report_json_close(out);
}

void report_end(struct buf *out, const struct report_style *style, const struct report *call)
{
    if (is_text(style)) {
        buf_slice(out, S("END RequestId: "));
        buf_slice(out, call->request_id);
        buf_char(out, '\n');
    } else if (is_logs_api(style)) {
        report_json_open(out, "end");
        report_json_field(out, "requestId", call->request_id);
        report_json_close(out);
    }
}

static void json_report(struct buf *out, const struct report_style *style,
                        const struct report *call)
{
    report_json_open(out, "report");
    report_json_field(out, "requestId", call->request_id);
    buf_slice(out, S(",\"metrics\":{\"durationMs\":"));
    report_milliseconds(out, call->duration_ns);
    buf_printf(out,
               ",\"billedDurationMs\":%" PRIu64 ",\"memorySizeMB\":%" PRIu32
               ",\"maxMemoryUsedMB\":%" PRIu32,
               billed_ms(call), call->memory_mb, call->peak_mb);
    if (call->init_ns) {
        buf_slice(out, S(",\"initDurationMs\":"));
        report_milliseconds(out, call->init_ns);
    }
    buf_char(out, '}');
    if (!is_logs_api(style)) {
        report_json_outcome(out, call->status, call->error_type);
        report_json_spans(out, call);
        report_json_tracing(out, call);
    }
    report_json_close(out);
}

void report_report(struct buf *out, const struct report_style *style, const struct report *call)
{
    if (!passes(style, call->status ? REPORT_WARN : REPORT_INFO))
        return;
    if (!is_text(style)) {
        json_report(out, style, call);
        return;
    }
    buf_slice(out, S("REPORT RequestId: "));
    buf_slice(out, call->request_id);
    buf_slice(out, S("\tDuration: "));
    report_milliseconds(out, call->duration_ns);
    buf_slice(out, S(" ms\tBilled Duration: "));
    buf_u64(out, billed_ms(call));
    buf_slice(out, S(" ms\tMemory Size: "));
    buf_u64(out, call->memory_mb);
    buf_slice(out, S(" MB\tMax Memory Used: "));
    buf_u64(out, call->peak_mb);
    buf_slice(out, S(" MB\t"));
    if (call->init_ns) {
        buf_slice(out, S("Init Duration: "));
        report_milliseconds(out, call->init_ns);
        buf_slice(out, S(" ms\t"));
    }
    if (call->status == REPORT_TIMEOUT)
        buf_slice(out, S("Status: timeout"));
    else if (call->status == REPORT_ERROR)
        buf_printf(out, "Status: error\tError Type: %.*s", FMT(call->error_type));
    buf_char(out, '\n');
}
