/* CloudWatch Logs: what functions wrote, and what anybody else puts there, for the usual clients.
 * The operations lie in logs_*.c; this is what they share. */
#include "services/logs.h"

#include "base/log.h"
#include "services/internal.h"

static void unavailable(struct call *call, const struct err *err)
{
    log_error("logs.failed", "op=%.*s request=%s err=%s", FMT(call->op->name), call->request_id,
              err->msg);
    call_fail(call, "ServiceUnavailableException",
              "The service cannot complete the request: the log of lambkin says why under request "
              "id %s.",
              call->request_id);
}

void log_api_fail(struct call *call, const struct err *err)
{
    if (err->fault == FAULT_NOT_FOUND)
        call_fail(call, "ResourceNotFoundException", "The specified log %s does not exist.",
                  err->msg);
    else if (err->fault == FAULT_CONFLICT)
        call_fail(call, "ResourceAlreadyExistsException", "The specified log %s already exists",
                  err->msg);
    else if (err->fault == FAULT_INVALID)
        call_fail(call, "InvalidParameterException", "%s", err->msg);
    else
        unavailable(call, err);
}

void log_api_bad_token(struct call *call)
{
    log_api_bad_parameter(call, "The specified nextToken is invalid.");
}

void log_api_bad_parameter(struct call *call, const char *text)
{
    call_fail(call, "InvalidParameterException", "%s", text);
}

void log_api_done(void *arg, const struct err *err)
{
    struct call *call = arg;
    if (err)
        log_api_fail(call, err);
    else
        call_ok(call, 0, NULL);
}

struct log_where log_api_where(const struct call *call, struct slice group)
{
    return (struct log_where){call->account, call->region, group};
}

struct slice log_api_arn(const struct call *call, struct slice group)
{
    return arena_printf(call->arena, "arn:aws:logs:%.*s:%.*s:log-group:%.*s", FMT(call->region),
                        FMT(call->account), FMT(group));
}

bool log_api_arn_group(const struct call *call, struct slice arn, struct slice *out)
{
    struct slice start = log_api_arn(call, S(""));
    if (!slice_starts(arn, start))
        return false;
    struct slice name = slice_sub(arn, start.n, arn.n);
    if (slice_ends(name, S(":*")))
        name = slice_sub(name, 0, name.n - 2);
    *out = name;
    return name.n > 0;
}

bool log_api_group(struct call *call, struct slice name, struct slice identifier,
                   struct log_where *out)
{
    struct slice group = name.p ? name : identifier;
    if (name.p && identifier.p) {
        log_api_bad_parameter(call,
                              "LogGroup name and LogGroup ARN are mutually exclusive parameters.");
        return false;
    }
    if (!group.p) {
        log_api_bad_parameter(call, "Either logGroupName or logGroupIdentifier must be given.");
        return false;
    }
    if (slice_starts(group, S("arn:")) && !log_api_arn_group(call, group, &group)) {
        const struct err err = {.fault = FAULT_NOT_FOUND, .msg = "group"};
        log_api_fail(call, &err);
        return false;
    }
    *out = log_api_where(call, group);
    return true;
}

void logs_register(struct front *front, struct log_store *logs)
{
    log_api_groups_register(front, logs);
    log_api_tags_register(front, logs);
    log_api_streams_register(front, logs);
    log_api_events_register(front, logs);
}
