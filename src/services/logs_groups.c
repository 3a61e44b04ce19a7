/* Log groups: make, delete, describe, retention. */
#include "services/log_settings.h"
#include "services/logs.h"

enum { GROUPS_MAX = 50 };

/* ---- CreateLogGroup, DeleteLogGroup ---- */

static void create_group(struct call *call)
{
    const struct logs_CreateLogGroupRequest *input = call->input;
    const struct store_LogGroupSettings settings = {.logGroupClass = input->logGroupClass,
                                                    .tags = input->tags};
    const struct log_where where = log_api_where(call, input->logGroupName);
    if (input->kmsKeyId.p || input->deletionProtectionEnabled.v) {
        call_fail(call, "NotImplementedException",
                  "Not implemented by lambkin yet: kmsKeyId and deletionProtectionEnabled.");
        return;
    }
    log_group_make(call->context, &where, log_settings_write(call->arena, &settings), log_api_done,
                   call);
}

static void delete_group(struct call *call)
{
    const struct logs_DeleteLogGroupRequest *input = call->input;
    const struct log_where where = log_api_where(call, input->logGroupName);
    log_group_delete(call->context, &where, log_api_done, call);
}

/* ---- DescribeLogGroups ---- */

/* Tokens are the last name that was looked at, behind this. */
static const struct slice token_start = S_INIT("group/");

/* With a pattern AWS gives name, arn and creation alone. */
static struct logs_LogGroup describe(const struct call *call, const struct log_group_info *info,
                                     struct slice class, bool brief)
{
    struct slice arn = log_api_arn(call, info->name);
    struct logs_LogGroup group = {.logGroupName = info->name,
                                  .creationTime = OPT_I64((int64_t)info->created_ms),
                                  .arn = arena_printf(call->arena, "%.*s:*", FMT(arn))};
    if (brief)
        return group;
    if (info->retention_days)
        group.retentionInDays = OPT_I64(info->retention_days);
    group.metricFilterCount = OPT_I64(0);
    group.logGroupArn = arn;
    group.logGroupClass = class;
    group.storedBytes = OPT_I64((int64_t)info->bytes);
    return group;
}

static bool listed(const struct call *call, struct slice name)
{
    const struct logs_DescribeLogGroupsRequest *input = call->input;
    for (size_t i = 0; i < input->logGroupIdentifiers.n; i++) {
        struct slice identifier = *AWS_ITEM(input->logGroupIdentifiers, struct slice, i);
        struct slice group = identifier;
        if (slice_starts(identifier, S("arn:")) && !log_api_arn_group(call, identifier, &group))
            continue;
        if (slice_eq(group, name))
            return true;
    }
    return !input->logGroupIdentifiers.n;
}

static void on_groups(void *arg, const struct log_group_info *infos, size_t count, bool more,
                      const struct err *err)
{
    struct call *call = arg;
    const struct logs_DescribeLogGroupsRequest *input = call->input;
    size_t n = 0;
    if (err) {
        log_api_fail(call, err);
        return;
    }
    struct logs_LogGroup *groups = arena_array(call->arena, count, sizeof *groups);
    for (size_t i = 0; i < count; i++) {
        struct slice class = log_settings_read(call->arena, infos[i].settings)->logGroupClass;
        if (!class.p)
            class = S("STANDARD");
        if (listed(call, infos[i].name) &&
            (!input->logGroupClass.p || slice_eq(class, input->logGroupClass)))
            groups[n++] = describe(call, &infos[i], class, input->logGroupNamePattern.n > 0);
    }
    struct logs_DescribeLogGroupsResponse answer = {
        .logGroups = aws_list_of(call->arena, groups, n, sizeof *groups),
    };
    if (more)
        answer.nextToken =
            arena_printf(call->arena, "%.*s%.*s", FMT(token_start), FMT(infos[count - 1].name));
    call_ok(call, 0, &answer);
}

static void describe_groups(struct call *call)
{
    const struct logs_DescribeLogGroupsRequest *input = call->input;
    const struct slice none = {NULL, 0};
    if (input->logGroupNamePrefix.p && input->logGroupNamePattern.p) {
        log_api_bad_parameter(call, "LogGroup name prefix and LogGroup name pattern are mutually "
                                    "exclusive parameters.");
        return;
    }
    if (input->nextToken.p && !slice_starts(input->nextToken, token_start)) {
        log_api_bad_token(call);
        return;
    }
    struct log_groups_query query = {.where = log_api_where(call, none),
                                     .prefix = input->logGroupNamePrefix,
                                     .part = input->logGroupNamePattern,
                                     .limit = GROUPS_MAX};
    if (input->nextToken.p)
        query.after = slice_sub(input->nextToken, token_start.n, input->nextToken.n);
    if (input->limit.set)
        query.limit = (size_t)input->limit.v;
    if (input->logGroupIdentifiers.n) /* at most 50, so there is one page */
        query.limit = SIZE_MAX;
    log_groups(call->context, call->arena, &query, on_groups, call);
}

/* ---- retention ---- */

static bool set_retention(void *arg, struct arena *arena, struct log_group_info *info,
                          struct err *err)
{
    const struct call *call = arg;
    const struct logs_PutRetentionPolicyRequest *input = call->input;
    bool put = call->op == &logs_op_PutRetentionPolicy;
    info->retention_days = put ? (uint32_t)input->retentionInDays.v : 0;
    return true;
}

static void put_retention(struct call *call)
{
    static const int64_t allowed[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                      365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
    const struct logs_PutRetentionPolicyRequest *input = call->input;
    const struct log_where where = log_api_where(call, input->logGroupName);
    for (size_t i = 0; i < COUNT_OF(allowed); i++) {
        if (allowed[i] != input->retentionInDays.v)
            continue;
        log_group_set(call->context, call->arena, &where, set_retention, log_api_done, call);
        return;
    }
    call_fail(call, "InvalidParameterException",
              "1 validation error detected: Value '%lld' at 'retentionInDays' failed to satisfy "
              "constraint: Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, "
              "150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]",
              (long long)input->retentionInDays.v);
}

static void delete_retention(struct call *call)
{
    const struct logs_DeleteRetentionPolicyRequest *input = call->input;
    const struct log_where where = log_api_where(call, input->logGroupName);
    log_group_set(call->context, call->arena, &where, set_retention, log_api_done, call);
}

void log_api_groups_register(struct front *front, struct log_store *logs)
{
    front_handle(front, &logs_op_CreateLogGroup, create_group, logs);
    front_handle(front, &logs_op_DeleteLogGroup, delete_group, logs);
    front_handle(front, &logs_op_DescribeLogGroups, describe_groups, logs);
    front_handle(front, &logs_op_PutRetentionPolicy, put_retention, logs);
    front_handle(front, &logs_op_DeleteRetentionPolicy, delete_retention, logs);
}
