/* What one environment writes: its stdout and stderr, its framed log pipe and the platform's own
 * lines become events of one log stream. Reads a bounded amount per turn of the loop, so a flood
 * fills the function's own pipe and nothing else. */
#ifndef LK_LOGS_H
#define LK_LOGS_H

#include "base/buf.h"
#include "base/err.h"
#include "env/report.h"
#include "model/function.h"

#include <uv.h>

enum { LOGS_TAIL_MAX = 4096 };

struct logs;
struct log_store;
struct telemetry;

/* The pipes of one sandbox, [0] output, [1] frames. */
bool logs_make_pipes(int out_read[2], int out_write[2], struct err *err) MUST_USE;

struct logs *logs_open(struct log_store *store, const struct function *fn);
/* Once: what comes out of these pipes. Their reading ends become the logs'. */
void logs_attach(struct logs *logs, uv_loop_t *loop, int fds[2]);
/* What external extensions write to: one pipe for all of them, made when it is asked for first. The
 * descriptor stays the logs'. -1: failed. */
int logs_extensions_out(struct logs *logs, uv_loop_t *loop, struct err *err);
void logs_close(struct logs *logs); /* reads what is still in the pipes first; NULL is fine */

struct slice logs_group(const struct logs *logs);  /* AWS_LAMBDA_LOG_GROUP_NAME */
struct slice logs_stream(const struct logs *logs); /* AWS_LAMBDA_LOG_STREAM_NAME */
const struct report_style *logs_style(const struct logs *logs);

/* What is written is told there, too, whatever its level; NULL: to nobody (any more). */
void logs_listen(struct logs *logs, struct telemetry *telemetry);
struct telemetry *logs_telemetry(const struct logs *logs);

/* One event of the platform; an empty one is none. */
void logs_system(struct logs *logs, struct slice event);

/* Everything from begin to end goes into `tail` too, of which the last 4 KB stay. */
void logs_tail_begin(struct logs *logs);
void logs_tail_end(struct logs *logs, struct buf *tail);

/* An invocation is over: what it wrote is in the log when this returns, and so is a last line
 * without a newline. */
void logs_settle(struct logs *logs);

/* The processes are gone, others will write: half a frame is thrown away. */
void logs_new_run(struct logs *logs);

#endif
