#include "env/unpack.h"

#include "base/log.h"
#include "base/mem.h"
#include "env/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define UNPACK_REFUSED                                                                             \
    "Could not unzip uploaded file. Please check your file, then try to upload again."

enum {
    UNPACKER_MAGIC = 0x554e5041,
    JOB_MAGIC = 0x554e504a,
    UNPACKS_AT_ONCE = 8,
    UNPACK_MEMORY = 256 << 20,
    UNPACK_PIDS = 8,
    UNPACK_FILES = 256,
    UNPACK_TMP = 1 << 20, /* nothing is written there; the least that a sandbox can have */
    OUTPUT_MAX = 200,     /* one line of explanation */
};

struct unpacker {
    uint32_t magic;
    uv_loop_t *loop; /* configuration */
    struct launcher *launcher;
    const struct env_settings *settings;
    struct list jobs; /* state: those that run */
    struct list line; /* those that wait */
    size_t running;
};

struct job {
    uint32_t magic;
    struct list link;
    struct unpacker *unpacker;
    char digest[LAUNCH_DIGEST_LEN + 1];
    pool_unpacked *done;
    void *arg;
    struct sandbox *sandbox;
    int zip;    /* until the sandbox has it */
    int output; /* read end of its stdout and stderr; -1 = none */
    uv_timer_t timer;
    bool finished;
    bool failed;
    struct err err;
};

static void on_job_closed(uv_handle_t *handle)
{
    free(CAST(job, handle->data, JOB_MAGIC));
}

static void job_free(struct job *job)
{
    list_remove(&job->link);
    if (job->output >= 0)
        close(job->output);
    if (job->zip >= 0)
        close(job->zip);
    uv_close((uv_handle_t *)&job->timer, on_job_closed);
}

static void fail(struct job *job, const struct err *err)
{
    if (!job->finished)
        job->err = *err;
    job->failed |= !job->finished;
    job->finished = true;
}

static void start_next(struct unpacker *unpacker);

/* The tree counts only once the sandbox is gone: then nobody can write to it any more. */
static void conclude(struct job *job)
{
    pool_unpacked *done = job->done;
    void *arg = job->arg;
    struct err err = job->err;
    bool failed = job->failed;
    struct unpacker *unpacker = job->unpacker;
    unpacker->running--;
    job_free(job);
    start_next(unpacker);
    done(arg, failed ? &err : NULL);
}

static void on_spawned(void *arg)
{
    struct job *job = CAST(job, arg, JOB_MAGIC);
    sandbox_order(job->sandbox, CONTROL_START);
}

static void read_explanation(struct job *job, char text[OUTPUT_MAX + 1])
{
    ssize_t n = read(job->output, text, OUTPUT_MAX);
    size_t length = n > 0 ? (size_t)n : 0;
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

static void exited(struct job *job, int status)
{
    char text[OUTPUT_MAX + 1];
    struct err err;
    read_explanation(job, text);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == 0) {
        job->finished = true;
        return;
    }
    if (code == UNPACK_BAD_ZIP)
        err_set(&err, FAULT_INVALID, UNPACK_REFUSED "\n%s", text);
    else if (code == UNPACK_TOO_LARGE)
        err_set(&err, FAULT_LIMIT, "Unzipped size must be smaller than 262144000 bytes");
    else if (code == UNPACK_NO_SPACE)
        err_os(&err, ENOSPC, "unpack");
    else
        err_set(&err, FAULT_INTERNAL, "unpacking ended with status %d: %s", status, text);
    log_info("unpack.failed", "status=%d text=%s", status, text);
    fail(job, &err);
}

/* After EXITED init exits too, and the launcher puts the tree in place if all went well. A sandbox
 * that is killed leaves none. */
static void on_control(void *arg, const struct control_event *event)
{
    struct job *job = CAST(job, arg, JOB_MAGIC);
    struct err err;
    if (event->what == CONTROL_EXITED) {
        exited(job, event->status);
    } else if (event->what == CONTROL_FAILED) {
        err_os(&err, event->os, "start of lambkin-unpack: %s", event->step);
        fail(job, &err);
        sandbox_kill(job->sandbox);
    }
}

static void fail_bad_zip(struct job *job)
{
    struct err err;
    err_set(&err, FAULT_INVALID, UNPACK_REFUSED);
    fail(job, &err);
}

static void on_oom(void *arg)
{
    struct job *job = CAST(job, arg, JOB_MAGIC);
    fail_bad_zip(job);
    sandbox_kill(job->sandbox);
}

static void on_timer(uv_timer_t *timer)
{
    struct job *job = CAST(job, timer->data, JOB_MAGIC);
    log_warn("unpack.timeout", "seconds=%u", job->unpacker->settings->unpack_timeout_ms / 1000);
    fail_bad_zip(job);
    sandbox_kill(job->sandbox);
}

static void on_refused(void *arg, const struct err *err)
{
    struct job *job = CAST(job, arg, JOB_MAGIC);
    job->finished = false; /* even if it was to be ended: this is what happened */
    fail(job, err);
    conclude(job);
}

static bool is_in_place(const struct job *job)
{
    char path[4096];
    const char *data_dir = job->unpacker->settings->data_dir;
    if (!data_dir)
        return true;
    snprintf(path, sizeof path, "%s/code/%s", data_dir, job->digest);
    return access(path, F_OK) == 0;
}

static void on_gone(void *arg, const struct launch_reply *reply)
{
    struct job *job = CAST(job, arg, JOB_MAGIC);
    struct err err;
    /* The control socket and the launcher's are two: this may come before EXITED, so init's own
     * exit says it again. */
    if (!job->finished && reply->oom)
        fail_bad_zip(job);
    else if (!job->finished)
        exited(job, (reply->os & 0xff) << 8); /* as wait(2) puts it */
    if (!job->failed && !is_in_place(job)) {
        err_set(&err, FAULT_INTERNAL, "unpacked code could not be put in place");
        job->finished = false;
        fail(job, &err);
    }
    conclude(job);
}

static const struct sandbox_handler handler = {
    .on_spawned = on_spawned,
    .on_refused = on_refused,
    .on_control = on_control,
    .on_oom = on_oom,
    .on_gone = on_gone,
};

struct unpacker *unpacker_new(uv_loop_t *loop, struct launcher *launcher,
                              const struct env_settings *settings)
{
    struct unpacker *unpacker = NEW(unpacker);
    unpacker->magic = UNPACKER_MAGIC;
    unpacker->loop = loop;
    unpacker->launcher = launcher;
    unpacker->settings = settings;
    list_init(&unpacker->jobs);
    list_init(&unpacker->line);
    return unpacker;
}

void unpacker_free(struct unpacker *unpacker)
{
    if (!unpacker)
        return;
    while (!list_empty(&unpacker->line)) {
        struct list *link = unpacker->line.next;
        list_remove(link);
        list_push_back(&unpacker->jobs, link);
        unpacker->running++;
    }
    while (!list_empty(&unpacker->jobs)) {
        struct job *job = LIST_FIRST(&unpacker->jobs, job, link);
        err_set(&job->err, FAULT_INTERNAL, "shutting down");
        job->failed = true;
        conclude(job);
    }
    free(unpacker);
}

static struct sandbox_spec *unpack_spec(const char *digest)
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
    memcpy(spec->code, digest, LAUNCH_DIGEST_LEN);
    return spec;
}

static void job_new(struct unpacker *unpacker, const char *digest, int zip, pool_unpacked *done,
                    void *arg)
{
    struct job *job = NEW(job);
    job->magic = JOB_MAGIC;
    job->unpacker = unpacker;
    job->done = done;
    job->arg = arg;
    job->zip = zip;
    job->output = -1;
    must(strlen(digest) == LAUNCH_DIGEST_LEN);
    memcpy(job->digest, digest, LAUNCH_DIGEST_LEN);
    list_push_back(&unpacker->line, &job->link);
    must(uv_timer_init(unpacker->loop, &job->timer) == 0);
    job->timer.data = job;
}

static void on_unable(uv_timer_t *timer)
{
    conclude(CAST(job, timer->data, JOB_MAGIC));
}

static void start(struct job *job)
{
    int ends[2];
    struct err err;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        err_os(&err, errno, "pipe of lambkin-unpack");
        fail(job, &err);
        uv_timer_start(&job->timer, on_unable, 0, 0);
        return;
    }
    job->output = ends[0];
    AUTO(free) struct sandbox_spec *spec = unpack_spec(job->digest);
    uv_timer_start(&job->timer, on_timer, job->unpacker->settings->unpack_timeout_ms, 0);
    job->sandbox = sandbox_spawn(job->unpacker->launcher, spec,
                                 (int[2]){ends[1], fd_take(&job->zip)}, &handler, job);
}

/* Many at once would take the sandboxes from the functions. */
static void start_next(struct unpacker *unpacker)
{
    while (unpacker->running < UNPACKS_AT_ONCE && !list_empty(&unpacker->line)) {
        struct job *job = LIST_FIRST(&unpacker->line, job, link);
        list_remove(&job->link);
        list_push_back(&unpacker->jobs, &job->link);
        unpacker->running++;
        start(job);
    }
}

void unpacker_run(struct unpacker *unpacker, const char *digest, int zip_fd, pool_unpacked *done,
                  void *arg)
{
    job_new(unpacker, digest, zip_fd, done, arg);
    start_next(unpacker);
}
