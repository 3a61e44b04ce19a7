/* The launcher's working parts. Private to src/launch. */
#ifndef LK_LAUNCHER_H
#define LK_LAUNCHER_H

#include "base/list.h"
#include "launch/cgroup.h"
#include "launch/config.h"
#include "launch/init.h"
#include "launch/tmp_image.h"
#include "launch/warmer.h"

#include <sys/epoll.h>

enum slot_state {
    SLOT_FREE,
    SLOT_PREPARING,
    SLOT_SPARE,
    SLOT_LIVE,
    SLOT_DYING,
    SLOT_LEAVING,
    SLOT_STATES
};

/*  FREE --clone--> PREPARING --hello--> SPARE --assign--> LIVE --kill or exit--> DYING --reaped-->
 *  LEAVING --cgroup removed--> FREE.  A request that finds no SPARE waits in a PREPARING slot.
 *  With its init all processes of a sandbox are gone, and it counts as gone for the daemon: LEAVING
 *  ends in a quiet moment. */
struct slot {
    unsigned number;
    enum slot_state state;
    pid_t pid;
    int pidfd;
    int socket;                /* to init */
    int given[INIT_HELLO_FDS]; /* listeners, pid namespace: from its hello to its assignment */
    uint64_t id;               /* the daemon's, while LIVE and later */
    bool assigned;             /* belongs to a request: GONE is due */
    bool unpack;
    bool zygote;
    bool parked;     /* its runtime waits for ASSIGN */
    int exit_status; /* of init, once reaped */
    uint32_t step_us[STEP_COUNT];
    struct tmp_image tmp;                   /* behind its /tmp */
    char (*digests)[LAUNCH_DIGEST_LEN + 1]; /* of trees in use, or being made (unpack); owned */
    size_t digest_count;
    char rootfs[LAUNCH_NAME_MAX]; /* as assigned */
    char runtime[LAUNCH_NAME_MAX];
    char unpack_dir[INIT_UNPACK_DIR_MAX];
    struct launch_request *waiting; /* the request that will get this slot; owned */
    int waiting_fds[2];
    uint64_t begun_ns;
    uint64_t full_ns; /* of a zygote: since when it takes no orders; 0 = it does */
};

struct launcher {
    struct launch_config config;
    char **argv;
    struct cgroups cgroups;
    struct warmer warmer;
    struct launch_facts facts;
    int init_image;   /* sealed memfd with lambkin-init */
    int daemon_image; /* the daemon's program: its user may not be able to reach it by its path */
    int runtimes;     /* the same for the folder of runtimes, which the daemon reads */
    int code;         /* DATA/code */
    int epoll;
    int signals;
    int daemon_socket;
    pid_t daemon_pid;
    struct slot *slots;
    unsigned in_state[SLOT_STATES]; /* how many slots; asked at each turn of the loop */
    uint64_t last_spawn_ns;
    uint64_t usual_tmp;    /* size of /tmp that spares get: what the last function had */
    uint64_t spare_at_ns;  /* no spares before: making one has just failed */
    unsigned crashes;      /* of the daemon, one after another */
    uint64_t daemon_at_ns; /* not to be started again before */
    unsigned stop_signals;
    uint64_t daemon_begun_ns;
    bool stopping;
    int exit_code;
};

/* slot.c */
void slots_open(struct launcher *l);
/* tmp_size: of the /tmp image that is mounted ahead, 0 = none */
bool slot_prepare(struct launcher *l, struct slot *slot, uint64_t tmp_size,
                  struct err *err) MUST_USE;
bool slot_prepare_zygote(struct launcher *l, struct slot *slot, struct err *err) MUST_USE;
void slot_on_hello(struct launcher *l, struct slot *slot);
bool slot_assign(struct launcher *l, struct slot *slot, const struct launch_request *request,
                 const int fds[2]) MUST_USE;
bool slot_assign_parked(struct launcher *l, struct slot *slot, const struct sandbox_spec *spec,
                        struct err *err) MUST_USE;
void slot_kill(struct launcher *l, struct slot *slot);
void slot_on_exit(struct launcher *l, struct slot *slot);
bool slot_leave(struct launcher *l, struct slot *slot); /* false: not yet */
struct slot *slot_find(struct launcher *l, enum slot_state state);
struct slot *slot_unclaimed(struct launcher *l); /* being prepared, and nobody waits for it yet */
struct slot *slot_by_id(struct launcher *l, uint64_t id); /* also one whose request still waits */

/* code.c: unpacked trees */
bool code_open(struct launcher *l, struct err *err) MUST_USE;
/* Makes the folder in which the slot's sandbox unpacks. */
bool code_begin(struct launcher *l, struct slot *slot, uid_t owner, struct err *err) MUST_USE;
/* Keeps its trees if they are good; false: one is not there. */
bool code_finish(struct launcher *l, struct slot *slot, bool good) MUST_USE;
bool code_forget(struct launcher *l, const char *digest, struct err *err) MUST_USE;

/* launcher.c */
void launcher_reply(struct launcher *l, const struct launch_reply *reply, const int *fds,
                    size_t fd_count);
void launcher_no_spares(struct launcher *l); /* for a while */
void launcher_refuse(struct launcher *l, uint64_t id, const struct err *err);
uid_t launcher_slot_uid(const struct launcher *l, const struct slot *slot);

/* What epoll_event.data.u64 says: the low half is a slot's number where one is meant. */
enum watch { WATCH_DAEMON = 1, WATCH_SIGNAL, WATCH_SLOT_SOCKET, WATCH_SLOT_EXIT };
bool launcher_watch(struct launcher *l, int fd, enum watch what, unsigned slot);

#endif
