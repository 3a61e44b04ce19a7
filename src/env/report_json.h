/* The JSON of the platform's events, piece by piece: {"time":...,"type":...,"record":...}. */
#ifndef LK_REPORT_JSON_H
#define LK_REPORT_JSON_H

#include "env/report.h"

/* "12.34": rounded as printf would, but without floating point. */
void report_milliseconds(struct buf *out, uint64_t ns);
const char *report_status_name(enum report_status status);

/* A record that is an object; the members between are "key":value with commas as needed. */
void report_json_open(struct buf *out, const char *type); /* "platform.<type>", of now */
void report_json_field(struct buf *out, const char *key, struct slice value); /* absent: none */
void report_json_key(struct buf *out, const char *key);
void report_json_outcome(struct buf *out, enum report_status status, struct slice error_type);
void report_json_items(struct buf *out, const char *key, const struct report *report);
void report_json_spans(struct buf *out, const struct report *report);   /* none: nothing */
void report_json_tracing(struct buf *out, const struct report *report); /* none: nothing */
void report_json_close(struct buf *out);

/* {"time":...,"type":"<type>","record": and the end of it, for a record of any kind. */
void report_json_begin(struct buf *out, uint64_t unix_ms, struct slice type);
void report_json_end(struct buf *out);

#endif
