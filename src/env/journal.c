#include "env/journal.h"

#include "base/log.h"
#include "base/mem.h"
#include "env/report.h"
#include "lambda_api.h"

#include <errno.h>

enum { LINE_SIZE = 4096, LINE_USUAL = 256 };

static void put(struct logs *logs, struct buf *line)
{
    logs_system(logs, buf_all(line));
    buf_clear(line);
}

static struct report_init init_report(const struct function *fn, bool again)
{
    return (struct report_init){
        .again = again, .function = fn->name, .version = fn->version, .memory_mb = fn->memory_mb};
}

void journal_init_start(struct logs *logs, const struct function *fn, bool again)
{
    AUTO(buf) struct buf line = BUF_INIT(LINE_SIZE);
    struct report_init init = init_report(fn, again);
    char version[64];
    init.runtime = spec_runtime_version(fn, version, sizeof version);
    init.arn = spec_runtime_version_arn(fn);
    report_init_start(&line, logs_style(logs), &init);
    put(logs, &line);
}

void journal_nearest(struct logs *logs, const struct function *fn, struct slice interpreter)
{
    AUTO(buf) struct buf line = BUF_INIT(LINE_SIZE);
    report_nearest(&line, logs_style(logs), fn->config->Runtime, interpreter);
    put(logs, &line);
}

void journal_init_end(struct logs *logs, const struct function *fn, bool again,
                      uint64_t duration_ns, const struct outcome *outcome)
{
    AUTO(buf) struct buf line = BUF_INIT(LINE_SIZE);
    struct report_init init = init_report(fn, again);
    init.duration_ns = duration_ns;
    init.status = outcome->status;
    init.error_type = outcome_logged_type(outcome);
    logs_settle(logs);
    report_init_done(&line, logs_style(logs), &init);
    put(logs, &line);
    report_init_report(&line, logs_style(logs), &init);
    put(logs, &line);
}

struct outcome journal_not_started(struct logs *logs, const struct spec_entrypoint *entrypoint,
                                   const struct control_event *event)
{
    struct slice path = slice_str(entrypoint->found ? entrypoint->path : "");
    if (!entrypoint->is_wrapper || !slice_eq(slice_str(event->step), S("execve")))
        return outcome_not_started(event->os, slice_str(event->step), path);
    AUTO(buf) struct buf line = BUF_INIT(LINE_SIZE);
    bool missing = event->os == ENOENT;
    buf_printf(&line, "%s: %s\n", entrypoint->path,
               missing ? "does not exist" : "is not an executable");
    put(logs, &line);
    return outcome_exit((missing ? 127 : 126) << 8, false);
}

/* Waiting for a spare to be made is in `waited`. */
void journal_cold(const struct function *fn, const uint32_t us[STEP_COUNT],
                  const struct control_event *started, uint64_t init_ns)
{
    log_debug("env.cold",
              "fn=%.*s cgroup=%uus clone=%uus prepare=%uus waited=%uus assign=%uus mounts=%uus "
              "start=%uus runtime=%lluus",
              FMT(fn->name), us[STEP_CGROUP], us[STEP_CLONE], us[STEP_PREPARE], us[STEP_SPARE],
              us[STEP_MOUNT], started->mount_us, started->ids_us,
              (unsigned long long)(init_ns / 1000));
}

static struct report_call call_report(const struct function *fn, struct slice request_id)
{
    return (struct report_call){.request_id = request_id,
                                .version = fn->version,
                                .memory_mb = fn->memory_mb,
                                .timeout_s = fn->timeout_s};
}

void journal_start(struct logs *logs, const struct function *fn, struct slice request_id)
{
    AUTO(buf) struct buf line = BUF_INIT(LINE_SIZE);
    struct report_call report = call_report(fn, request_id);
    buf_reserve(&line, LINE_USUAL);
    report_start(&line, logs_style(logs), &report);
    put(logs, &line);
}

void journal_end(struct logs *logs, const struct function *fn, const struct journal_call *call,
                 const struct outcome *outcome)
{
    AUTO(buf) struct buf line = BUF_INIT(LINE_SIZE);
    const struct report_style *style = logs_style(logs);
    struct report_call report = call_report(fn, call->request_id);
    buf_reserve(&line, LINE_USUAL);
    report.duration_ns = call->duration_ns;
    report.init_ns = call->init_ns;
    report.peak_mb = call->peak_mb;
    report.produced = call->produced;
    report.status = outcome->status;
    report.error_type = outcome_logged_type(outcome);
    if (outcome->status == REPORT_TIMEOUT) /* exactly that, whenever our timer came to it */
        report.duration_ns = (uint64_t)fn->timeout_s * 1000000000;

    logs_settle(logs);
    if (outcome->status == REPORT_TIMEOUT)
        report_timeout(&line, style, &report);
    else if (outcome->crash_line)
        report_crash(&line, style, &report, slice_str(outcome->text), slice_str(outcome->type));
    put(logs, &line);
    report_end(&line, style, &report);
    put(logs, &line);
    report_report(&line, style, &report);
    put(logs, &line);
}
