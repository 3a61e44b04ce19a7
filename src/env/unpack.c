#include "env/unpack.h"

#include "base/log.h"
#include "base/mem.h"
#include "env/sandbox.h"
#include "loop/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define UNPACK_REFUSED                                                                             \
    "Could not unzip uploaded file. Please check your file, then try to upload again."

enum {
    UNPACKER_MAGIC = 0x554e5041,
    BATCH_MAGIC = 0x554e5042,
    UNPACKS_AT_ONCE = 8,      /* many at once would take the sandboxes from the functions */
    SHARED_AT_ONCE = 2,       /* of one owner: what comes meanwhile fills the next one */
    SHARED_ZIP_MAX = 1 << 18, /* a larger zip takes longer than its sandbox, and goes alone */
    UNPACK_MEMORY = 256 << 20,
    UNPACK_PIDS = 8,
    UNPACK_FILES = 256,
    UNPACK_TMP = 1 << 20, /* nothing is written there; the least that a sandbox can have */
    OUTPUT_MAX = 200,     /* one line of explanation */
    OWNER_MAX = 15,       /* an account's 12 digits */
};

struct unpacker {
    uint32_t magic;
    uv_loop_t *loop; /* configuration */
    struct launcher *launcher;
    const struct env_settings *settings;
    struct list line;    /* state: jobs that wait */
    struct list batches; /* those that run */
    size_t running;
};

struct job {
    struct list link; /* in the line or in a batch */
    char owner[OWNER_MAX + 1];
    char digest[LAUNCH_DIGEST_LEN + 1];
    int zip;
    bool shares; /* may be unpacked beside others */
    pool_unpacked *done;
    void *arg;
};

/* What one sandbox unpacks. */
struct batch {
    uint32_t magic;
    struct list link;
    struct unpacker *unpacker;
    struct list jobs;
    size_t count;
    struct sandbox *sandbox;
    int output; /* read end of its stdout and stderr; -1 = none */
    uv_timer_t timer;
    bool failed;
    struct err err;
};

static void start_some(struct unpacker *unpacker);

static void fail(struct batch *batch, const struct err *err)
{
    if (!batch->failed)
        batch->err = *err;
    batch->failed = true;
}

static void fail_bad_zip(struct batch *batch)
{
    struct err err;
    err_set(&err, FAULT_INVALID, UNPACK_REFUSED);
    fail(batch, &err);
}

/* ---- the end ---- */

static void on_batch_closed(uv_handle_t *handle)
{
    free(CAST(batch, handle->data, BATCH_MAGIC));
}

static void job_end(struct job *job, const struct err *err)
{
    pool_unpacked *done = job->done;
    void *arg = job->arg;
    list_remove(&job->link);
    if (job->zip >= 0)
        close(job->zip);
    free(job);
    done(arg, err);
}

/* Back into the line, in front: each alone. */
static void separate(struct batch *batch)
{
    while (!list_empty(&batch->jobs)) {
        struct job *job = LIST_LAST(&batch->jobs, job, link);
        list_remove(&job->link);
        list_push_front(&batch->unpacker->line, &job->link);
        job->shares = false;
    }
}

static bool is_in_place(const struct batch *batch, const struct job *job)
{
    char path[4096];
    const char *data_dir = batch->unpacker->settings->data_dir;
    if (!data_dir)
        return true;
    snprintf(path, sizeof path, "%s/code/%s", data_dir, job->digest);
    return access(path, F_OK) == 0;
}

static void tell_each(struct batch *batch)
{
    struct err lost;
    err_set(&lost, FAULT_INTERNAL, "unpacked code could not be put in place");
    LIST_EACH(link, &batch->jobs)
    {
        struct job *job = LIST_ITEM(link, job, link);
        if (batch->failed)
            job_end(job, &batch->err);
        else
            job_end(job, is_in_place(batch, job) ? NULL : &lost);
    }
}

static void batch_end(struct batch *batch, bool again)
{
    struct unpacker *unpacker = batch->unpacker;
    list_remove(&batch->link);
    unpacker->running--;
    if (batch->output >= 0)
        close(batch->output);
    if (batch->failed && again && batch->count > 1)
        separate(batch);
    tell_each(batch);
    uv_close((uv_handle_t *)&batch->timer, on_batch_closed);
    start_some(unpacker);
}

/* ---- the sandbox ---- */

static void on_spawned(void *arg)
{
    struct batch *batch = CAST(batch, arg, BATCH_MAGIC);
    sandbox_order(batch->sandbox, CONTROL_START);
}

static void read_explanation(struct batch *batch, char text[OUTPUT_MAX + 1])
{
    ssize_t n = read(batch->output, text, OUTPUT_MAX);
    size_t length = n > 0 ? (size_t)n : 0;
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

static void unpacked(struct batch *batch, int status)
{
    char text[OUTPUT_MAX + 1];
    struct err err;
    if (status == 0)
        return;
    read_explanation(batch, text);
    if (status == UNPACK_BAD_ZIP)
        err_set(&err, FAULT_INVALID, UNPACK_REFUSED "\n%s", text);
    else if (status == UNPACK_TOO_LARGE)
        err_set(&err, FAULT_LIMIT, "Unzipped size must be smaller than 262144000 bytes");
    else if (status == UNPACK_NO_SPACE)
        err_os(&err, ENOSPC, "unpack");
    else
        err_set(&err, FAULT_INTERNAL, "unpacking ended with status %d: %s", status, text);
    log_info("unpack.failed", "zips=%zu status=%d text=%s", batch->count, status, text);
    fail(batch, &err);
}

/* Init exits with its payload and with the same status; then the launcher puts the trees in place
 * if all went well. A sandbox that is killed leaves none. */
static void on_control(void *arg, const struct control_event *event)
{
    struct batch *batch = CAST(batch, arg, BATCH_MAGIC);
    struct err err;
    if (event->what != CONTROL_FAILED)
        return;
    err_os(&err, event->os, "start of lambkin-unpack: %s", event->step);
    fail(batch, &err);
    sandbox_kill(batch->sandbox);
}

/* The kernel has killed it, then GONE tells; or it says that the cgroup is going away. */
static void on_oom(void *arg)
{
    (void)arg;
}

static void on_timer(uv_timer_t *timer)
{
    struct batch *batch = CAST(batch, timer->data, BATCH_MAGIC);
    log_warn("unpack.timeout", "seconds=%u", batch->unpacker->settings->unpack_timeout_ms / 1000);
    fail_bad_zip(batch);
    sandbox_kill(batch->sandbox);
}

static void on_refused(void *arg, const struct err *err)
{
    struct batch *batch = CAST(batch, arg, BATCH_MAGIC);
    batch->failed = false; /* even if it was to be ended: this is what happened */
    fail(batch, err);
    batch_end(batch, false);
}

/* The trees count only now: nobody can write to them any more. */
static void on_gone(void *arg, const struct launch_reply *reply)
{
    struct batch *batch = CAST(batch, arg, BATCH_MAGIC);
    if (!batch->failed && reply->oom)
        fail_bad_zip(batch);
    else if (!batch->failed)
        unpacked(batch, reply->os);
    batch_end(batch, true);
}

static const struct sandbox_handler handler = {
    .on_spawned = on_spawned,
    .on_refused = on_refused,
    .on_control = on_control,
    .on_oom = on_oom,
    .on_gone = on_gone,
};

static struct sandbox_spec *unpack_spec(const struct batch *batch)
{
    struct sandbox_spec *spec = NEW(sandbox_spec);
    spec->kind = LAUNCH_UNPACK;
    spec->memory = UNPACK_MEMORY;
    spec->pids = UNPACK_PIDS;
    spec->nofile = UNPACK_FILES;
    spec->tmp_size = UNPACK_TMP;
    /* The launcher shows libexec to it at /var/runtime. */
    static const char program[] = "/var/runtime/lambkin-unpack";
    memcpy(spec->strings, program, sizeof program);
    spec->strings_len = sizeof program;
    spec->argc = 1;
    LIST_EACH(link, &batch->jobs)
    {
        const struct job *job = LIST_ITEM(link, job, link);
        memcpy(spec->strings + spec->strings_len, job->digest, sizeof job->digest);
        spec->strings_len += sizeof job->digest;
        spec->argc++;
    }
    return spec;
}

/* A socket in which all zips of the batch wait; -1: err says why. */
static int queue_zips(const struct batch *batch, struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        err_os(err, errno, "socket of lambkin-unpack");
        return -1;
    }
    AUTO(fd) int ours = pair[0];
    AUTO(fd) int theirs = pair[1];
    LIST_EACH(link, &batch->jobs)
    {
        const struct job *job = LIST_ITEM(link, job, link);
        if (fdpass_send(ours, S("z"), &job->zip, 1) != FDPASS_DONE) {
            err_os(err, errno, "hand a zip to lambkin-unpack");
            return -1;
        }
    }
    return fd_take(&theirs);
}

static void on_unable(uv_timer_t *timer)
{
    batch_end(CAST(batch, timer->data, BATCH_MAGIC), false);
}

static bool spawn(struct batch *batch, struct err *err)
{
    int ends[2];
    int zips = queue_zips(batch, err);
    if (zips < 0)
        return false;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        close(zips);
        return err_os(err, errno, "pipe of lambkin-unpack");
    }
    batch->output = ends[0];
    AUTO(free) struct sandbox_spec *spec = unpack_spec(batch);
    uv_timer_start(&batch->timer, on_timer, batch->unpacker->settings->unpack_timeout_ms, 0);
    batch->sandbox =
        sandbox_spawn(batch->unpacker->launcher, spec, (int[2]){ends[1], zips}, &handler, batch);
    return true;
}

/* ---- the line ---- */

static bool joins(const struct batch *batch, const struct job *job)
{
    const struct job *first = LIST_FIRST(&batch->jobs, job, link);
    if (batch->count == LAUNCH_UNPACK_MAX || !job->shares || !first->shares ||
        strcmp(first->owner, job->owner) != 0)
        return false;
    LIST_EACH(link, &batch->jobs)
    {
        if (!strcmp(LIST_ITEM(link, job, link)->digest, job->digest))
            return false;
    }
    return true;
}

static void take(struct batch *batch, struct job *job)
{
    list_remove(&job->link);
    list_push_back(&batch->jobs, &job->link);
    batch->count++;
}

static void batch_start(struct unpacker *unpacker, struct job *first)
{
    struct batch *batch = NEW(batch);
    struct err err;
    batch->magic = BATCH_MAGIC;
    batch->unpacker = unpacker;
    batch->output = -1;
    batch->timer.data = batch;
    must(uv_timer_init(unpacker->loop, &batch->timer) == 0);
    list_init(&batch->jobs);
    list_push_back(&unpacker->batches, &batch->link);
    unpacker->running++;
    take(batch, first);
    LIST_EACH(link, &unpacker->line)
    {
        struct job *job = LIST_ITEM(link, job, link);
        if (joins(batch, job))
            take(batch, job);
    }
    if (!spawn(batch, &err)) {
        fail(batch, &err);
        uv_timer_start(&batch->timer, on_unable, 0, 0);
    }
}

static bool may_start(const struct unpacker *unpacker, const struct job *job)
{
    size_t shared = 0;
    LIST_EACH(link, &unpacker->batches)
    {
        const struct batch *batch = LIST_ITEM(link, batch, link);
        const struct job *first = LIST_FIRST(&batch->jobs, job, link);
        shared += first->shares && !strcmp(first->owner, job->owner);
    }
    return !job->shares || shared < SHARED_AT_ONCE;
}

static struct job *next_job(const struct unpacker *unpacker)
{
    LIST_EACH(link, &unpacker->line)
    {
        struct job *job = LIST_ITEM(link, job, link);
        if (may_start(unpacker, job))
            return job;
    }
    return NULL;
}

static void start_some(struct unpacker *unpacker)
{
    struct job *job = NULL;
    while (unpacker->running < UNPACKS_AT_ONCE && (job = next_job(unpacker)))
        batch_start(unpacker, job);
}

void unpacker_run(struct unpacker *unpacker, const struct pool_zip *zip, pool_unpacked *done,
                  void *arg)
{
    struct job *job = NEW(job);
    struct stat st;
    must(strlen(zip->digest) == LAUNCH_DIGEST_LEN && zip->owner.n <= OWNER_MAX);
    memcpy(job->digest, zip->digest, LAUNCH_DIGEST_LEN);
    memcpy(job->owner, zip->owner.p, zip->owner.n);
    job->zip = zip->fd;
    job->shares = zip->owner.n && fstat(zip->fd, &st) == 0 && st.st_size <= SHARED_ZIP_MAX;
    job->done = done;
    job->arg = arg;
    list_push_back(&unpacker->line, &job->link);
    start_some(unpacker);
}

struct unpacker *unpacker_new(uv_loop_t *loop, struct launcher *launcher,
                              const struct env_settings *settings)
{
    struct unpacker *unpacker = NEW(unpacker);
    unpacker->magic = UNPACKER_MAGIC;
    unpacker->loop = loop;
    unpacker->launcher = launcher;
    unpacker->settings = settings;
    list_init(&unpacker->line);
    list_init(&unpacker->batches);
    return unpacker;
}

void unpacker_free(struct unpacker *unpacker)
{
    struct err err;
    if (!unpacker)
        return;
    err_set(&err, FAULT_INTERNAL, "shutting down");
    LIST_EACH(link, &unpacker->line)
    job_end(LIST_ITEM(link, job, link), &err);
    while (!list_empty(&unpacker->batches)) {
        struct batch *batch = LIST_FIRST(&unpacker->batches, batch, link);
        batch->failed = true;
        batch->err = err;
        batch_end(batch, false);
    }
    free(unpacker);
}
