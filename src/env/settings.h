/* What can be set about environments. Times in milliseconds; defaults in settings.c with AWS's
 * figures. */
#ifndef LK_ENV_SETTINGS_H
#define LK_ENV_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One runtime's own root file system; the launcher was given the same pair. */
struct env_rootfs {
    const char *runtime; /* "python3.13" */
    const char *dir;     /* absolute */
};

struct iam;

struct env_settings {
    const char *data_dir;
    const char *runtimes_dir; /* runtimes/ of the installation */
    const char *libexec_dir;
    uint32_t init_timeout_ms;     /* AWS: 10 s */
    uint32_t idle_life_ms;        /* idle this long: retired; AWS: 5-15 minutes, unconfirmed */
    uint32_t freeze_delay_ms;     /* idle this long: frozen; 0 = at once */
    uint32_t account_concurrency; /* AWS: 1,000 */
    uint32_t environments_max;    /* alive at once; above, the longest idle one is ended */
    uint32_t starts_at_once;      /* sandboxes being started in parallel; others wait in line */
    uint64_t parked_bytes;        /* memory for runtimes that are booted ahead; 0 = none are */
    bool zygotes;                 /* runtimes are forked where they can be */
    uint32_t parked_max;          /* how many of them at once */
    uint64_t stream_bytes;        /* longest streamed answer; AWS: 200 MB */
    uint64_t stream_burst;        /* so much of it as it comes, with a rate; AWS: 6 MB */
    uint64_t stream_rate;         /* bytes a second; 0 = as they come; AWS: 2 MB */
    uint64_t overhead_bytes;      /* added to MemorySize for init and pipes */
    uint32_t unpack_timeout_ms;
    bool cpu_hard_quota; /* cpu = "aws"; false: "weight" */
    const struct env_rootfs *rootfs;
    size_t rootfs_count;
    const struct iam *iam; /* whose credentials functions get; NULL: nobody's */
    bool runtime_exact;    /* a missing exact interpreter version is an error */
};

extern const struct env_settings env_settings_default;

#endif
