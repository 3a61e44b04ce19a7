/* The protocol between the daemon, the launcher and the sandboxes' init.
 *
 * Three kinds of SOCK_SEQPACKET pairs, one fixed-size struct a packet, descriptors by SCM_RIGHTS:
 *
 *     daemon --launch_request--> launcher         daemon <--launch_reply-- launcher
 *     launcher --init_assignment--> init          (spare sandboxes wait for it)
 *     daemon --control_order--> init              daemon <--control_event-- init
 *
 * The launcher checks each request as if the sender were hostile: a request can only choose among
 * and tighten what the launcher's own start-up configuration allows. Whatever is wrong gets a reply
 * with LAUNCH_REFUSED and changes nothing. Strings end in a zero byte inside their array; what
 * follows it must be zero too. All sizes are bytes unless the name says otherwise. */
#ifndef LK_PROTO_H
#define LK_PROTO_H

#include <stdint.h>

enum {
    LAUNCH_MAGIC = 0x4c4b4c31,  /* "LKL1" */
    CONTROL_MAGIC = 0x4c4b4331, /* "LKC1" */
    LAUNCH_DIGEST_LEN = 64,     /* lower-case hex SHA-256 */
    LAUNCH_LAYERS_MAX = 5,      /* AWS: layers per function */
    LAUNCH_NAME_MAX = 64,       /* name of a rootfs or a runtime folder: [a-z0-9._-] */
    LAUNCH_ARGS_MAX = 16,       /* strings in argv */
    LAUNCH_ENV_MAX = 768, /* strings in envp; AWS: 4 KB as compact JSON ("AA":"",), and ours */
    LAUNCH_STRINGS_MAX = 24576,  /* argv and envp together, each ends in a zero byte */
    LAUNCH_RUNTIME_PORT = 9001,  /* the Runtime API inside each sandbox (dataplane.md 1.1) */
    LAUNCH_ENDPOINT_PORT = 4566, /* what AWS_ENDPOINT_URL says inside: lambkin's own API */
    LAUNCH_TELEMETRY_FD = 62,    /* _LAMBDA_TELEMETRY_LOG_FD (dataplane.md 3.6) */
    LAUNCH_EXTENSIONS_MAX = 10,  /* AWS: external extensions, processes beside the runtime */
    LAUNCH_FILE_MAX = 255,       /* a file's name */
    LAUNCH_PARKED_FD =
        61, /* a parked runtime's socket: it empties its environment, writes one byte, and
             * reads the variables of its function, each with a zero byte behind it */
};

enum launch_kind {
    LAUNCH_ENVIRONMENT = 1, /* runs a function */
    LAUNCH_UNPACK = 2,      /* lambkin-unpack: zips from a socket on fd 3 -> code/<digest> for each
                             * digest that follows argv[0], nothing else visible; all or none is kept */
    LAUNCH_PARKED = 3,      /* boots a runtime that waits for its function, see LAUNCH_ASSIGN */
    LAUNCH_ZYGOTE = 4,      /* boots a runtime that forks those of others; PARKED is the only event
                             * of its control socket, and it takes no orders */
};

enum { LAUNCH_UNPACK_MAX = LAUNCH_ARGS_MAX - 1 }; /* zips for one UNPACK */

/* How lambkin-unpack exits; 0 is success, anything else a failure of its own. What it writes to its
 * output (one line) is for the daemon's log. */
enum unpack_exit {
    UNPACK_BAD_ZIP = 2,   /* not a zip, damaged, or with entries that may not be unpacked */
    UNPACK_TOO_LARGE = 3, /* AWS: 262,144,000 bytes unzipped */
    UNPACK_NO_SPACE = 4,  /* the disk is full */
};

enum launch_op {
    LAUNCH_SPAWN = 1, /* answered by SPAWNED or REFUSED, later exactly one GONE if spawned */
    LAUNCH_KILL = 2,  /* ends a sandbox and everything in it; answered by its GONE */
    LAUNCH_FORGET_CODE =
        3,             /* removes code/<digest> (no live sandbox may use it); DONE or REFUSED */
    LAUNCH_TUNE = 4,   /* sets cpu of a live sandbox again (after init); DONE or REFUSED */
    LAUNCH_ASSIGN = 5, /* makes a parked sandbox the ENVIRONMENT of spec, which has the rootfs and
                        * runtime that it was parked with; DONE or REFUSED */
};

/* How much processor: at most one of the two is non-zero. */
struct launch_cpu {
    uint32_t weight_mb; /* shares in proportion to this MemorySize (setting cpu = "weight"); 0: one
                         * processor's */
    uint32_t quota_mb;  /* hard quota of MemorySize/1769 cores (setting cpu = "aws") */
};

/* What a sandbox needs to know of the function. The launcher passes it on to init unchanged. */
struct sandbox_spec {
    uint32_t kind;       /* enum launch_kind */
    uint32_t argc, envc; /* strings in `strings`, in this order */
    uint32_t strings_len;
    char rootfs[LAUNCH_NAME_MAX];     /* "" = the host's /usr; else a configured name */
    char runtime[LAUNCH_NAME_MAX];    /* folder of runtimes/ mounted at /var/runtime, "" = none */
    char code[LAUNCH_DIGEST_LEN + 1]; /* /var/task; ENVIRONMENT only, "" for the others */
    uint32_t layer_count;             /* ENVIRONMENT only, 0 for the others */
    char layers[LAUNCH_LAYERS_MAX][LAUNCH_DIGEST_LEN + 1]; /* merged into /opt, later ones win */
    uint64_t memory;                                       /* limit of the whole environment */
    uint64_t tmp_size;                                     /* /tmp: an exact quota */
    uint32_t pids;                                         /* processes and threads */
    uint32_t nofile;
    struct launch_cpu cpu;
    uint64_t zygote; /* ENVIRONMENT, PARKED: the id of a ZYGOTE whose fork it is, with the same
                      * arguments; 0 = none. If that is gone, the payload is started as ever */
    char strings[LAUNCH_STRINGS_MAX];
    uint32_t
        extension_envc; /* so many of the variables, the first ones, are the extensions', too */
};

/* fds with SPAWN: [0] stdout and stderr of the payload, [1] telemetry pipe (becomes fd 62).
 * For UNPACK: [0] the same, [1] a SOCK_SEQPACKET socket (becomes fd 3) in which the zips wait in
 * the order of the digests: a byte and a descriptor each. */
struct launch_request {
    uint32_t magic;
    uint32_t op; /* enum launch_op */
    uint64_t id; /* chosen by the daemon, unique among live sandboxes, echoed in replies */
    struct sandbox_spec spec; /* SPAWN, ASSIGN: all of it; FORGET_CODE: code; TUNE: cpu */
};

enum launch_event {
    LAUNCH_HELLO = 1,   /* first packet after start: what this host can do (struct launch_facts) */
    LAUNCH_SPAWNED = 2, /* fds, see below */
    LAUNCH_REFUSED = 3, /* `os`, `text` say why */
    LAUNCH_GONE =
        4, /* everything of the sandbox is gone; `facts` unused; `peak`, `oom` are final */
    LAUNCH_DONE = 5,
};

enum launch_cgroup { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };
enum launch_tmp { TMP_TMPFS, TMP_LOOP };

struct launch_facts {
    uint8_t rootless;
    uint8_t cgroup;     /* enum launch_cgroup */
    uint8_t can_memory; /* memory limit in force */
    uint8_t can_cpu;
    uint8_t can_pids;
    uint8_t can_freeze;   /* by cgroup; otherwise CONTROL_STOP is used */
    uint8_t tmp;          /* enum launch_tmp */
    uint8_t separate_ids; /* each live sandbox has a host uid of its own */
    uint8_t seccomp;
    uint8_t zygotes; /* LAUNCH_ZYGOTE */
};

/* fds with SPAWNED, in this order; one that this host cannot give is absent, `have` tells:
 * control socket (always), listeners of the Runtime API and of the AWS endpoint (ENVIRONMENT only),
 * memory peak file (read), oom eventfd or memory.events (poll), freeze file (write). */
enum launch_have {
    HAVE_LISTENER = 1,
    HAVE_ENDPOINT = 2,
    HAVE_MEMORY_PEAK = 4,
    HAVE_OOM = 8,
    HAVE_FREEZE = 16,
};

struct launch_reply {
    uint32_t magic;
    uint32_t event; /* enum launch_event */
    uint32_t op;    /* DONE, REFUSED: TUNE and FORGET_CODE are told apart from the other two, 0 */
    uint64_t id;
    uint32_t have;             /* SPAWNED: enum launch_have */
    uint32_t cgroup_v2_files;  /* SPAWNED: the memory, oom and freeze files speak v2 */
    int32_t os;                /* REFUSED: errno or 0 */
    uint32_t step_us[12];      /* SPAWNED, ASSIGN's DONE: what each step took; launch_step */
    uint64_t peak;             /* GONE: most memory used, 0 = unknown */
    uint32_t oom;              /* GONE: kills by the kernel for lack of memory */
    struct launch_facts facts; /* HELLO */
    char text[160];            /* REFUSED: the step that failed, for people */
};

enum launch_step {
    STEP_SPARE,
    STEP_CGROUP,
    STEP_CLONE,
    STEP_PREPARE,
    STEP_MOUNT,
    STEP_IDS,
    STEP_COUNT
};

/* The control socket of one sandbox. */
enum control_op {
    CONTROL_START = 1,     /* start the payload, which does not run (yet, or any more); one that was
                            * parked and still lives gets its variables instead */
    CONTROL_STOP = 2,      /* SIGSTOP to all (freezing without cgroups) */
    CONTROL_CONTINUE = 3,  /* SIGCONT to all */
    CONTROL_KILL_ALL = 4,  /* kill every process but init; EXITED if the payload lived, CLEARED */
    CONTROL_TERM = 5,      /* SIGTERM to the group of one process */
    CONTROL_KILL = 6,      /* SIGKILL to it */
    CONTROL_EXTENSION = 7, /* start /opt/extensions/<name>, which is `process` from now on; with the
                            * descriptor that becomes its stdout and stderr */
    CONTROL_CONNECT = 8,   /* connect to `port` of the sandbox's 127.0.0.1 */
};

/* Processes are numbered: 0 is the payload, the extensions are 1 to LAUNCH_EXTENSIONS_MAX. */
struct control_order {
    uint32_t magic;
    uint32_t op;
    uint32_t process; /* TERM, KILL, EXTENSION; of CONNECT it is only repeated in the answer */
    uint32_t port;
    char name[LAUNCH_FILE_MAX + 1];
};

enum control_what {
    CONTROL_STARTED = 1,   /* execve of the payload worked */
    CONTROL_FAILED = 2,    /* it did not: `os` and `step` say why ("execve", ...) */
    CONTROL_EXITED = 3,    /* `status` as from waitpid(2) */
    CONTROL_CLEARED = 4,   /* no process but init lives after KILL_ALL */
    CONTROL_PARKED = 5,    /* a parked runtime has booted and waits */
    CONTROL_CONNECTED = 6, /* the answer to CONNECT: `os`, or a socket whose connect(2) has begun */
};

enum control_fork {
    FORK_NONE = 0, /* no zygote was asked */
    FORK_DONE = 1,
    FORK_FAILED = 2, /* it started without; `step` and `os` say why, if it is known */
    FORK_SILENT = 3, /* the zygote did not answer in time; it started without */
};

struct control_event {
    uint32_t magic;
    uint32_t what;
    uint32_t run; /* how many inits there were, each with its extensions first and then START: stale
                   * events are recognised */
    uint32_t process; /* STARTED, FAILED, EXITED: which; CONNECTED: as in the order */
    int32_t status;
    int32_t os;
    char step[32];
    uint32_t mount_us; /* STARTED, first run: what mounts and /tmp took */
    uint32_t ids_us;   /* STARTED: from the fork to execve */
    uint32_t fork;     /* STARTED: enum control_fork; `step` and `os` are then those of the fork */
};

#endif
