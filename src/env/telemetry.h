/* The Telemetry API and the Logs API of one environment: who has subscribed, and what there is to
 * tell them (dataplane.md 3.7, 3.8).
 *
 * Events come from the journal (what the platform says) and from the logs (what function and
 * extensions write). Extensions subscribe while an init goes on; what has happened since it began
 * is kept for them until it ends, as Lambda does. After that an environment without subscribers
 * costs a branch per event.
 *
 * A reset kills the subscribers' processes. A subscription stays, with what was not delivered, if
 * the extension subscribes again in the init that follows. */
#ifndef LK_TELEMETRY_H
#define LK_TELEMETRY_H

#include "env/frames.h"
#include "env/subscription.h"

#include <uv.h>

enum {
    TELEMETRY_SUBSCRIBERS_MAX = 10,       /* AWS: as many extensions */
    TELEMETRY_BACKLOG_MAX = 262144,       /* bytes of an init's events; what comes above is lost */
    TELEMETRY_LINE_MAX = 6 * 262144 + 512 /* the longest line, each byte of it as \u0000 */
};

struct telemetry;

/* A connection to that port of the sandbox is wanted: telemetry_connected() follows. */
typedef void telemetry_connect(void *arg, uint32_t ticket, uint16_t port);

/* `json`: the function's LogFormat, which lines become objects in. */
struct telemetry *telemetry_new(uv_loop_t *loop, bool json, telemetry_connect *connect, void *arg);
void telemetry_free(struct telemetry *telemetry); /* NULL is fine */

void telemetry_init_begin(struct telemetry *telemetry);
void telemetry_init_end(struct telemetry *telemetry); /* who has not subscribed now never will */

/* Any body for a subscription of this extension. What it is answered with: */
enum telemetry_answer {
    SUBSCRIBED,
    SUBSCRIBED_ALREADY,   /* once more, or before the last reset */
    SUBSCRIPTION_INVALID, /* `faults` says why: SUBSCRIPTION_FAULTS_MAX */
    SUBSCRIPTION_CLOSED,  /* the init is over */
};
enum telemetry_answer telemetry_subscribe(struct telemetry *telemetry, enum subscription_api api,
                                          struct slice extension, struct slice document,
                                          struct subscription *out, struct buf *faults);

/* From here on an absent telemetry (NULL) is fine, too. */

/* The request that lines from now on belong to; empty: none. */
void telemetry_request(struct telemetry *telemetry, struct slice request_id);
/* Somebody listens to what the platform says, or may yet come to. */
bool telemetry_listens(const struct telemetry *telemetry);
/* What the platform says, in each subscriber's form. */
void telemetry_platform(struct telemetry *telemetry, report_writer *writer,
                        const struct report *report);
/* A line of the function or of an extension: TYPE_FUNCTION, TYPE_EXTENSION. */
void telemetry_line(struct telemetry *telemetry, enum subscription_types type, uint64_t unix_ms,
                    enum frame_level level, struct slice line);

/* Sends what there is. False: nothing was left to send, nothing is out. */
bool telemetry_flush(struct telemetry *telemetry);
void telemetry_pause(struct telemetry *telemetry, bool on); /* the sandbox is frozen */
void telemetry_hang_up(struct telemetry *telemetry);        /* its processes are dead */
void telemetry_connected(struct telemetry *telemetry, uint32_t ticket, int fd);

/* One event of a line, without a newline; lines of JSON logs are objects in the forms that say so.
 */
void telemetry_write_line(struct buf *out, enum report_form form, bool json,
                          enum subscription_types type, uint64_t unix_ms, enum frame_level level,
                          struct slice request_id, struct slice line);

#endif
