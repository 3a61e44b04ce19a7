/* The platform's own log lines, to the byte (dataplane.md 3.2), and their JSON forms (3.4, 3.7).
 * Each function appends one event to `out`, or nothing where the format or level has none. */
#ifndef LK_REPORT_H
#define LK_REPORT_H

#include "base/buf.h"

enum report_level { REPORT_DEBUG, REPORT_INFO, REPORT_WARN };

struct report_style {
    bool json;
    enum report_level floor; /* SystemLogLevel; text has no levels */
};

enum report_status {
    REPORT_SUCCESS,
    REPORT_FAILURE, /* the handler reported an error itself */
    REPORT_ERROR,   /* the platform saw a crash */
    REPORT_TIMEOUT,
};

struct report_init {
    bool again;            /* under an invocation ("invoke"), not ahead of it ("init") */
    struct slice function; /* name */
    struct slice version;  /* "$LATEST" */
    struct slice runtime;  /* "python:3.13.v1"; absent if unknown */
    struct slice arn;      /* of the runtime version; absent if unknown */
    uint32_t memory_mb;
    uint64_t duration_ns; /* from here on: once it is over */
    enum report_status status;
    struct slice error_type; /* absent unless status is ERROR */
};

void report_init_start(struct buf *out, const struct report_style *style,
                       const struct report_init *init);
/* platform.initRuntimeDone and INIT_REPORT; the text form has it for failures only. */
void report_nearest(struct buf *out, const struct report_style *style, struct slice runtime,
                    struct slice interpreter);
void report_init_done(struct buf *out, const struct report_style *style,
                      const struct report_init *init);
void report_init_report(struct buf *out, const struct report_style *style,
                        const struct report_init *init);

struct report_call {
    struct slice request_id;
    struct slice version;
    uint64_t duration_ns;
    uint64_t init_ns; /* 0 = no cold start */
    uint32_t memory_mb;
    uint32_t peak_mb;
    uint32_t timeout_s;
    size_t produced; /* bytes of the response */
    enum report_status status;
    struct slice error_type; /* absent unless status is FAILURE or ERROR */
};

void report_start(struct buf *out, const struct report_style *style,
                  const struct report_call *call);
void report_timeout(struct buf *out, const struct report_style *style,
                    const struct report_call *call);
void report_crash(struct buf *out, const struct report_style *style, const struct report_call *call,
                  struct slice text, struct slice type);
void report_end(struct buf *out, const struct report_style *style, const struct report_call *call);
void report_report(struct buf *out, const struct report_style *style,
                   const struct report_call *call);

/* "2024-03-04T17:22:38.033Z" */
enum { REPORT_TIME_LEN = 24 };
void report_time(char out[REPORT_TIME_LEN + 1], uint64_t unix_ms);

/* A JSON string with its quotes. */
void report_quote(struct buf *out, struct slice s);

/* {"errorType":"<type>","errorMessage":"RequestId: <id> Error: <text>"} (1.9); without an id the
 * message begins with "Error: ". */
void report_error_document(struct buf *out, struct slice type, struct slice request_id,
                           struct slice text);

#endif
