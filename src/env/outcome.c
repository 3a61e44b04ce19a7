#include "env/outcome.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

struct outcome outcome_success(void)
{
    return (struct outcome){.status = REPORT_SUCCESS};
}

struct outcome outcome_failure(struct slice type, struct slice text)
{
    struct outcome outcome = {.status = REPORT_ERROR};
    snprintf(outcome.type, sizeof outcome.type, "%.*s", FMT(type));
    snprintf(outcome.text, sizeof outcome.text, "%.*s", FMT(text));
    return outcome;
}

struct outcome outcome_handler(struct slice type)
{
    struct outcome outcome = outcome_failure(type, S(""));
    outcome.status = REPORT_FAILURE;
    return outcome;
}

/* The names of Go's syscall.Signal, which Lambda's own supervisor prints. */
static const char *signal_text(int number)
{
    switch (number) {
    case SIGHUP:
        return "hangup";
    case SIGINT:
        return "interrupt";
    case SIGQUIT:
        return "quit";
    case SIGILL:
        return "illegal instruction";
    case SIGTRAP:
        return "trace/breakpoint trap";
    case SIGABRT:
        return "aborted";
    case SIGBUS:
        return "bus error";
    case SIGFPE:
        return "floating point exception";
    case SIGKILL:
        return "killed";
    case SIGUSR1:
        return "user defined signal 1";
    case SIGSEGV:
        return "segmentation fault";
    case SIGUSR2:
        return "user defined signal 2";
    case SIGPIPE:
        return "broken pipe";
    case SIGALRM:
        return "alarm clock";
    case SIGTERM:
        return "terminated";
    case SIGXCPU:
        return "CPU time limit exceeded";
    case SIGXFSZ:
        return "file size limit exceeded";
    case SIGSYS:
        return "bad system call";
    default:
        return NULL;
    }
}

static void put_signal(struct outcome *outcome, const char *before, int number)
{
    const char *name = signal_text(number);
    if (name)
        snprintf(outcome->text, sizeof outcome->text, "%ssignal: %s", before, name);
    else
        snprintf(outcome->text, sizeof outcome->text, "%ssignal: %d", before, number);
}

struct outcome outcome_exit(int wait_status, bool out_of_memory)
{
    struct outcome outcome = outcome_failure(S("Runtime.ExitError"), S(""));
    outcome.crash_line = true;
    if (WIFSIGNALED(wait_status))
        put_signal(&outcome, "Runtime exited with error: ", WTERMSIG(wait_status));
    else if (WEXITSTATUS(wait_status) == 0)
        snprintf(outcome.text, sizeof outcome.text, "Runtime exited without providing a reason");
    else
        snprintf(outcome.text, sizeof outcome.text, "Runtime exited with error: exit status %d",
                 WEXITSTATUS(wait_status));
    if (out_of_memory)
        snprintf(outcome.logged, sizeof outcome.logged, "Runtime.OutOfMemory");
    return outcome;
}

struct outcome outcome_extension_exit(int wait_status, const char *posted)
{
    struct outcome outcome =
        outcome_failure(posted ? slice_str(posted) : S("Extension.Crash"), S("exit code 0"));
    outcome.crash_line = true;
    if (WIFSIGNALED(wait_status))
        put_signal(&outcome, "", WTERMSIG(wait_status));
    else if (WEXITSTATUS(wait_status) != 0)
        snprintf(outcome.text, sizeof outcome.text, "exit status %d", WEXITSTATUS(wait_status));
    return outcome;
}

struct outcome outcome_timeout(uint32_t timeout_s)
{
    struct outcome outcome = outcome_failure(S("Sandbox.Timedout"), S(""));
    outcome.status = REPORT_TIMEOUT;
    snprintf(outcome.text, sizeof outcome.text, "Task timed out after %u.00 seconds", timeout_s);
    return outcome;
}

/* Go's errno texts are glibc's in lower case. */
static void put_exec_error(struct outcome *outcome, struct slice path, int os)
{
    int n = snprintf(outcome->text, sizeof outcome->text, "fork/exec %.*s: ", FMT(path));
    size_t at = (size_t)n < sizeof outcome->text ? (size_t)n : sizeof outcome->text - 1;
    snprintf(outcome->text + at, sizeof outcome->text - at, "%s", strerror(os));
    if (outcome->text[at] >= 'A' && outcome->text[at] <= 'Z')
        outcome->text[at] = (char)(outcome->text[at] + ('a' - 'A'));
}

struct outcome outcome_not_started(int os, struct slice step, struct slice path)
{
    struct outcome outcome = outcome_failure(S("Runtime.InvalidEntrypoint"), S(""));
    outcome.crash_line = true;
    if (!slice_eq(step, S("execve"))) {
        snprintf(outcome.type, sizeof outcome.type, "Sandbox.Failure");
        snprintf(outcome.text, sizeof outcome.text, "%.*s: %s", FMT(step), strerror(os));
        return outcome;
    }
    if (!path.n) {
        snprintf(outcome.text, sizeof outcome.text,
                 "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
        return outcome;
    }
    put_exec_error(&outcome, path, os);
    return outcome;
}

struct outcome outcome_extension_not_started(int os, struct slice step, const char *name)
{
    struct outcome outcome = outcome_failure(S("Extension.LaunchError"), S(""));
    char path[sizeof outcome.text];
    outcome.crash_line = true;
    snprintf(path, sizeof path, "/opt/extensions/%s", name);
    if (slice_eq(step, S("execve")))
        put_exec_error(&outcome, slice_str(path), os);
    else
        snprintf(outcome.text, sizeof outcome.text, "%.*s: %s", FMT(step), strerror(os));
    return outcome;
}

struct outcome outcome_answer(const struct runtime_answer *answer)
{
    struct outcome outcome;
    switch (answer->kind) {
    case ANSWER_TOO_LARGE:
        outcome = outcome_failure(S("Function.ResponseSizeTooLarge"), S(""));
        snprintf(outcome.text, sizeof outcome.text,
                 "Response payload size exceeded maximum allowed payload size (%llu bytes).",
                 (unsigned long long)answer->limit);
        return outcome;
    case ANSWER_BAD_MODE:
        return outcome_failure(S("Runtime.InvalidResponseModeHeader"), S(""));
    case ANSWER_TRUNCATED:
        return outcome_failure(S("Runtime.TruncatedResponse"), S("Response body was truncated"));
    case ANSWER_RESPONSE:
    case ANSWER_ERROR:
        break;
    }
    return outcome_success();
}

struct slice outcome_logged_type(const struct outcome *outcome)
{
    return slice_str(outcome->logged[0] ? outcome->logged : outcome->type);
}

void outcome_document(const struct outcome *outcome, struct slice request_id, struct buf *out)
{
    struct slice type = slice_str(outcome->type);
    if (slice_eq(type, S("Function.ResponseSizeTooLarge")))
        buf_printf(out, "{\"errorMessage\":\"%s\",\"errorType\":\"%.*s\"}", outcome->text,
                   FMT(type));                                        /* without the request's id */
    else if (!slice_eq(type, S("Runtime.InvalidResponseModeHeader"))) /* an empty payload */
        report_error_document(out, type, request_id, slice_str(outcome->text));
}
