/* What the platform itself says, to the byte: its lines in the log (dataplane.md 3.2), the same as
 * JSON (3.4), and the events of the Telemetry API and the Logs API (3.7). Each writer appends what
 * its moment has in the wanted form, each record a line, or nothing where form or level has none.
 */
#ifndef LK_REPORT_H
#define LK_REPORT_H

#include "base/buf.h"

enum report_level { REPORT_DEBUG, REPORT_INFO, REPORT_WARN };

enum report_form {
    REPORT_TEXT,
    REPORT_JSON,         /* JSON logs, and Telemetry's schemas from 2022-12-13 on */
    REPORT_FORM_2022_07, /* Telemetry's first schema: no status in initReport, lines as text */
    REPORT_FORM_LOGS_2020,
    REPORT_FORM_LOGS_2021, /* with platform.runtimeDone */
    REPORT_FORMS,
};

struct report_style {
    enum report_form form;
    enum report_level floor; /* SystemLogLevel; text has no levels */
};

enum report_status {
    REPORT_SUCCESS,
    REPORT_FAILURE, /* the handler reported an error itself */
    REPORT_ERROR,   /* the platform saw a crash */
    REPORT_TIMEOUT,
};

enum { REPORT_ITEMS_MAX = 3, REPORT_SPANS_MAX = 3 };

/* A part of an invocation; 0 long is one, too. */
struct report_span {
    const char *name;  /* "responseLatency" */
    uint64_t start_ms; /* Unix */
    uint64_t duration_ns;
};

/* What there is to say; each writer looks at what its line has. Absent and 0: not known. */
struct report {
    struct slice function; /* name */
    struct slice version;  /* "$LATEST" */
    uint32_t memory_mb;
    uint32_t timeout_s;
    uint64_t duration_ns;
    uint64_t init_ns; /* of an invocation with a cold start */
    enum report_status status;
    struct slice error_type; /* absent unless status is FAILURE or ERROR */

    bool again;               /* an init under an invocation ("invoke"), not ahead of it ("init") */
    bool provisioned;         /* of provisioned concurrency */
    struct slice runtime;     /* "python:3.13.v1" */
    struct slice arn;         /* of the runtime version */
    struct slice interpreter; /* which one stands in */

    struct slice request_id;
    struct slice trace; /* "Root=...;Parent=...;Sampled=1" */
    uint32_t peak_mb;
    size_t produced; /* bytes of the response */
    struct report_span spans[REPORT_SPANS_MAX];
    size_t span_count;
    struct slice crash, crash_type; /* "Runtime exited ...", "Runtime.ExitError" */

    struct slice name;                    /* of an extension */
    struct slice state;                   /* "Ready", "Subscribed" */
    struct slice items[REPORT_ITEMS_MAX]; /* its events, or the types that it subscribed to */
    size_t item_count;

    struct slice reason; /* why records were dropped */
    uint64_t dropped_records, dropped_bytes;
};

typedef void report_writer(struct buf *out, const struct report_style *style,
                           const struct report *report);

report_writer report_init_start;
report_writer report_nearest;
report_writer report_init_done; /* the runtime's part of an init */
report_writer report_init_report;
report_writer report_extension;
report_writer report_telemetry_subscription;
report_writer report_logs_subscription;
report_writer report_start;
report_writer report_timeout;
report_writer report_crash;
report_writer report_runtime_done; /* the runtime is done, extensions may work on */
report_writer report_end;          /* with report_report: all are done */
report_writer report_report;
report_writer report_logs_dropped;

/* {"errorType":"<type>","errorMessage":"RequestId: <id> Error: <text>"} (1.9); without an id the
 * message begins with "Error: ". */
void report_error_document(struct buf *out, struct slice type, struct slice request_id,
                           struct slice text);

/* "2024-03-04T17:22:38.033Z" */
enum { REPORT_TIME_LEN = 24 };
void report_time(char out[REPORT_TIME_LEN + 1], uint64_t unix_ms);

/* A JSON string with its quotes; what is no UTF-8 in it becomes U+FFFD. */
void report_quote(struct buf *out, struct slice s);

#endif
