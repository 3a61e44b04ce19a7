#include "env/settings.h"

#include <stddef.h>

const struct env_settings env_settings_default = {
    .data_dir = NULL,
    .runtimes_dir = NULL,
    .libexec_dir = NULL,
    .init_timeout_ms = 10000,
    .idle_life_ms = 10 * 60 * 1000,
    .freeze_delay_ms = 100,
    .account_concurrency = 1000,
    .environments_max = 1000,
    .starts_at_once = 8,
    .zygotes = true,
    .parked_bytes = UINT64_C(48) << 20,
    .parked_max = 16,
    .stream_bytes = UINT64_C(200) << 20,
    .stream_burst = UINT64_C(6) << 20,
    .stream_rate = 0,
    .overhead_bytes = UINT64_C(8) << 20,
    .unpack_timeout_ms = 120 * 1000,
    .cpu_hard_quota = false,
    .runtime_exact = false,
};
