/* Tags of log groups: by name, as they were first, and by ARN. */
#include "services/log_settings.h"
#include "services/logs.h"

enum { TAGS_MAX = 50 };

struct tagging { /* in the call's arena; its `user` */
    const struct aws_map *add;
    const struct aws_list *remove;
};

static bool change_tags(void *arg, struct arena *arena, struct log_group_info *info,
                        struct err *err)
{
    const struct call *call = arg;
    const struct tagging *change = call->user;
    struct store_LogGroupSettings *settings = log_settings_read(arena, info->settings);
    if (change->add)
        log_settings_tag(arena, settings, change->add);
    else
        log_settings_untag(settings, change->remove);
    if (settings->tags.n > TAGS_MAX)
        return err_set(err, FAULT_LIMIT, "too many tags");
    info->settings = log_settings_write(arena, settings);
    return true;
}

static void on_changed(void *arg, const struct err *err)
{
    struct call *call = arg;
    if (err && err->fault == FAULT_LIMIT)
        call_fail(call,
                  call->op == &logs_op_TagResource ? "TooManyTagsException"
                                                   : "InvalidParameterException",
                  "A resource can have no more than %d tags.", TAGS_MAX);
    else
        log_api_done(call, err);
}

static bool find_resource(struct call *call, struct slice arn, struct log_where *out)
{
    struct slice group;
    if (log_api_arn_group(call, arn, &group)) {
        *out = log_api_where(call, group);
        return true;
    }
    if (slice_starts(arn, S("arn:")))
        call_fail(call, "ResourceNotFoundException", "The specified log group does not exist.");
    else
        log_api_bad_parameter(call, "The specified resourceArn is invalid.");
    return false;
}

static void change(struct call *call, const struct log_where *where, const struct aws_map *add,
                   const struct aws_list *remove)
{
    struct tagging *tagging = ARENA_NEW(call->arena, tagging);
    *tagging = (struct tagging){add, remove};
    call->user = tagging;
    log_group_set(call->context, call->arena, where, change_tags, on_changed, call);
}

static void tag_by_arn(struct call *call)
{
    const struct logs_TagResourceRequest *input = call->input;
    struct log_where where;
    if (find_resource(call, input->resourceArn, &where))
        change(call, &where, &input->tags, NULL);
}

static void untag_by_arn(struct call *call)
{
    const struct logs_UntagResourceRequest *input = call->input;
    struct log_where where;
    if (find_resource(call, input->resourceArn, &where))
        change(call, &where, NULL, &input->tagKeys);
}

static void tag_by_name(struct call *call)
{
    const struct logs_TagLogGroupRequest *input = call->input;
    const struct log_where where = log_api_where(call, input->logGroupName);
    change(call, &where, &input->tags, NULL);
}

static void untag_by_name(struct call *call)
{
    const struct logs_UntagLogGroupRequest *input = call->input;
    const struct log_where where = log_api_where(call, input->logGroupName);
    change(call, &where, NULL, &input->tags);
}

/* ---- reading ---- */

static void on_group(void *arg, const struct log_group_info *info, size_t count, bool more,
                     const struct err *err)
{
    struct call *call = arg;
    if (err) {
        log_api_fail(call, err);
        return;
    }
    struct aws_map tags = log_settings_read(call->arena, info->settings)->tags;
    tags.set = true;
    const struct logs_ListTagsForResourceResponse by_arn = {.tags = tags};
    const struct logs_ListTagsLogGroupResponse by_name = {.tags = tags};
    if (call->op == &logs_op_ListTagsForResource)
        call_ok(call, 0, &by_arn);
    else
        call_ok(call, 0, &by_name);
}

static void list(struct call *call, const struct log_where *where)
{
    const struct log_groups_query query = {.where = *where};
    log_groups(call->context, call->arena, &query, on_group, call);
}

static void list_by_arn(struct call *call)
{
    const struct logs_ListTagsForResourceRequest *input = call->input;
    struct log_where where;
    if (find_resource(call, input->resourceArn, &where))
        list(call, &where);
}

static void list_by_name(struct call *call)
{
    const struct logs_ListTagsLogGroupRequest *input = call->input;
    const struct log_where where = log_api_where(call, input->logGroupName);
    list(call, &where);
}

void log_api_tags_register(struct front *front, struct log_store *logs)
{
    front_handle(front, &logs_op_TagResource, tag_by_arn, logs);
    front_handle(front, &logs_op_UntagResource, untag_by_arn, logs);
    front_handle(front, &logs_op_ListTagsForResource, list_by_arn, logs);
    front_handle(front, &logs_op_TagLogGroup, tag_by_name, logs);
    front_handle(front, &logs_op_UntagLogGroup, untag_by_name, logs);
    front_handle(front, &logs_op_ListTagsLogGroup, list_by_name, logs);
}
