/* The extensions of one environment (dataplane.md 3.9): which there are, how far each has got, and
 * the event that they are given. External ones are files of /opt/extensions with a process each,
 * internal ones register from within the runtime's process. What their moves mean for the
 * environment is decided by the owner.
 *
 * An environment without extensions has none of this but the empty struct. */
#ifndef LK_EXTENSIONS_H
#define LK_EXTENSIONS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/sm.h"
#include "env/api_route.h"
#include "launch/proto.h"
#include "model/function.h"

enum {
    EXTENSIONS_MAX = LAUNCH_EXTENSIONS_MAX, /* AWS: 10, internal ones included */
    EXTENSION_TYPE_MAX = 128,               /* of an error type that is kept */
    EXTENSION_EVENT_MAX = 65536,
};

enum extension_event { EXTENSION_INVOKE = 1, EXTENSION_SHUTDOWN = 2 };

/* Lambda's own states: their names stand in messages and in the log. */
enum {
    EXTENSION_STARTED,
    EXTENSION_REGISTERED,
    EXTENSION_READY,   /* it waits in next */
    EXTENSION_RUNNING, /* it has an event, or gets it when it asks */
    EXTENSION_INIT_ERROR,
    EXTENSION_EXIT_ERROR,
    EXTENSION_SHUTDOWN_FAILED,
    EXTENSION_EXITED,
    EXTENSION_LAUNCH_ERROR,
};

struct extension {
    struct sm sm;
    bool external;
    bool alive;      /* external: its process was ordered, and has not ended */
    bool due;        /* the event waits for its next call of next */
    bool told;       /* SHUTDOWN was its event */
    unsigned events; /* enum extension_event, those that it asked for */
    char name[LAUNCH_FILE_MAX + 1];
    char id[ID_UUID_LEN + 1];                /* "" before it registered */
    char error_type[EXTENSION_TYPE_MAX + 1]; /* for the log; "" = none */
    struct http_request *waiting;            /* its call of next; NULL: none */
};

struct extensions {
    const struct function *fn;   /* configuration; borrowed */
    void (*on_moved)(void *arg); /* one has registered, or waits in next: look again */
    void *arg;
    struct extension *all[EXTENSIONS_MAX]; /* state; external ones first, as they were started */
    size_t n;
    bool open;         /* registration of internal ones */
    bool ending;       /* whoever is READY gets the event SHUTDOWN */
    const char *fatal; /* "Extension.InitError" or "Extension.ExitError", whichever came first */
    struct buf event;
};

void extensions_init(struct extensions *extensions, const struct function *fn,
                     void (*on_moved)(void *arg), void *arg);

/* All are forgotten, and so are their calls: a new init begins, or the environment ends. */
void extensions_clear(struct extensions *extensions);

/* An external one, before registration; NULL: there are as many as may be. */
struct extension *extensions_add(struct extensions *extensions, struct slice name);

bool extensions_registered(const struct extensions *extensions); /* all external ones have */
bool extensions_settled(const struct extensions *extensions);    /* all wait in next */
bool extensions_alive(const struct extensions *extensions);      /* a process of theirs lives */

/* Gives those that asked for INVOKE the event. Only when all are settled. */
struct extensions_invoke {
    struct slice request_id;
    uint64_t deadline_ms; /* Unix */
    struct slice arn;
    struct slice trace_id;
};
void extensions_invoke(struct extensions *extensions, const struct extensions_invoke *invoke);

/* Gives those that asked for SHUTDOWN the event, now or when they ask next. */
void extensions_shutdown(struct extensions *extensions, const char *reason, uint64_t deadline_ms);

/* The process of an external one has ended, as waitpid(2) says. */
void extension_ended(struct extensions *extensions, struct extension *extension, int status);
void extension_not_started(struct extension *extension, int os);

/* ---- their requests (extension_api.c) ---- */

void extensions_request(struct extensions *extensions, struct http_request *req,
                        enum api_route route);
void extensions_abort(struct extensions *extensions, const struct http_request *req);

/* Whose request it is, by its Lambda-Extension-Identifier. NULL: the request is answered with 403.
 * `unknown` is the message for an id that nobody has; NULL: AWS's. */
struct extension *extensions_identify(struct extensions *extensions, struct http_request *req,
                                      const char *unknown);

/* Of one that is READY: the event goes to its call of next, the one that waits or the one to come.
 */
void extension_release(struct extensions *extensions, struct extension *extension);

extern const struct sm_state
    extension_states[]; /* docs/states/extension.md; the last is nameless */

#endif
