/* How an init or an invocation ended, in Lambda's words (dataplane.md 1.9). */
#ifndef LK_OUTCOME_H
#define LK_OUTCOME_H

#include "env/report.h"
#include "env/runtime_api.h"
#include "launch/proto.h"

struct outcome {
    enum report_status status;
    char type[RUNTIME_API_TYPE_MAX + 1]; /* "Runtime.ExitError"; "" for success */
    char text[200];                      /* "Runtime exited with error: exit status 1" */
    char logged[64]; /* type in REPORT where it differs from the one the invoker sees; else "" */
    bool crash_line; /* the log gets "RequestId: <id> Error: <text>" */
};

struct outcome outcome_success(void);
struct outcome outcome_exit(int wait_status, bool out_of_memory);
struct outcome outcome_timeout(uint32_t timeout_s);
struct outcome outcome_failure(struct slice type, struct slice text); /* platform's own: ERROR */
struct outcome outcome_handler(struct slice type); /* the runtime reported it: FAILURE */

/* An external extension ended, although nobody told it to. `posted` is the type of an error that
 * was reported before, NULL: none was. */
struct outcome outcome_extension_exit(int wait_status, const char *posted);
struct outcome outcome_extension_not_started(int os, struct slice step, const char *name);

/* The payload could not be started; `path` is what was executed, "" = no bootstrap was found. */
struct outcome outcome_not_started(int os, struct slice step, struct slice path);

/* What the invoker gets for an answer that cannot be passed on (too large, truncated, ...). */
struct outcome outcome_answer(const struct runtime_answer *answer);

struct slice outcome_logged_type(const struct outcome *outcome);

/* Writes the invoker's document: usually report_error_document(). */
void outcome_document(const struct outcome *outcome, struct slice request_id, struct buf *out);

#endif
