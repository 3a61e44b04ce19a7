/* Managed runtimes: what runtimes/<language>/runtime.conf says, and which interpreter of this host
 * a runtime identifier means. The format of the file is described in runtimes/README.md. */
#ifndef LK_RUNTIME_H
#define LK_RUNTIME_H

#include "env/pool.h"

struct runtimes;

/* One language. All strings live as long as the runtimes. */
struct runtime_conf {
    struct slice language;      /* the folder's name */
    struct slice prefix;        /* of its identifiers, before the version: "python3." */
    struct slice suffix;        /* and behind it: ".x" */
    struct slice interpreters;  /* paths, blank-separated; '*' stands for the version */
    struct slice version_mark;  /* in front of the version inside the binary; absent: in the name */
    struct slice version_files; /* further files in which the mark may be */
    struct slice version_folders; /* one interpreter for several versions: they are the folders that
                                     this matches beside it */
    struct slice built;           /* a file beside it that the build makes, if it can */
    struct slice
        archives; /* a folder beside it with what the build has made for single interpreters */
    struct slice nearest;         /* "newer": no older version stands in for a missing one */
    struct slice install;         /* what to do on a host without: "apt-get install ruby" */
    struct slice args;            /* blank-separated, with {interpreter}, {heap_mb}, {memory_mb} */
    struct slice start_variables; /* it can be parked (parking.h), and its interpreter reads these
                                     when it starts; absent: it cannot */
    struct slice forks;           /* "yes": its client can be a zygote (parking.h) */
    struct slice env; /* blank-separated NAME=VALUE that the user may override; 12+:NAME=VALUE only
                         from that version on */
};

struct runtimes *runtimes_load(const struct env_settings *settings, struct err *err);
void runtimes_free(struct runtimes *runtimes); /* NULL is fine */

/* Of a program that the function brings along: no language and no interpreter. */
bool runtimes_choose(const struct runtimes *runtimes, struct slice runtime,
                     struct runtime_choice *out, struct err *err) MUST_USE;
/* The archive that the build has made for this interpreter, as a path below the client's folder.
 * False: there is none, or the interpreter was installed later. */
enum { RUNTIME_PATH_MAX = 512 };
bool runtimes_archive(const struct runtimes *runtimes, const struct runtime_choice *choice,
                      char out[RUNTIME_PATH_MAX]) MUST_USE;
const struct runtime_conf *runtimes_conf(const struct runtimes *runtimes, struct slice language);

/* Where that root file system lies on the host: "" for the host's own. */
const char *runtimes_root(const struct runtimes *runtimes, struct slice rootfs);

/* The function brings its program along, which is runtime and handler in one: provided.*, whose
 * program is called bootstrap, and go1.x, whose program's name is the handler. */
bool runtime_is_own(struct slice runtime);
bool runtime_is_go(struct slice runtime);

/* The digits between prefix and suffix: 13 for python3.13, 20 for nodejs20.x, 8 for java8.al2; 0 if
 * there are none. */
uint64_t runtime_version(const struct runtime_conf *conf, struct slice runtime);

#endif
