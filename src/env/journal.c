#include "env/journal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "env/report.h"
#include "env/telemetry.h"
#include "lambda_api.h"

#include <errno.h>

enum { LINE_SIZE = 4096 };

/* In the form that the log has. One buffer serves all environments: nobody keeps it. */
static void log_it(struct logs *logs, report_writer *writer, const struct report *report)
{
    static struct buf line = BUF_INIT(LINE_SIZE);
    buf_clear(&line);
    writer(&line, logs_style(logs), report);
    logs_system(logs, buf_all(&line));
}

/* To the subscribers of telemetry, too. */
static void say(struct logs *logs, report_writer *writer, const struct report *report)
{
    log_it(logs, writer, report);
    telemetry_platform(logs_telemetry(logs), writer, report);
}

static struct report init_report(const struct journal_init *init)
{
    return (struct report){.again = init->again,
                           .provisioned = init->provisioned,
                           .function = init->fn->name,
                           .version = init->fn->version,
                           .memory_mb = init->fn->memory_mb};
}

void journal_init_start(struct logs *logs, const struct journal_init *init)
{
    struct report report = init_report(init);
    char version[64];
    report.runtime = spec_runtime_version(init->fn, version, sizeof version);
    report.arn = spec_runtime_version_arn(init->fn);
    say(logs, report_init_start, &report);
}

void journal_nearest(struct logs *logs, const struct function *fn, struct slice interpreter)
{
    struct report init = {.runtime = fn->config->Runtime, .interpreter = interpreter};
    log_it(logs, report_nearest, &init); /* AWS has no such event */
}

void journal_init_end(struct logs *logs, const struct journal_init *init, uint64_t duration_ns,
                      const struct outcome *outcome)
{
    struct report report = init_report(init);
    report.duration_ns = duration_ns;
    report.status = outcome->status;
    report.error_type = outcome_logged_type(outcome);
    logs_settle(logs);
    say(logs, report_init_done, &report);
    say(logs, report_init_report, &report);
}

static struct report extension_report(const struct extension *extension)
{
    struct report report = {.name = slice_str(extension->name),
                            .state = slice_str(sm_name(&extension->sm))};
    if (extension->events & EXTENSION_INVOKE)
        report.items[report.item_count++] = S("INVOKE");
    if (extension->events & EXTENSION_SHUTDOWN)
        report.items[report.item_count++] = S("SHUTDOWN");
    if (extension->error_type[0])
        report.error_type = slice_str(extension->error_type);
    return report;
}

void journal_extensions(struct logs *logs, const struct extensions *extensions)
{
    if (extensions->n)
        logs_settle(logs);
    for (size_t i = 0; i < extensions->n; i++) {
        struct report report = extension_report(extensions->all[i]);
        say(logs, report_extension, &report);
    }
}

void journal_subscription(struct logs *logs, const struct subscription *subscription,
                          struct slice extension, struct slice state)
{
    struct report report = {.name = extension, .state = state};
    report.item_count = subscription_type_names(subscription->types, report.items);
    say(logs,
        subscription->api == API_LOGS ? report_logs_subscription : report_telemetry_subscription,
        &report);
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
    logs_system(logs, buf_all(&line));
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

static struct report call_report(const struct function *fn, struct slice request_id)
{
    return (struct report){.request_id = request_id,
                           .version = fn->version,
                           .memory_mb = fn->memory_mb,
                           .timeout_s = fn->timeout_s};
}

static struct report ended_report(const struct function *fn, const struct journal_call *call,
                                  const struct outcome *outcome)
{
    struct report report = call_report(fn, call->request_id);
    report.duration_ns = call->duration_ns;
    report.init_ns = call->init_ns;
    report.peak_mb = call->peak_mb;
    report.produced = call->produced;
    report.trace = call->trace;
    report.status = outcome->status;
    report.error_type = outcome_logged_type(outcome);
    report.crash = slice_str(outcome->text);
    report.crash_type = slice_str(outcome->type);
    if (outcome->status == REPORT_TIMEOUT) /* exactly that, whenever our timer came to it */
        report.duration_ns = (uint64_t)fn->timeout_s * 1000000000;
    return report;
}

/* Text has no spans. */
static bool has_spans(const struct logs *logs)
{
    return logs_style(logs)->form != REPORT_TEXT || telemetry_listens(logs_telemetry(logs));
}

static void add_span(struct report *report, const struct journal_call *call, const char *name,
                     uint64_t from_ns, uint64_t to_ns)
{
    must(report->span_count < REPORT_SPANS_MAX && from_ns <= to_ns && from_ns <= call->now_ns);
    report->spans[report->span_count++] =
        (struct report_span){.name = name,
                             .start_ms = clock_wall_ms() - (call->now_ns - from_ns) / 1000000,
                             .duration_ns = to_ns - from_ns};
}

void journal_start(struct logs *logs, const struct function *fn, struct slice request_id,
                   struct slice trace)
{
    struct report report = call_report(fn, request_id);
    report.trace = trace;
    telemetry_request(logs_telemetry(logs), request_id);
    say(logs, report_start, &report);
}

void journal_runtime_done(struct logs *logs, const struct function *fn,
                          const struct journal_call *call, const struct outcome *outcome)
{
    struct report report = ended_report(fn, call, outcome);
    if (call->answer_end_ns && has_spans(logs)) {
        add_span(&report, call, "responseLatency", call->start_ns, call->answer_begin_ns);
        add_span(&report, call, "responseDuration", call->answer_begin_ns, call->answer_end_ns);
        add_span(&report, call, "runtimeOverhead", call->answer_end_ns, call->now_ns);
    }
    logs_settle(logs);
    say(logs, report_runtime_done, &report);
}

void journal_end(struct logs *logs, const struct function *fn, const struct journal_call *call,
                 const struct outcome *outcome)
{
    struct report report = ended_report(fn, call, outcome);
    if (call->done_ns && has_spans(logs))
        add_span(&report, call, "extensionOverhead", call->done_ns, call->now_ns);
    if (outcome->status == REPORT_TIMEOUT)
        say(logs, report_timeout, &report);
    else if (outcome->crash_line)
        say(logs, report_crash, &report);
    say(logs, report_end, &report);
    say(logs, report_report, &report);
    telemetry_request(logs_telemetry(logs), S(""));
}
