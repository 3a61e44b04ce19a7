/* Every setting of `lambkin serve`, from one table: flag, LAMBKIN_* variable, key of the config
 * file, help text and man page all follow from its row. A flag wins over a variable, a variable
 * over the file, the file over the default. */
#ifndef LK_SETTINGS_H
#define LK_SETTINGS_H

#include "base/buf.h"
#include "base/err.h"
#include "env/settings.h"

enum { SETTING_ROOTFS_MAX = 32 };

/* Texts are owned by the struct; numbers carry their unit in the name. */
struct settings {
    char *host;
    uint64_t port;
    char *data_dir;
    char *region;
    char *account;
    char *log_level;
    /* sandboxes */
    char *isolation; /* auto, strict */
    char *cpu;       /* weight, aws */
    char *user;      /* UID:GID of the daemon when started as root */
    uint64_t uid_base;
    char *cgroup_parent;
    char *rootfs[SETTING_ROOTFS_MAX + 1]; /* RUNTIME=/DIR */
    uint64_t spares;
    uint64_t parked_mb;
    bool zygotes;
    uint64_t stream_bytes;
    uint64_t stream_burst;
    uint64_t stream_rate;
    uint64_t max_sandboxes;
    uint64_t starts_at_once;
    /* functions */
    bool runtime_exact;
    bool retired_runtimes;
    bool check_roles;
    uint64_t account_concurrency;
    uint64_t init_timeout_ms;
    uint64_t idle_life_ms;
    uint64_t freeze_delay_ms;
    uint64_t unpack_timeout_ms;
    uint64_t pending_ms;
    uint64_t update_ms;
    /* logs */
    uint64_t log_group_bytes;
    uint64_t log_pending_bytes;
    uint64_t log_retention_days;
    /* the public port */
    uint64_t header_timeout_ms;
    uint64_t body_timeout_ms;
    uint64_t idle_timeout_ms;
    /* folders of the installation */
    char *runtimes_dir;
    char *libexec_dir;
};

void settings_defaults(struct settings *settings);
void settings_free(struct settings *settings);

/* Reads file, variables and flags (argv without program and command; ends in NULL). Any unknown or
 * malformed setting is an error of one line. `--config FILE` names the file; without it
 * /etc/lambkin.conf (root) or
 * ~/.config/lambkin/lambkin.conf is read if it is there. */
bool settings_read(struct settings *settings, char **argv, struct err *err) MUST_USE;

/* Flags alone: the daemon gets all settings so, and may not read its starter's files. */
bool settings_read_flags(struct settings *settings, char **argv, struct err *err) MUST_USE;

/* The same settings as flags again, for the next program; every string and the array are malloc'd.
 */
char **settings_flags(const struct settings *settings, char *const *prefix);

/* Each RUNTIME=/DIR in its two parts, which live as long as the program; how many. */
size_t settings_rootfs(const struct settings *settings, struct env_rootfs out[SETTING_ROOTFS_MAX]);

void settings_help(struct buf *out);     /* for --help */
void settings_man_rows(struct buf *out); /* for the man page: roff */

#endif
