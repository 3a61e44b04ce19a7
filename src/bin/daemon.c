/* lambkin-daemon: everything that talks. Wiring only; started by the launcher, without privilege.
 */
#include "api/admin.h"
#include "api/api.h"
#include "base/log.h"
#include "base/mem.h"
#include "bin/daemon_filter.h"
#include "bin/settings.h"
#include "env/pool.h"
#include "front/front.h"
#include "invoke/invoke.h"
#include "lambda_api.h"
#include "launch/proto.h"
#include "model/function.h"
#include "model/iam.h"
#include "model/resources.h"
#include "services/services.h"
#include "store/blob.h"
#include "store/db.h"
#include "store/log_store.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { DRAIN_MS = 10000, DRAIN_POLL_MS = 20 };

struct daemon {
    uv_loop_t *loop;
    struct settings settings;
    struct env_settings env;
    struct env_rootfs rootfs[SETTING_ROOTFS_MAX];
    struct api_context api;
    struct admin_context admin;
    struct db *db;
    struct tables *tables;
    struct iam *iam;
    struct resources resources;
    struct functions *functions;
    struct blobs *blobs;
    struct log_store *logs;
    struct pool *pool;
    struct invoker *invoker;
    struct front *front;
    uv_signal_t on_term;
    uv_signal_t on_int;
    uv_timer_t drain;
    uint64_t drain_until;
};

static enum log_level level_of(const char *name)
{
    static const char *const names[] = {"trace", "debug", "info", "warn", "error"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!strcmp(names[i], name))
            return (enum log_level)i;
    }
    return LOG_INFO;
}

/* Some sandboxes are kept for unpacking, for those that are on their way out, and half of them for
 * parked runtimes. */
static uint32_t environments_max(uint32_t sandboxes)
{
    uint32_t rest = sandboxes / 4 < 32 ? sandboxes / 4 : 32;
    return sandboxes - rest;
}

static void apply(struct daemon *d)
{
    const struct settings *s = &d->settings;
    d->env = env_settings_default;
    d->env.data_dir = s->data_dir;
    /* Our user may not reach it by its path; the launcher hands it over open. */
    const char *runtimes = getenv("LAMBKIN_RUNTIMES_FD");
    static char opened[64];
    snprintf(opened, sizeof opened, "/proc/self/fd/%.16s", runtimes ? runtimes : "");
    d->env.runtimes_dir = runtimes ? opened : s->runtimes_dir;
    d->env.libexec_dir = s->libexec_dir;
    d->env.init_timeout_ms = (uint32_t)s->init_timeout_ms;
    d->env.idle_life_ms = (uint32_t)s->idle_life_ms;
    d->env.freeze_delay_ms = (uint32_t)s->freeze_delay_ms;
    d->env.account_concurrency = (uint32_t)s->account_concurrency;
    d->env.stream_bytes = s->stream_bytes;
    d->env.stream_burst = s->stream_burst;
    d->env.stream_rate = s->stream_rate;
    d->env.parked_bytes = s->parked_mb << 20;
    d->env.zygotes = s->zygotes;
    d->env.starts_at_once = (uint32_t)s->starts_at_once;
    d->env.environments_max = environments_max((uint32_t)s->max_sandboxes);
    d->env.parked_max = ((uint32_t)s->max_sandboxes - d->env.environments_max) / 2;
    d->env.unpack_timeout_ms = (uint32_t)s->unpack_timeout_ms;
    d->env.cpu_hard_quota = !strcmp(s->cpu, "aws");
    d->env.runtime_exact = s->runtime_exact;
    d->env.rootfs = d->rootfs;
    d->env.rootfs_count = settings_rootfs(s, d->rootfs);
    log_set_level(level_of(s->log_level));
}

static char *path_in(const struct daemon *d, const char *name)
{
    AUTO(buf) struct buf path = BUF_INIT(8192);
    buf_printf(&path, "%s/%s", d->settings.data_dir, name);
    return mem_str(buf_all(&path));
}

static bool open_stores(struct daemon *d, struct err *err)
{
    struct log_limits limits = log_limits_default;
    limits.group_bytes = d->settings.log_group_bytes;
    limits.pending_bytes = d->settings.log_pending_bytes;
    limits.retention_days = (uint32_t)d->settings.log_retention_days;
    AUTO(free) char *blobs = path_in(d, "blobs");
    AUTO(free) char *logs = path_in(d, "logs");
    d->db = db_open(d->loop, d->settings.data_dir, err);
    if (!d->db)
        return false;
    const struct function_settings times = {.pending_ms = (uint32_t)d->settings.pending_ms,
                                            .update_ms = (uint32_t)d->settings.update_ms};
    d->tables = tables_open(d->db);
    if (resources_open(&d->resources, d->tables, err))
        d->functions =
            functions_open(d->loop, d->db, &d->resources, d->settings.data_dir, &times, err);
    d->iam = d->functions ? iam_open(d->tables, d->settings.data_dir, err) : NULL;
    d->blobs = d->iam ? blobs_open(d->loop, blobs, err) : NULL;
    d->logs = d->blobs ? log_store_open(d->loop, logs, &limits, err) : NULL;
    return d->logs != NULL;
}

/* Elsewhere it does not start yet, as requests are not authenticated; this is for the day when it
 * does. */
static bool is_loopback(const char *host)
{
    return !strncmp(host, "127.", 4) || !strcmp(host, "::1") || !strcmp(host, "localhost");
}

static bool open_services(struct daemon *d, struct err *err)
{
    const char *launcher = getenv("LAMBKIN_LAUNCH_FD");
    uint64_t fd = 0;
    if (!launcher || !slice_u64(slice_str(launcher), &fd) || fd > INT32_MAX)
        return err_set(err, FAULT_INVALID,
                       "lambkin-daemon is started by lambkin serve, not by hand");
    d->env.iam = d->iam;
    d->pool = pool_new(d->loop, (int)fd, d->logs, &d->env, err);
    if (!d->pool)
        return false;
    functions_on_change(d->functions, pool_function_changed, d->pool);
    d->invoker = invoker_new(d->pool, d->functions, &d->env);
    struct http_limits limits = http_limits_public;
    limits.head_timeout_ms = (uint32_t)d->settings.header_timeout_ms;
    limits.body_timeout_ms = (uint32_t)d->settings.body_timeout_ms;
    limits.idle_timeout_ms = (uint32_t)d->settings.idle_timeout_ms;
    const struct front_config config = {d->settings.host,
                                        (uint16_t)d->settings.port,
                                        slice_str(d->settings.region),
                                        slice_str(d->settings.account),
                                        &limits,
                                        d->iam};
    d->front = front_new(d->loop, &config, err);
    if (!d->front)
        return false;
    pool_set_endpoint(d->pool, &(struct env_endpoint){&front_http_handler, d->front});
    d->api = (struct api_context){.loop = d->loop,
                                  .data_dir = d->settings.data_dir,
                                  .functions = d->functions,
                                  .blobs = d->blobs,
                                  .pool = d->pool,
                                  .iam = d->iam,
                                  .check_roles = d->settings.check_roles,
                                  .exact = d->settings.runtime_exact,
                                  .retired = d->settings.retired_runtimes,
                                  .account_concurrency = (uint32_t)d->settings.account_concurrency};
    front_handle(d->front, &lambda_op_Invoke, invoke_handle, d->invoker);
    front_handle(d->front, &lambda_op_InvokeWithResponseStream, invoke_stream_handle, d->invoker);
    api_register(d->front, &d->api);
    d->admin = (struct admin_context){&d->api, d->logs, path_in(d, "logs")};
    if (is_loopback(d->settings.host))
        admin_register(d->front, &d->admin);
    return services_register(
        d->front,
        &(struct services_context){
            .loop = d->loop, .tables = d->tables, .iam = d->iam, .logs = d->logs},
        err);
}

static void on_health(struct call *call)
{
    static const struct http_header json[] = {{S_INIT("Content-Type"), S_INIT("application/json")}};
    struct daemon *d = call->context;
    struct pool_stats stats = pool_stats(d->pool);
    char text[384];
    int n = snprintf(text, sizeof text,
                     "{\"status\":\"ok\",\"version\":\"%s\",\"environments\":%zu,\"busy\":%zu,"
                     "\"frozen\":%zu,\"starting\":%zu,"
                     "\"parked\":%zu,\"parked_bytes\":%llu,\"started\":%llu,\"invocations\":%llu}",
                     LAMBKIN_VERSION, stats.environments, stats.busy, stats.frozen, stats.starting,
                     stats.parked, (unsigned long long)stats.parked_bytes,
                     (unsigned long long)stats.started_total,
                     (unsigned long long)stats.invocations_total);
    call_raw(call, 200, json, 1, (struct slice){text, (size_t)n});
}

/* What this build can do; docs/api-coverage.md is printed from it. */
static void on_operations(struct call *call)
{
    enum { TEXT_MAX = 64 << 10 };
    static const struct http_header json[] = {{S_INIT("Content-Type"), S_INIT("application/json")}};
    struct daemon *d = call->context;
    AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
    front_print_handled(d->front, &text);
    call_raw(call, 200, json, 1, buf_all(&text));
}

/* ---- what is said at start ---- */

static void say_isolation(const struct launch_facts *f, struct buf *out)
{
    static const char *const cgroups[] = {[CGROUP_NONE] = "no cgroups",
                                          [CGROUP_V1] = "cgroup v1",
                                          [CGROUP_HYBRID] = "cgroup v1 and v2",
                                          [CGROUP_V2] = "cgroup v2"};
    buf_printf(out, "namespaces, seccomp, %s", cgroups[f->cgroup]);
    buf_printf(out, "; limits:%s%s%s%s", f->can_memory ? " memory" : "",
               f->can_pids ? " processes" : "", f->can_cpu ? " cpu" : "",
               !f->can_memory && !f->can_pids && !f->can_cpu ? " by rlimits only" : "");
    buf_printf(out, "; /tmp %s", f->tmp == TMP_LOOP ? "on disk" : "in memory");
}

static void announce(const struct daemon *d)
{
    const struct launch_facts *f = pool_facts(d->pool);
    AUTO(buf) struct buf isolation = BUF_INIT(512);
    say_isolation(f, &isolation);
    printf("lambkin %s\n  mode       %s\n  isolation  %.*s\n  data       %s\n", LAMBKIN_VERSION,
           f->rootless ? "rootless" : "root", FMT(buf_all(&isolation)), d->settings.data_dir);
    if (!f->can_memory)
        puts("  warning    functions' memory is NOT limited on this host: run only code that you "
             "trust (lambkin doctor)");
    printf("  ready      http://%s:%u\n", d->settings.host, front_port(d->front));
    fflush(stdout);
}

/* ---- the end ---- */

static void on_drain(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    bool done = front_drain(d->front) && pool_stats(d->pool).busy == 0;
    if (done || uv_now(d->loop) >= d->drain_until)
        uv_stop(d->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    if (d->drain_until) { /* the second signal does not wait */
        uv_stop(d->loop);
        return;
    }
    log_info("daemon.stop", "signal=%d busy=%zu", number, pool_stats(d->pool).busy);
    d->drain_until = uv_now(d->loop) + DRAIN_MS;
    uv_timer_start(&d->drain, on_drain, 0, DRAIN_POLL_MS);
}

static void watch_signals(struct daemon *d)
{
    uv_signal_init(d->loop, &d->on_term);
    uv_signal_init(d->loop, &d->on_int);
    uv_timer_init(d->loop, &d->drain);
    d->on_term.data = d->on_int.data = d->drain.data = d;
    uv_signal_start(&d->on_term, on_signal, SIGTERM);
    uv_signal_start(&d->on_int, on_signal, SIGINT);
    signal(SIGPIPE, SIG_IGN);
}

/* Stores run the loop until their last write is done: nothing else may be called meanwhile. */
static void close_all(struct daemon *d)
{
    uv_timer_stop(&d->drain);
    uv_signal_stop(&d->on_term);
    uv_signal_stop(&d->on_int);
    signal(SIGTERM,
           SIG_IGN); /* libuv gave them back to the default: asked once more, we would die */
    signal(SIGINT, SIG_IGN);
    if (d->api.functions)
        api_stop(&d->api);
    pool_free(d->pool);
    front_free(d->front);
    invoker_free(d->invoker);
    log_store_close(d->logs);
    blobs_close(d->blobs);
    functions_close(d->functions);
    iam_close(d->iam);
    db_close(d->db);
    tables_close(d->tables);
}

int main(int argc, char **argv)
{
    static struct daemon daemon;
    struct daemon *d = &daemon;
    struct err err = {FAULT_NONE, 0, ""};
    (void)argc;
    /* It holds secrets: nobody of its uid traces it, and no core is written. (execve resets both.)
     */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    d->loop = uv_default_loop();
    umask(027);
    mallopt(M_ARENA_MAX, 2); /* a few worker threads need no heap of 64 MB of addresses each */
    settings_defaults(&d->settings);
    if (!settings_read_flags(&d->settings, argv + 1, &err)) {
        fprintf(stderr, "lambkin: %s\n", err.msg);
        return 2;
    }
    apply(d);
    if (!open_stores(d, &err) || !open_services(d, &err)) {
        fprintf(stderr, "lambkin: %s\n", err.msg);
        return 1;
    }
    front_handle_path(d->front, "GET", "/_lambkin/health", on_health, d);
    front_handle_path(d->front, "GET", "/_lambkin/operations", on_operations, d);
    watch_signals(d);
    while (!pool_facts(d->pool) && uv_run(d->loop, UV_RUN_ONCE))
        ;
    if (!daemon_filter_load(&err))
        log_warn("daemon.seccomp", "err=%s", err.msg);
    announce(d);
    uv_run(d->loop, UV_RUN_DEFAULT);
    close_all(d);
    return 0;
}
