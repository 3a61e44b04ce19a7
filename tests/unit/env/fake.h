/* Everything around an environment, played by the test: the launcher and init on socket pairs, the
 * HTTP server by direct calls, the log store and the model in memory. */
#ifndef LK_FAKE_H
#define LK_FAKE_H

#include "base/buf.h"
#include "env/pool.h"
#include "http/server.h"
#include "lambda_api.h"
#include "launch/proto.h"

#include <uv.h>

/* ---- functions ---- */

struct fake_function {
    struct function fn;
    struct lambda_FunctionConfiguration config;
    struct lambda_LoggingConfig logging;
    struct lambda_EnvironmentResponse environment;
};

void fake_function_init(struct fake_function *f, struct slice name);

/* ---- the Runtime API's client ---- */

struct fake_reply {
    struct http_request req;
    struct http_server *server;
    struct fake_reply *next;
    bool answered, aborted;
    bool paused;  /* nothing more of its body is wanted */
    size_t taken; /* bytes of its body that came in pieces */
    int status;
    struct buf head; /* "name: value\n" of each header */
    struct buf body;
};

extern size_t fake_servers; /* open now */

enum fake_end { FAKE_WHOLE, FAKE_TRUNCATED, FAKE_ABORTED };

struct fake_send {
    const char *method, *path;
    struct slice body;
    struct http_header headers[4];
    struct http_header trailers[4];
    enum fake_end end;
};

/* To the server that was opened last. The reply lives until fake_reset(). */
struct fake_reply *fake_request(const struct fake_send *send);
/* The same step by step: the head, pieces of the body if they are wanted, and the rest. */
struct fake_reply *fake_head(const struct fake_send *send);
void fake_piece(struct fake_reply *reply, struct slice piece);
void fake_rest(struct fake_reply *reply, const struct fake_send *send);
struct fake_reply *fake_get(const char *path);
struct fake_reply *fake_post(const char *path, struct slice body);
struct fake_reply *fake_next(void);
void fake_hang_up(struct fake_reply *reply); /* its client goes away unanswered */
struct slice fake_header(const struct fake_reply *reply, const char *name);

/* ---- launcher and init ---- */

struct fake_sandbox {
    struct launch_request request;
    int exit_status; /* of init, said by fake_gone() */
    uint32_t oom_kills;
    int output, frames;    /* write ends */
    int control;           /* init's end */
    int freeze, peak, oom; /* what the daemon writes to or reads */
};

extern uv_loop_t *fake_loop;
extern int fake_launcher; /* the launcher's end */

int fake_start(void);  /* makes loop and sockets; gives the daemon's end */
void fake_reset(void); /* everything of the last test */
void fake_turns(int n);
void fake_until(bool (*ready)(void *arg), void *arg); /* runs the loop until it says so */

bool fake_launcher_has_request(void);
void fake_take_request(struct fake_sandbox *sandbox); /* waits for it */
void fake_spawned(struct fake_sandbox *sandbox, uint32_t have);
void fake_refused(struct fake_sandbox *sandbox, int os, const char *text);
void fake_gone(struct fake_sandbox *sandbox);
uint32_t fake_order(struct fake_sandbox *sandbox);                   /* waits for the next order */
struct control_order fake_order_whole(struct fake_sandbox *sandbox); /* with all that it says */
bool fake_has_order(struct fake_sandbox *sandbox);
void fake_event(struct fake_sandbox *sandbox, enum control_what what, uint32_t run, int32_t status);
/* Of one process of the sandbox: 0 is the runtime, as with fake_event(). */
void fake_event_of(struct fake_sandbox *sandbox, uint32_t process, enum control_what what,
                   uint32_t run, int32_t status);
void fake_event_failed(struct fake_sandbox *sandbox, uint32_t run, int os, const char *step);
void fake_write(int fd, struct slice s);

/* ---- logs ---- */

extern struct buf fake_log; /* every event, one after another */
extern size_t fake_log_events;
extern uint64_t fake_log_ms;     /* of the last one */
extern char fake_log_names[512]; /* group and stream opened last */

#endif
