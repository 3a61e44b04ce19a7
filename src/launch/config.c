#include "launch/config.h"
#include "launch/zygote.h"

#include "base/slice.h"

#include <stdio.h>
#include <unistd.h>

static bool name_is_plain(const char *name, size_t cap)
{
    size_t n = strnlen(name, cap);
    if (n == cap || name[0] == '.')
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static bool take_number(const char *value, uint64_t max, uint64_t *out, const char *flag,
                        struct err *err)
{
    if (!slice_u64(slice_str(value), out) || *out > max)
        return err_set(err, FAULT_INVALID, "%s: not a number up to %llu: %s", flag,
                       (unsigned long long)max, value);
    return true;
}

static bool take_rootfs(struct launch_config *config, const char *value, struct err *err)
{
    const char *eq = strchr(value, '=');
    struct launch_rootfs *r = &config->rootfs[config->rootfs_count];
    if (config->rootfs_count == LAUNCH_ROOTFS_MAX)
        return err_set(err, FAULT_LIMIT, "more than %d times --rootfs", LAUNCH_ROOTFS_MAX);
    if (!eq || eq == value || (size_t)(eq - value) >= sizeof r->name || eq[1] != '/')
        return err_set(err, FAULT_INVALID, "--rootfs: not NAME=/DIR: %s", value);
    memcpy(r->name, value, (size_t)(eq - value));
    r->dir = eq + 1;
    if (!name_is_plain(r->name, sizeof r->name))
        return err_set(err, FAULT_INVALID, "--rootfs: not a plain name: %s", r->name);
    config->rootfs_count++;
    return true;
}

static bool take_user(struct launch_config *config, const char *value, struct err *err)
{
    struct slice rest = slice_str(value);
    struct slice uid;
    uint64_t u = 0;
    uint64_t g = 0;
    slice_cut(&rest, ':', &uid);
    if (!slice_u64(uid, &u) || !slice_u64(rest, &g) || u == 0 || g == 0 || u > UINT32_MAX - 1 ||
        g > UINT32_MAX - 1)
        return err_set(err, FAULT_INVALID, "--user: not UID:GID without privilege: %s", value);
    config->daemon_uid = (uid_t)u;
    config->daemon_gid = (gid_t)g;
    return true;
}

static bool take_path(const char **out, const char *flag, const char *value, struct err *err)
{
    if (value[0] != '/')
        return err_set(err, FAULT_INVALID, "%s: not an absolute path: %s", flag, value);
    *out = value;
    return true;
}

static bool take_flag(struct launch_config *config, const char *flag, const char *value,
                      struct err *err)
{
    uint64_t n = 0;
    if (!strcmp(flag, "--data"))
        return take_path(&config->data, flag, value, err);
    if (!strcmp(flag, "--runtimes"))
        return take_path(&config->runtimes, flag, value, err);
    if (!strcmp(flag, "--libexec"))
        return take_path(&config->libexec, flag, value, err);
    if (!strcmp(flag, "--rootfs"))
        return take_rootfs(config, value, err);
    if (!strcmp(flag, "--user"))
        return take_user(config, value, err);
    if (!strcmp(flag, "--uid-base")) {
        if (!take_number(value, UINT32_MAX - LAUNCH_SLOTS_MAX - 1, &n, flag, err))
            return false;
        if (n < 1000)
            return err_set(err, FAULT_INVALID, "--uid-base: below 1000: %s", value);
        config->uid_base = (uid_t)n;
        return true;
    }
    if (!strcmp(flag, "--spares")) {
        bool ok = take_number(value, 64, &n, flag, err);
        config->spares = (unsigned)n;
        return ok;
    }
    if (!strcmp(flag, "--max")) {
        bool ok = take_number(value, LAUNCH_SLOTS_MAX, &n, flag, err);
        config->max = (unsigned)n;
        return ok;
    }
    if (!strcmp(flag, "--cgroup-parent")) {
        config->cgroup_parent = value;
        return (*value && name_is_plain(value, LAUNCH_NAME_MAX)) ||
               err_set(err, FAULT_INVALID, "--cgroup-parent: not a plain name: %s", value);
    }
    if (!strcmp(flag, "--isolation")) {
        config->strict = !strcmp(value, "strict");
        return config->strict || !strcmp(value, "auto") ||
               err_set(err, FAULT_INVALID, "--isolation: auto or strict, not %s", value);
    }
    return err_set(err, FAULT_INVALID, "unknown argument %s", flag);
}

bool launch_config_parse(struct launch_config *config, char **argv, struct err *err)
{
    *config = (struct launch_config){
        .cgroup_parent = "lambkin",
        .uid_base = LAUNCH_UID_BASE,
        .daemon_uid = LAUNCH_UID_BASE - 1,
        .daemon_gid = LAUNCH_UID_BASE - 1,
        .spares = 2,
        .max = 1100, /* AWS's account limit of 1,000, and some that are being replaced */
        .rootless = geteuid() != 0,
    };
    char **at = argv + 1;
    for (; *at && strcmp(*at, "--") != 0; at += 2) {
        if (!at[1])
            return err_set(err, FAULT_INVALID, "%s: its value is missing", *at);
        if (!take_flag(config, at[0], at[1], err))
            return false;
    }
    if (!*at || !at[1])
        return err_set(err, FAULT_INVALID, "the daemon's command line is missing after --");
    config->daemon_argv = at + 1;
    if (!config->data || !config->runtimes || !config->libexec)
        return err_set(err, FAULT_INVALID, "--data, --runtimes and --libexec must be given");
    return true;
}

const char *launch_rootfs_dir(const struct launch_config *config, const char *name)
{
    if (!*name)
        return "";
    for (unsigned i = 0; i < config->rootfs_count; i++) {
        if (!strcmp(config->rootfs[i].name, name))
            return config->rootfs[i].dir;
    }
    return NULL;
}

/* ---- requests ---- */

size_t launch_spec_digests(const struct sandbox_spec *spec, const char *digests[LAUNCH_DIGESTS_MAX])
{
    const char *at = spec->strings;
    size_t n = 0;
    if (spec->kind == LAUNCH_PARKED || spec->kind == LAUNCH_ZYGOTE)
        return 0;
    if (spec->kind == LAUNCH_ENVIRONMENT) {
        digests[n++] = spec->code;
        for (uint32_t i = 0; i < spec->layer_count; i++)
            digests[n++] = spec->layers[i];
        return n;
    }
    while (n + 1 < spec->argc) {
        at += strlen(at) + 1;
        digests[n++] = at;
    }
    return n;
}

static bool is_digest(const char *text)
{
    for (size_t i = 0; i < LAUNCH_DIGEST_LEN; i++) {
        char c = text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return text[LAUNCH_DIGEST_LEN] == '\0';
}

static bool rest_is_zero(const char *text, size_t cap)
{
    for (size_t i = strnlen(text, cap); i < cap; i++) {
        if (text[i])
            return false;
    }
    return true;
}

static bool strings_fit(const struct sandbox_spec *spec)
{
    uint32_t ends = 0;
    if (spec->argc == 0 || spec->argc > LAUNCH_ARGS_MAX || spec->envc > LAUNCH_ENV_MAX ||
        spec->extension_envc > spec->envc || spec->strings_len == 0 ||
        spec->strings_len > LAUNCH_STRINGS_MAX)
        return false;
    for (uint32_t i = 0; i < spec->strings_len; i++)
        ends += spec->strings[i] == '\0';
    return spec->strings[spec->strings_len - 1] == '\0' && ends == spec->argc + spec->envc &&
           spec->strings[0] == '/'; /* what is executed is named by its path */
}

/* Once the strings fit. */
static bool unpacks_digests(const struct sandbox_spec *spec)
{
    const char *digests[LAUNCH_DIGESTS_MAX];
    size_t n = launch_spec_digests(spec, digests);
    for (size_t i = 0; i < n; i++) {
        if (!is_digest(digests[i]))
            return false;
    }
    return n > 0;
}

static bool spec_check(const struct sandbox_spec *spec, const struct launch_config *config,
                       struct err *err)
{
    const uint64_t mb = 1 << 20;
    if (spec->kind < LAUNCH_ENVIRONMENT || spec->kind > LAUNCH_ZYGOTE)
        return err_set(err, FAULT_INVALID, "kind");
    if (!name_is_plain(spec->rootfs, sizeof spec->rootfs) ||
        !rest_is_zero(spec->rootfs, sizeof spec->rootfs) ||
        !launch_rootfs_dir(config, spec->rootfs))
        return err_set(err, FAULT_INVALID, "rootfs");
    if (!name_is_plain(spec->runtime, sizeof spec->runtime) ||
        !rest_is_zero(spec->runtime, sizeof spec->runtime))
        return err_set(err, FAULT_INVALID, "runtime");
    if (spec->kind == LAUNCH_ENVIRONMENT ? !is_digest(spec->code) : *spec->code != '\0')
        return err_set(err, FAULT_INVALID, "code");
    if (spec->layer_count > (spec->kind == LAUNCH_ENVIRONMENT ? LAUNCH_LAYERS_MAX : 0))
        return err_set(err, FAULT_INVALID, "layers");
    for (uint32_t i = 0; i < spec->layer_count; i++) {
        if (!is_digest(spec->layers[i]))
            return err_set(err, FAULT_INVALID, "layer %u", i);
    }
    if (spec->memory < 16 * mb || spec->memory > 64 * 1024 * mb)
        return err_set(err, FAULT_INVALID, "memory");
    if (spec->tmp_size < mb || spec->tmp_size > 10240 * mb || spec->tmp_size % 4096)
        return err_set(err, FAULT_INVALID, "tmp_size");
    if (spec->pids < 2 || spec->pids > 32768 || spec->nofile < 16 || spec->nofile > 65536)
        return err_set(err, FAULT_INVALID, "pids or nofile");
    if (spec->cpu.weight_mb && spec->cpu.quota_mb)
        return err_set(err, FAULT_INVALID, "cpu");
    if (spec->zygote && spec->kind != LAUNCH_ENVIRONMENT && spec->kind != LAUNCH_PARKED)
        return err_set(err, FAULT_INVALID, "zygote");
    if (!strings_fit(spec))
        return err_set(err, FAULT_INVALID, "strings");
    if (spec->kind == LAUNCH_ZYGOTE)
        return config->rootless ? err_set(err, FAULT_INVALID, "only root has zygotes")
                                : zygote_check(spec, err);
    return spec->kind != LAUNCH_UNPACK || unpacks_digests(spec) ||
           err_set(err, FAULT_INVALID, "digests to unpack");
}

bool launch_request_check(const void *packet, size_t n, const struct launch_config *config,
                          struct err *err)
{
    const struct launch_request *request = packet;
    if (n != sizeof *request || request->magic != LAUNCH_MAGIC)
        return err_set(err, FAULT_INVALID, "not a request");
    switch (request->op) {
    case LAUNCH_SPAWN:
        return spec_check(&request->spec, config, err);
    case LAUNCH_ASSIGN:
        if (request->spec.kind != LAUNCH_ENVIRONMENT)
            return err_set(err, FAULT_INVALID, "kind");
        return spec_check(&request->spec, config, err);
    case LAUNCH_KILL:
        return true;
    case LAUNCH_FORGET_CODE:
        return is_digest(request->spec.code) || err_set(err, FAULT_INVALID, "code");
    case LAUNCH_TUNE:
        return !(request->spec.cpu.weight_mb && request->spec.cpu.quota_mb) ||
               err_set(err, FAULT_INVALID, "cpu");
    default:
        return err_set(err, FAULT_INVALID, "op %u", request->op);
    }
}
