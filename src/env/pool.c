#include "env/pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "env/env.h"
#include "env/parking.h"
#include "env/runtime.h"
#include "env/sandbox.h"
#include "env/unpack.h"

#include <stdio.h>
#include <string.h>

enum { POOL_MAGIC = 0x504f4f4c, KEY_MAX = 512 };

/* All environments of one version of one function, and who waits for one.
 *
 *  idle:    those that may take an event, the most recently used first; those that need a new init
 *           at the end.
 *  ready:   those made ahead (provisioned concurrency) that may take an event; they come first.
 *  waiting: invocations in the order in which they came. There are never both warm idle ones and
 *           waiting ones.
 *  line:    in the pool's line of slots that want to start more than they may. */
struct slot {
    struct pool *pool;
    struct slice key; /* the function's ARN with its version; owned */
    const struct function *fn;
    struct list idle; /* state from here on */
    struct list ready;
    struct list all;
    struct list waiting;
    struct list line;
    size_t waiting_count;
    size_t starting;
    size_t provision;      /* how many environments are to be made ahead */
    size_t provisioned;    /* how many there are, also those that still start */
    bool provision_failed; /* an init failed: none is made any more */
};

struct pool {
    uint32_t magic;
    struct env_host host; /* configuration */
    struct runtimes *runtimes;
    struct unpacker *unpacker;
    struct parking *parking;
    struct map *slots; /* state from here on */
    struct list line;
    struct list idle;          /* of all slots, the longest idle first */
    size_t environments;       /* those that are being ended included */
    const struct env *leaving; /* the one that is being ended to make room */
    struct list refused;       /* invocations that will not run: told from the loop */
    uv_timer_t soon;
    struct env_endpoint endpoint;
    size_t starting;
    uint64_t started_total;
    uint64_t invocations_total;
};

static void on_soon(uv_timer_t *timer);

/* ---- slots ---- */

static struct slice slot_key(const struct function *fn, char key[KEY_MAX])
{
    must(fn->arn.n + 1 + fn->version.n <= KEY_MAX);
    memcpy(key, fn->arn.p, fn->arn.n);
    key[fn->arn.n] = ':';
    memcpy(key + fn->arn.n + 1, fn->version.p, fn->version.n);
    return (struct slice){key, fn->arn.n + 1 + fn->version.n};
}

static struct slot *slot_find(struct pool *pool, const struct function *fn)
{
    char key[KEY_MAX];
    return map_get(pool->slots, slot_key(fn, key));
}

static struct slot *slot_new(struct pool *pool, const struct function *fn)
{
    char key[KEY_MAX];
    struct slot *slot = NEW(slot);
    slot->pool = pool;
    slot->key = slot_key(fn, key);
    slot->key.p = mem_str(slot->key);
    slot->fn = function_ref(fn);
    list_init(&slot->idle);
    list_init(&slot->ready);
    list_init(&slot->all);
    list_init(&slot->waiting);
    list_init(&slot->line);
    map_put(pool->slots, slot->key, slot);
    return slot;
}

static void slot_free(struct slot *slot)
{
    map_remove(slot->pool->slots, slot->key);
    list_remove(&slot->line);
    function_unref(slot->fn);
    free((void *)(uintptr_t)slot->key.p);
    free(slot);
}

/* Otherwise a function that is gone would keep its code. */
static void slot_free_if_unused(struct slot *slot)
{
    if (list_empty(&slot->all) && list_empty(&slot->waiting) && !slot->provision)
        slot_free(slot);
}

static bool is_current(const struct slot *slot, const struct env *env)
{
    return env_function(env)->run_generation == slot->fn->run_generation;
}

/* ---- refusing ---- */

static void refuse(struct pool *pool, struct invocation *inv, const struct err *why)
{
    inv->refused = *why;
    list_push_back(&pool->refused, &inv->link);
    uv_timer_start(&pool->soon, on_soon, 0, 0);
}

static void refuse_first(struct slot *slot, const struct err *why)
{
    if (list_empty(&slot->waiting))
        return;
    struct invocation *inv = LIST_FIRST(&slot->waiting, invocation, link);
    list_remove(&inv->link);
    slot->waiting_count--;
    refuse(slot->pool, inv, why);
}

static void tell_refused(struct pool *pool)
{
    while (!list_empty(&pool->refused)) {
        struct invocation *inv = LIST_FIRST(&pool->refused, invocation, link);
        list_remove(&inv->link);
        inv->done(inv);
    }
}

/* ---- starting ---- */

static bool lacks_provisioned(const struct slot *slot)
{
    return slot->provisioned < slot->provision && !slot->provision_failed;
}

static void start_one(struct slot *slot)
{
    struct pool *pool = slot->pool;
    struct err err;
    bool ahead = lacks_provisioned(slot);
    struct env *env = env_new(&pool->host, slot->fn, ahead);
    if (!env_start(env, &err)) {
        log_warn("env.start", "fn=%.*s err=%s", FMT(slot->fn->name), err.msg);
        env_free(env);
        slot->provision_failed |= ahead;
        refuse_first(slot, &err);
        return;
    }
    struct env_seat *seat = env_seat(env);
    slot->provisioned += ahead;
    seat->slot = slot;
    seat->starting = true;
    list_push_back(&slot->all, &seat->all);
    pool->environments++;
    slot->starting++;
    pool->starting++;
    pool->started_total++;
}

static bool may_start(const struct pool *pool)
{
    return pool->starting < pool->host.settings->starts_at_once &&
           pool->environments < pool->host.settings->environments_max;
}

/* The environment that has been idle longest goes; its end lets the next in line start. */
static void make_room(struct pool *pool)
{
    if (pool->environments < pool->host.settings->environments_max || pool->leaving ||
        list_empty(&pool->idle))
        return;
    struct env *env = LIST_FIRST(&pool->idle, env_seat, eldest)->env;
    pool->leaving = env;
    env_retire(env);
}

/* As many starts as there are invocations that no start is under way for. */
static void start_wanted(struct slot *slot)
{
    struct pool *pool = slot->pool;
    while (slot->starting < slot->waiting_count || lacks_provisioned(slot)) {
        if (!may_start(pool)) {
            if (list_empty(&slot->line))
                list_push_back(&pool->line, &slot->line);
            make_room(pool);
            return;
        }
        start_one(slot);
    }
}

static void start_next_in_line(struct pool *pool)
{
    while (!list_empty(&pool->line) && may_start(pool)) {
        struct slot *slot = LIST_FIRST(&pool->line, slot, line);
        list_remove(&slot->line);
        start_wanted(slot);
    }
    if (!list_empty(&pool->line))
        make_room(pool);
}

static void start_is_over(struct env_seat *seat)
{
    struct slot *slot = seat->slot;
    must(slot->starting > 0 && slot->pool->starting > 0);
    slot->starting--;
    slot->pool->starting--;
}

/* ---- running ---- */

static void run(struct env *env, struct invocation *inv)
{
    list_remove(&env_seat(env)->idle);
    list_remove(&env_seat(env)->eldest);
    env_run(env, inv);
}

static struct env *best_idle(struct slot *slot)
{
    if (!list_empty(&slot->ready))
        return LIST_FIRST(&slot->ready, env_seat, idle)->env;
    return list_empty(&slot->idle) ? NULL : LIST_FIRST(&slot->idle, env_seat, idle)->env;
}

/* More are made ahead than shall be. */
static bool surplus(const struct slot *slot)
{
    return slot->provision_failed || slot->provisioned > slot->provision;
}

static void on_idle(struct env *env)
{
    struct env_seat *seat = env_seat(env);
    struct slot *slot = seat->slot;
    struct pool *pool = slot->pool;
    bool was_starting = seat->starting;
    if (was_starting) {
        seat->starting = false;
        start_is_over(seat);
    }
    list_remove(&seat->idle); /* it may have been idle before, too, and is BROKEN now */
    list_remove(&seat->eldest);
    if (seat->provisioned && was_starting && env_phase(env) == ENV_BROKEN)
        slot->provision_failed = true; /* its init failed; invocations go on demand */
    if (!is_current(slot, env) || (seat->provisioned && surplus(slot))) {
        env_retire(env);
    } else if (!list_empty(&slot->waiting)) {
        struct invocation *inv = LIST_FIRST(&slot->waiting, invocation, link);
        list_remove(&inv->link);
        slot->waiting_count--;
        run(env, inv);
    } else if (seat->provisioned) {
        list_push_front(&slot->ready, &seat->idle);
    } else {
        (env_phase(env) != ENV_BROKEN ? list_push_front : list_push_back)(&slot->idle, &seat->idle);
        list_push_back(&pool->idle, &seat->eldest);
    }
    if (was_starting || !list_empty(&pool->line))
        start_next_in_line(pool);
}

static void on_dead(struct env *env, const struct err *why)
{
    struct env_seat *seat = env_seat(env);
    struct slot *slot = seat->slot;
    struct pool *pool = slot->pool;
    bool was_starting = seat->starting;
    if (was_starting)
        start_is_over(seat);
    pool->environments--;
    slot->provisioned -= seat->provisioned;
    if (seat->provisioned && was_starting && why)
        slot->provision_failed = true;
    if (pool->leaving == env)
        pool->leaving = NULL;
    if (why)
        log_warn("env.dead", "fn=%.*s err=%s", FMT(slot->fn->name), why->msg);
    env_free(env);
    /* A start that failed takes one of those who wait with it, so that nobody waits for ever. */
    if (was_starting && why)
        refuse_first(slot, why);
    start_wanted(slot);
    slot_free_if_unused(slot);
    start_next_in_line(pool);
}

void pool_invoke(struct pool *pool, struct invocation *inv)
{
    struct slot *slot = slot_find(pool, inv->fn);
    if (!slot)
        slot = slot_new(pool, inv->fn);
    else if (inv->fn->run_generation > slot->fn->run_generation)
        pool_function_changed(pool, slot->fn, inv->fn);
    pool->invocations_total++;
    inv->queued_ns = clock_mono_ns();
    inv->refused.fault = FAULT_NONE;

    struct env *env = best_idle(slot);
    if (env) {
        run(env, inv);
        return;
    }
    list_push_back(&slot->waiting, &inv->link);
    slot->waiting_count++;
    start_wanted(slot);
    slot_free_if_unused(slot);
}

void pool_set_endpoint(struct pool *pool, const struct env_endpoint *endpoint)
{
    pool->endpoint = *endpoint;
}

/* ---- change ---- */

static void retire_old(struct slot *slot, bool all)
{
    LIST_EACH(link, &slot->all)
    {
        struct env *env = LIST_ITEM(link, env_seat, all)->env;
        if (all || !is_current(slot, env)) {
            list_remove(&env_seat(env)->idle);
            env_retire(env);
        }
    }
}

void pool_retire(struct pool *pool, const struct function *fn)
{
    struct slot *slot = slot_find(pool, fn);
    if (slot)
        retire_old(slot, true);
}

void pool_function_changed(void *arg, const struct function *before, const struct function *now)
{
    struct pool *pool = CAST(pool, arg, POOL_MAGIC);
    struct slot *slot = slot_find(pool, before ? before : now);
    if (!slot)
        return;
    if (!now) {
        struct err gone;
        err_set(&gone, FAULT_NOT_FOUND, "Function not found: %.*s", FMT(slot->fn->arn));
        while (!list_empty(&slot->waiting))
            refuse_first(slot, &gone);
        slot->provision = 0;
        retire_old(slot, true);
        slot_free_if_unused(slot);
        return;
    }
    /* While an update is in progress the previous snapshot serves. */
    const struct function *serving = now->updating && now->previous ? now->previous : now;
    const struct function *old = slot->fn;
    slot->fn = function_ref(serving);
    function_unref(old);
    retire_old(slot, false);
}

/* ---- provisioned concurrency ---- */

void pool_provision(struct pool *pool, const struct function *fn, size_t count)
{
    struct slot *slot = slot_find(pool, fn);
    if (!slot && count == 0)
        return;
    if (!slot)
        slot = slot_new(pool, fn);
    slot->provision = count;
    slot->provision_failed = false;
    for (size_t extra = slot->provisioned > count ? slot->provisioned - count : 0;
         extra && !list_empty(&slot->ready); extra--) {
        struct env_seat *seat = LIST_FIRST(&slot->ready, env_seat, idle);
        list_remove(&seat->idle);
        env_retire(seat->env);
    }
    start_wanted(slot);
    slot_free_if_unused(slot);
}

struct pool_provisioned pool_provisioned(struct pool *pool, const struct function *fn)
{
    const struct slot *slot = slot_find(pool, fn);
    struct pool_provisioned found = {.failed = slot && slot->provision_failed};
    if (!slot)
        return found;
    found.wanted = slot->provision;
    LIST_EACH(link, &slot->all)
    {
        const struct env_seat *seat = LIST_ITEM(link, env_seat, all);
        enum env_phase phase = env_phase(seat->env);
        if (seat->provisioned && !seat->starting && phase != ENV_DEAD) {
            found.allocated++;
            found.available += phase != ENV_BUSY;
        }
    }
    return found;
}

/* ---- code ---- */

void pool_unpack(struct pool *pool, const struct pool_zip *zip, pool_unpacked *done, void *arg)
{
    unpacker_run(pool->unpacker, zip, done, arg);
}

void pool_forget_code(struct pool *pool, const char *digest)
{
    launcher_forget_code(pool->host.launcher, digest);
}

bool pool_choose_runtime(struct pool *pool, struct slice runtime, struct runtime_choice *out,
                         struct err *err)
{
    return runtimes_choose(pool->runtimes, runtime, out, err);
}

/* ---- the pool ---- */

static void on_soon(uv_timer_t *timer)
{
    tell_refused(CAST(pool, timer->data, POOL_MAGIC));
}

struct pool *pool_new(uv_loop_t *loop, int launcher_fd, struct log_store *logs,
                      const struct env_settings *settings, struct err *err)
{
    struct runtimes *runtimes = runtimes_load(settings, err);
    if (!runtimes)
        return NULL;
    struct launcher *launcher = launcher_new(loop, launcher_fd, err);
    if (!launcher) {
        runtimes_free(runtimes);
        return NULL;
    }
    struct pool *pool = NEW(pool);
    pool->magic = POOL_MAGIC;
    pool->runtimes = runtimes;
    pool->host = (struct env_host){.loop = loop,
                                   .launcher = launcher,
                                   .logs = logs,
                                   .settings = settings,
                                   .runtimes = runtimes,
                                   .endpoint = &pool->endpoint,
                                   .on_idle = on_idle,
                                   .on_dead = on_dead};
    pool->unpacker = unpacker_new(loop, launcher, settings);
    pool->parking = parking_new(loop, launcher, settings, runtimes);
    pool->host.parking = pool->parking;
    pool->slots = map_new();
    list_init(&pool->line);
    list_init(&pool->idle);
    list_init(&pool->refused);
    must(uv_timer_init(loop, &pool->soon) == 0);
    pool->soon.data = pool;
    return pool;
}

static void on_pool_closed(uv_handle_t *handle)
{
    free(CAST(pool, handle->data, POOL_MAGIC));
}

static void slot_close(struct slot *slot)
{
    struct err closing;
    err_set(&closing, FAULT_INTERNAL, "shutting down");
    while (!list_empty(&slot->waiting))
        refuse_first(slot, &closing);
    LIST_EACH(link, &slot->all)
    env_free(LIST_ITEM(link, env_seat, all)->env);
    slot_free(slot);
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    size_t at = 0;
    void *value = NULL;
    while (map_next(pool->slots, &at, &value)) {
        slot_close(value);
        at = 0; /* the map has changed */
    }
    tell_refused(pool);
    unpacker_free(pool->unpacker);
    parking_free(pool->parking);
    launcher_free(pool->host.launcher); /* the launcher ends the sandboxes with us */
    runtimes_free(pool->runtimes);
    map_free(pool->slots);
    uv_close((uv_handle_t *)&pool->soon, on_pool_closed);
}

struct pool_stats pool_stats(const struct pool *pool)
{
    struct parking_stats parked = parking_stats(pool->parking);
    struct pool_stats stats = {.parked = parked.waiting,
                               .parked_bytes = parked.bytes,
                               .started_total = pool->started_total,
                               .invocations_total = pool->invocations_total};
    size_t at = 0;
    void *value = NULL;
    while (map_next(pool->slots, &at, &value)) {
        struct slot *slot = value;
        LIST_EACH(link, &slot->all)
        {
            struct env *env = LIST_ITEM(link, env_seat, all)->env;
            stats.environments++;
            stats.busy += env_phase(env) == ENV_BUSY;
            stats.frozen += env_phase(env) == ENV_FROZEN;
            stats.starting += env_phase(env) == ENV_STARTING;
        }
    }
    return stats;
}

const struct launch_facts *pool_facts(const struct pool *pool)
{
    const struct launch_facts *facts = launcher_facts(pool->host.launcher);
    return facts->seccomp ? facts : NULL; /* every launcher has it: the packet has come */
}
