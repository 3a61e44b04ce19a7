/* A launcher under test: the real programs, and a daemon that only hands its socket to the test.
 * Everything fails the test by itself (cmocka) and waits ten seconds at most. */
#ifndef LK_TEST_HOST_H
#define LK_TEST_HOST_H

#include "launch/proto.h"

#include <stdbool.h>
#include <sys/types.h>

struct host {
    uid_t uid;          /* who starts the launcher: 0, or rootless */
    const char *cgroup; /* the launcher starts in this group; NULL = in the test's */
    const char *spares; /* NULL = "2" */
    const char *max;    /* NULL = the default */
    /* state */
    pid_t launcher;
    pid_t daemon;
    int door;    /* where daemons of ours knock */
    int channel; /* to the daemon */
    int socket;  /* its launcher socket: the test speaks for it */
    char dir[64];
    char parent[40]; /* cgroup parent */
    struct launch_facts facts;
};

struct box {
    uint64_t id;
    int control, listener, endpoint, peak, oom, freeze;
    int out; /* what the payload prints */
    int telemetry;
    bool v2;
    uint32_t step_us[12];
};

enum { UID_ROOTLESS = 61237, BOX_MB = 64, SKIPPED = 77 };

bool test_is_daemon(int argc, char **argv); /* first thing in main(): plays the daemon if so */

void host_start(struct host *host);
void host_resume(struct host *host);      /* another launcher on the same folder */
void host_meet_daemon(struct host *host); /* waits for the daemon and HELLO */
int host_stop(struct host *host);         /* SIGTERM; exit code of the launcher; nothing is left */
void host_clean(struct host *host);       /* checks that nothing is left, removes the folder */
void host_tell_daemon(struct host *host, char order); /* 'k' = die by signal, '0'..'9' = exit */

/* A request that runs `script` by /bin/sh; the caller may change it before it is sent. */
struct launch_request *request_script(uint64_t id, const char *script);
void request_args(struct launch_request *request, const char *const *args, const char *const *env);

void host_send(struct host *host, const struct launch_request *request, const int *fds,
               size_t count);
struct launch_reply host_reply(struct host *host, int *fds, size_t *count);
/* Sends it with pipes, expects SPAWNED; `request` is freed. */
struct box host_spawn(struct host *host, struct launch_request *request);
void host_refuse(struct host *host, const struct launch_request *request); /* expects REFUSED */
void host_kill(struct host *host, const struct box *box);
uid_t host_daemon_uid(const struct host *host); /* whom the launcher takes the daemon for */
struct launch_reply host_gone(struct host *host, uint64_t id); /* waits for GONE */

void box_order(const struct box *box, enum control_op op);
struct control_event box_event(const struct box *box);
void box_start(const struct box *box); /* START, expects STARTED */
/* Reads what the payload prints until it ends with `last` (or, NULL, until the end). */
char *box_read(const struct box *box, const char *last);
void box_close(struct box *box);
/* All of it: spawn, start, output until the end, kill, gone. Free the text. */
char *host_run(struct host *host, const char *script);

extern const char test_digest[];   /* code/<this> exists */
bool host_is_small(void);          /* a guest with little memory */
char *read_text(const char *path); /* NULL if it cannot be read */
void wait_readable(int fd, const char *what);

#endif
