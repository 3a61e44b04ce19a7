/* What the launcher may do, fixed at its start by its command line. init has the same command line,
 * so both know the same roots. */
#ifndef LK_LAUNCH_CONFIG_H
#define LK_LAUNCH_CONFIG_H

#include "base/err.h"
#include "launch/proto.h"

#include <sys/types.h>

enum {
    LAUNCH_ROOTFS_MAX = 32,
    LAUNCH_UID_BASE = 200000, /* host uid of a payload = base + slot */
    LAUNCH_SLOTS_MAX = 4096,
    LAUNCH_DIGESTS_MAX = LAUNCH_UNPACK_MAX, /* more than code and layers */
};

struct launch_rootfs {
    char name[LAUNCH_NAME_MAX];
    const char *dir;
};

struct launch_config {
    const char *data;     /* absolute; code/ lies in it */
    const char *runtimes; /* absolute */
    const char *libexec;  /* absolute */
    struct launch_rootfs rootfs[LAUNCH_ROOTFS_MAX];
    unsigned rootfs_count;
    const char *cgroup_parent; /* name of our directory in each hierarchy: "lambkin" */
    uid_t uid_base;
    uid_t daemon_uid;
    gid_t daemon_gid;
    unsigned spares;
    unsigned max; /* sandboxes at once */
    bool strict;  /* a missing piece of the sandbox is fatal */
    bool rootless;
    char **daemon_argv; /* after "--" */
};

/* Strict: an unknown or malformed argument is an error. */
bool launch_config_parse(struct launch_config *config, char **argv, struct err *err) MUST_USE;

/* The directory of a configured root file system, "" for the host's; NULL if there is none of that
 * name. */
const char *launch_rootfs_dir(const struct launch_config *config, const char *name);

/* Is this packet a request that the configuration allows? Looks at every byte that will be used. */
bool launch_request_check(const void *packet, size_t n, const struct launch_config *config,
                          struct err *err) MUST_USE;

/* The trees that a checked spec uses, or makes (UNPACK). They lie in the spec. */
size_t launch_spec_digests(const struct sandbox_spec *spec,
                           const char *digests[LAUNCH_DIGESTS_MAX]);

#endif
