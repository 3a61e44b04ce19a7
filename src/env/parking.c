#include "env/parking.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "env/logs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    PARKING_MAGIC = 0x5041524b,
    PARKED_MAGIC = 0x50415244,
    PARKED_EACH_MAX = 8,
    QUIET_MS = 10, /* after a cold start: booting the next one must not take its processor */
    CHECK_MS = 60 * 1000,
    BOOT_MS = 60 * 1000,      /* of a processor that others may keep busy */
    LOST_MS = 1000,           /* after one died: what killed it may still be there */
    FAILURES_MAX = 3,         /* in a row, then none of this kind is booted until CHECK_MS later */
    UNKNOWN_BYTES = 16 << 20, /* until it is measured */
    ZYGOTE_LIFE_MS = 60 * 60 * 1000,
    PARKED_MEMORY = 1024 << 20, /* while it boots; then the function's own limit counts */
    PARKED_WEIGHT_MB = 16, /* of processors: what boots ahead gives way to what was asked for; not
                            * the zygotes, for which that waits */
};

struct parking {
    uint32_t magic;
    uv_loop_t *loop; /* configuration */
    struct launcher *launcher;
    const struct env_settings *settings;
    const struct runtimes *runtimes;
    struct list kinds; /* state: the one that was asked for last comes first */
    struct list gone;  /* those that are being ended */
    uv_timer_t timer;
};

/* What makes a runtime fit a function: root file system, interpreter, arguments, variables. */
struct kind {
    struct list link;
    struct sandbox_spec *spec;
    struct stat interpreter; /* as it was when the first of them was booted */
    char path[SPEC_PATH_MAX];
    struct parked *zygote; /* NULL: none */
    struct list parked;    /* the oldest first */
    size_t count;
    struct tries {
        unsigned failures; /* to boot */
        uint64_t failed_ns;
    } parks, forks;
    uint64_t asked_ns;
};

struct parked {
    uint32_t magic;
    struct list link;
    struct parking *parking;
    struct kind *kind; /* NULL: it is being ended */
    struct sandbox *sandbox;
    int fds[2];
    bool booting;
    bool is_zygote;
    bool proven;     /* a zygote that has forked */
    uint64_t zygote; /* asked to fork it; 0 = none */
    uint64_t begun_ns;
};

static void on_timer(uv_timer_t *timer);

static void arm(struct parking *parking, uint64_t ms)
{
    uv_timer_start(&parking->timer, on_timer, ms, 0);
}

/* ---- one runtime ---- */

static void parked_free(struct parked *parked)
{
    list_remove(&parked->link);
    for (int i = 0; i < 2; i++) {
        if (parked->fds[i] >= 0)
            close(parked->fds[i]);
    }
    free(parked);
}

static void leave_kind(struct parked *parked)
{
    list_remove(&parked->link);
    if (parked->is_zygote)
        parked->kind->zygote = NULL;
    else
        parked->kind->count--;
    parked->kind = NULL;
}

static void fail_once(struct tries *tries)
{
    tries->failures++;
    tries->failed_ns = clock_mono_ns();
}

/* It is of no use any more. */
static void lose(struct parked *parked)
{
    struct kind *kind = parked->kind;
    if (parked->is_zygote && !parked->proven)
        fail_once(&kind->forks);
    else if (parked->booting)
        fail_once(&kind->parks);
    leave_kind(parked);
    list_push_back(&parked->parking->gone, &parked->link);
    arm(parked->parking, parked->booting ? QUIET_MS : LOST_MS);
}

static void discard(struct parked *parked)
{
    leave_kind(parked);
    list_push_back(&parked->parking->gone, &parked->link);
    sandbox_kill(parked->sandbox);
}

static void say_why(const struct parked *parked, const char *what, int number)
{
    char text[256];
    ssize_t n = read(parked->fds[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    log_warn("parking.failed", "runtime=%s %s=%d text=%s", parked->kind->spec->runtime, what,
             number, text);
}

static void fail(struct parked *parked, const char *what, int number)
{
    if (!parked->kind)
        return;
    say_why(parked, what, number);
    lose(parked);
    sandbox_kill(parked->sandbox);
}

static void on_spawned(void *arg)
{
    struct parked *parked = CAST(parked, arg, PARKED_MAGIC);
    if (!parked->is_zygote) /* which starts by itself */
        sandbox_order(parked->sandbox, CONTROL_START);
}

static void on_control(void *arg, const struct control_event *event)
{
    struct parked *parked = CAST(parked, arg, PARKED_MAGIC);
    if (event->what == CONTROL_STARTED) {
        parking_forked(parked->parking, parked->zygote, event);
        if (parked->kind) /* not earlier: what is set up meanwhile may keep others waiting */
            sandbox_tune(parked->sandbox, &(struct launch_cpu){.weight_mb = PARKED_WEIGHT_MB});
    } else if (event->what == CONTROL_PARKED) {
        parked->booting = false;
        arm(parked->parking, QUIET_MS);
    } else if (event->what == CONTROL_FAILED) {
        fail(parked, event->step, event->os);
    } else if (event->what == CONTROL_EXITED) {
        fail(parked, "status", event->status);
    }
}

static void on_oom(void *arg)
{
    fail(CAST(parked, arg, PARKED_MAGIC), "oom", 1);
}

static void on_gone(void *arg, const struct launch_reply *reply)
{
    struct parked *parked = CAST(parked, arg, PARKED_MAGIC);
    if (parked->kind)
        lose(parked);
    parked_free(parked);
}

static void on_refused(void *arg, const struct err *err)
{
    on_gone(arg, NULL);
}

static const struct sandbox_handler handler = {
    .on_spawned = on_spawned,
    .on_refused = on_refused,
    .on_control = on_control,
    .on_oom = on_oom,
    .on_gone = on_gone,
};

static uint64_t fork_of(const struct kind *kind)
{
    return kind->zygote && !kind->zygote->booting ? sandbox_id(kind->zygote->sandbox) : 0;
}

static void boot(struct parking *parking, struct kind *kind, bool zygote)
{
    struct parked *parked = NEW(parked);
    struct err err;
    int theirs[2];
    if (!logs_make_pipes(parked->fds, theirs, &err)) {
        log_warn("parking.failed", "err=%s", err.msg);
        free(parked);
        return;
    }
    parked->magic = PARKED_MAGIC;
    parked->parking = parking;
    parked->kind = kind;
    parked->booting = true;
    parked->is_zygote = zygote;
    parked->begun_ns = clock_mono_ns();
    if (zygote) {
        list_init(&parked->link);
        kind->zygote = parked;
    } else {
        list_push_back(&kind->parked, &parked->link);
        kind->count++;
    }
    kind->spec->kind = zygote ? LAUNCH_ZYGOTE : LAUNCH_PARKED;
    kind->spec->zygote = parked->zygote = zygote ? 0 : fork_of(kind);
    parked->sandbox = sandbox_spawn(parking->launcher, kind->spec, theirs, &handler, parked);
}

/* ---- kinds ---- */

static uint64_t bytes_of(const struct parked *parked)
{
    uint64_t bytes = parked->booting ? 0 : sandbox_peak(parked->sandbox, clock_mono_ns());
    return bytes ? bytes : UNKNOWN_BYTES;
}

struct parking_stats parking_stats(const struct parking *parking)
{
    struct parking_stats stats = {0};
    LIST_EACH(at, &parking->kinds)
    {
        const struct kind *kind = LIST_ITEM(at, kind, link);
        stats.runtimes += kind->zygote != NULL;
        stats.bytes += kind->zygote ? bytes_of(kind->zygote) : 0;
        LIST_EACH(link, &kind->parked)
        {
            const struct parked *parked = LIST_ITEM(link, parked, link);
            stats.runtimes++;
            stats.waiting += !parked->booting;
            stats.bytes += bytes_of(parked);
        }
    }
    return stats;
}

static void empty(struct kind *kind)
{
    LIST_EACH(link, &kind->parked)
    discard(LIST_ITEM(link, parked, link));
    if (kind->zygote)
        discard(kind->zygote);
}

static void kind_free(struct kind *kind)
{
    list_remove(&kind->link);
    empty(kind);
    free(kind->spec);
    free(kind);
}

/* An interpreter that was upgraded does not go on with the files of its predecessor. */
static bool is_replaced(struct kind *kind)
{
    struct stat now;
    if (stat(kind->path, &now) == 0 && now.st_ino == kind->interpreter.st_ino &&
        now.st_dev == kind->interpreter.st_dev && now.st_mtime == kind->interpreter.st_mtime &&
        now.st_size == kind->interpreter.st_size)
        return false;
    empty(kind);
    kind->interpreter = now;
    kind->parks.failures = kind->forks.failures = 0;
    return true;
}

static struct kind *kind_new(struct parking *parking, struct sandbox_spec *spec, const char *path)
{
    struct kind *kind = NEW(kind);
    kind->spec = spec;
    snprintf(kind->path, sizeof kind->path, "%s", path);
    if (stat(path, &kind->interpreter) != 0)
        kind->parks.failures = kind->forks.failures = FAILURES_MAX;
    kind->parks.failed_ns = kind->forks.failed_ns = clock_mono_ns();
    list_init(&kind->parked);
    list_push_front(&parking->kinds, &kind->link);
    return kind;
}

static bool is_same(const struct sandbox_spec *a, const struct sandbox_spec *b)
{
    return !strcmp(a->rootfs, b->rootfs) && !strcmp(a->runtime, b->runtime) && a->argc == b->argc &&
           a->strings_len == b->strings_len && memcmp(a->strings, b->strings, a->strings_len) == 0;
}

void parking_want(struct parking *parking, const struct function *fn)
{
    char path[SPEC_PATH_MAX];
    if (!parking->settings->parked_bytes)
        return;
    AUTO(free) struct sandbox_spec *spec = NEW(sandbox_spec);
    if (!spec_fill_parked(spec, parking->settings, parking->runtimes, fn, path))
        return;
    spec->memory = PARKED_MEMORY;
    struct kind *kind = NULL;
    LIST_EACH(link, &parking->kinds)
    {
        struct kind *known = LIST_ITEM(link, kind, link);
        if (!kind && is_same(known->spec, spec))
            kind = known;
    }
    if (!kind)
        kind = kind_new(parking, STEAL(spec), path);
    list_remove(&kind->link);
    list_push_front(&parking->kinds, &kind->link);
    kind->asked_ns = clock_mono_ns();
    arm(parking, QUIET_MS);
}

bool parking_take(struct parking *parking, const struct sandbox_spec *spec,
                  struct parked_runtime *out)
{
    LIST_EACH(link, &parking->kinds)
    {
        struct kind *kind = LIST_ITEM(link, kind, link);
        if (list_empty(&kind->parked) ||
            !spec_serves(kind->spec, spec, spec_start_variables(parking->runtimes, kind->spec)) ||
            is_replaced(kind))
            continue;
        struct parked *parked = LIST_FIRST(&kind->parked, parked, link);
        if (parked->booting)
            continue;
        leave_kind(parked);
        kind->parks.failures = 0;
        *out = (struct parked_runtime){parked->sandbox, {parked->fds[0], parked->fds[1]}};
        free(parked);
        arm(parking, QUIET_MS);
        return true;
    }
    return false;
}

uint64_t parking_zygote(struct parking *parking, const struct sandbox_spec *spec)
{
    LIST_EACH(link, &parking->kinds)
    {
        struct kind *kind = LIST_ITEM(link, kind, link);
        if (fork_of(kind) &&
            spec_serves(kind->spec, spec, spec_start_variables(parking->runtimes, kind->spec)) &&
            !is_replaced(kind))
            return fork_of(kind);
    }
    return 0;
}

static void judge(struct kind *kind, const struct control_event *started)
{
    struct tries *tries = &kind->forks;
    if (started->fork == FORK_DONE) {
        tries->failures = 0;
        kind->zygote->proven = true;
    }
    if (started->fork != FORK_FAILED && started->fork != FORK_SILENT)
        return;
    log_warn("parking.failed", "runtime=%s fork=%s os=%d", kind->spec->runtime,
             started->fork == FORK_SILENT ? "silent" : started->step, started->os);
    fail_once(tries);
    if (started->fork == FORK_SILENT || tries->failures >= FAILURES_MAX) {
        arm(kind->zygote->parking, LOST_MS);
        discard(kind->zygote);
    }
}

void parking_forked(struct parking *parking, uint64_t zygote, const struct control_event *started)
{
    LIST_EACH(link, &parking->kinds)
    {
        struct kind *kind = LIST_ITEM(link, kind, link);
        if (zygote && fork_of(kind) == zygote)
            judge(kind, started);
    }
}

/* ---- how many ---- */

static bool any_booting(const struct parking *parking)
{
    LIST_EACH(at, &parking->kinds)
    {
        const struct kind *kind = LIST_ITEM(at, kind, link);
        if (kind->zygote && kind->zygote->booting)
            return true;
        LIST_EACH(link, &kind->parked)
        {
            if (LIST_ITEM(link, parked, link)->booting)
                return true;
        }
    }
    return false;
}

static void fail_late(struct parked *parked)
{
    if (parked->booting && clock_mono_ns() - parked->begun_ns >= (uint64_t)BOOT_MS * 1000000)
        fail(parked, "late_ms", BOOT_MS);
}

/* Ends those that neither come up nor end: the next ones wait for them. */
static void end_late(const struct parking *parking)
{
    LIST_EACH(at, &parking->kinds)
    {
        const struct kind *kind = LIST_ITEM(at, kind, link);
        if (kind->zygote)
            fail_late(kind->zygote);
        LIST_EACH(link, &kind->parked)
        fail_late(LIST_ITEM(link, parked, link));
    }
}

/* One that nobody asked for lately. */
static bool forget_kind(const struct parking *parking)
{
    struct kind *oldest = LIST_ITEM(parking->kinds.prev, kind, link);
    uint64_t life_ns = (uint64_t)parking->settings->idle_life_ms * 1000000;
    if (list_empty(&parking->kinds) || clock_mono_ns() - oldest->asked_ns <= life_ns)
        return false;
    kind_free(oldest);
    return true;
}

static bool may_try(const struct tries *tries)
{
    return tries->failures < FAILURES_MAX ||
           clock_mono_ns() - tries->failed_ns > (uint64_t)CHECK_MS * 1000000;
}

static bool wants_zygote(const struct parking *parking, const struct kind *kind)
{
    const struct runtime_conf *conf =
        runtimes_conf(parking->runtimes, slice_str(kind->spec->runtime));
    return !kind->zygote && parking->settings->zygotes &&
           launcher_facts(parking->launcher)->zygotes && !*kind->spec->rootfs && conf &&
           slice_eq(conf->forks, S("yes")) && may_try(&kind->forks);
}

static void end_old_zygotes(const struct parking *parking)
{
    LIST_EACH(link, &parking->kinds)
    {
        struct parked *zygote = LIST_ITEM(link, kind, link)->zygote;
        if (zygote && !zygote->booting &&
            clock_mono_ns() - zygote->begun_ns > (uint64_t)ZYGOTE_LIFE_MS * 1000000)
            discard(zygote);
    }
}

/* One of each kind that was asked for lately, more only of the last one, while they fit. */
static struct kind *next_kind(const struct parking *parking)
{
    struct parking_stats stats = parking_stats(parking);
    bool first = true;
    LIST_EACH(link, &parking->kinds)
    {
        struct kind *kind = LIST_ITEM(link, kind, link);
        size_t wanted = first ? PARKED_EACH_MAX : 1;
        bool only = first && kind->count == 0; /* one is worth it whatever it takes */
        uint64_t each =
            kind->count ? bytes_of(LIST_FIRST(&kind->parked, parked, link)) : UNKNOWN_BYTES;
        first = false;
        if (may_try(&kind->parks) && kind->count < wanted &&
            stats.runtimes < parking->settings->parked_max &&
            (only || stats.bytes + each <= parking->settings->parked_bytes))
            return kind;
    }
    return NULL;
}

/* Kinds that were asked for long ago make room, the oldest first; of the last one, one may stay. */
static void make_room(struct parking *parking)
{
    for (struct list *at = parking->kinds.prev; at != &parking->kinds; at = at->prev) {
        struct kind *kind = LIST_ITEM(at, kind, link);
        size_t stay = at == parking->kinds.next ? 1 : 0;
        while (kind->count > stay && parking_stats(parking).bytes > parking->settings->parked_bytes)
            discard(LIST_FIRST(&kind->parked, parked, link));
        if (stay == 0 && kind->zygote &&
            parking_stats(parking).bytes > parking->settings->parked_bytes)
            discard(kind->zygote);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct parking *parking = CAST(parking, timer->data, PARKING_MAGIC);
    if (forget_kind(parking)) {
        arm(parking, QUIET_MS);
        return;
    }
    end_late(parking);
    if (any_booting(parking)) { /* the next step follows when it is up */
        arm(parking, BOOT_MS);
        return;
    }
    end_old_zygotes(parking);
    make_room(parking);
    struct kind *kind = next_kind(parking);
    if (kind) {
        arm(parking, BOOT_MS);
        boot(parking, kind, wants_zygote(parking, kind));
    } else if (!list_empty(&parking->kinds)) {
        arm(parking, CHECK_MS);
    }
}

struct parking *parking_new(uv_loop_t *loop, struct launcher *launcher,
                            const struct env_settings *settings, const struct runtimes *runtimes)
{
    struct parking *parking = NEW(parking);
    parking->magic = PARKING_MAGIC;
    parking->loop = loop;
    parking->launcher = launcher;
    parking->settings = settings;
    parking->runtimes = runtimes;
    list_init(&parking->kinds);
    list_init(&parking->gone);
    must(uv_timer_init(loop, &parking->timer) == 0);
    parking->timer.data = parking;
    return parking;
}

static void on_parking_closed(uv_handle_t *handle)
{
    free(CAST(parking, handle->data, PARKING_MAGIC));
}

void parking_free(struct parking *parking)
{
    if (!parking)
        return;
    LIST_EACH(link, &parking->kinds)
    kind_free(LIST_ITEM(link, kind, link));
    LIST_EACH(at, &parking->gone)
    parked_free(LIST_ITEM(at, parked, link));
    uv_close((uv_handle_t *)&parking->timer, on_parking_closed);
}
