/* CloudWatch Logs, the reading half: what functions wrote, for the usual clients. */
#include "aws/codec.h"
#include "base/mem.h"
#include "logs_api.h"
#include "services/filter_pattern.h"
#include "services/internal.h"
#include "store/log_store.h"

#include <stdio.h>

enum {
    READING_MAGIC = 0x6c726561,
    EVENTS_MAX = 10000,
    BYTES_MAX = 1 << 20, /* AWS: of one answer */
    NAMES_MAX = 50,
    SCANS_MAX = 32, /* pages that are looked through for matches before an answer goes out */
};

struct reading { /* in the call's arena */
    uint32_t magic;
    struct call *call;
    struct slice group;
    const struct filter_pattern *pattern;
    const struct logs_FilterLogEventsRequest *filter;
    struct log_query query;
    size_t scans;
    size_t limit;
    struct logs_FilteredLogEvent *events;
    size_t count;
    size_t bytes;
};

static void failed(struct call *call, const struct err *err)
{
    if (err->fault == FAULT_NOT_FOUND)
        call_fail(call, "ResourceNotFoundException", "The specified log %s does not exist.",
                  err->msg);
    else
        call_fail_err(call, err);
}

static void bad_token(struct call *call)
{
    call_fail(call, "InvalidParameterException", "The specified nextToken is invalid.");
}

/* A name, or arn:aws:logs:R:A:log-group:NAME[:*]. */
static bool find_group(struct call *call, struct slice name, struct slice identifier,
                       struct slice *out)
{
    struct slice part = name.p ? name : identifier;
    if (!part.p) {
        call_fail(call, "InvalidParameterException",
                  "Either logGroupName or logGroupIdentifier must be given.");
        return false;
    }
    if (slice_starts(part, S("arn:"))) {
        struct slice skipped;
        for (int i = 0; i < 6; i++)
            slice_cut(&part, ':', &skipped);
        if (slice_ends(part, S(":*")))
            part = slice_sub(part, 0, part.n - 2);
    }
    *out = part;
    return true;
}

static struct log_query query_of(const struct call *call, struct slice group)
{
    return (struct log_query){.account = call->account, .region = call->region, .group = group};
}

static uint64_t time_of(struct opt_i64 ms)
{
    return ms.set && ms.v > 0 ? (uint64_t)ms.v : 0;
}

static struct slice group_arn(const struct call *call, struct slice group)
{
    return arena_printf(call->arena, "arn:aws:logs:%.*s:%.*s:log-group:%.*s", FMT(call->region),
                        FMT(call->account), FMT(group));
}

/* ---- names ---- */

/* Tokens are positions in the list. */
static bool page_of(struct call *call, struct slice token, struct opt_i64 limit, size_t count,
                    size_t *out_from, size_t *out_to, struct slice *out_next)
{
    uint64_t from = 0;
    if (token.p && (!slice_u64(token, &from) || from > SIZE_MAX / 2)) {
        bad_token(call);
        return false;
    }
    size_t max = limit.set && limit.v < NAMES_MAX ? (size_t)limit.v : NAMES_MAX;
    *out_from = from < count ? from : count;
    *out_to = count - *out_from > max ? *out_from + max : count;
    if (*out_to < count)
        *out_next = arena_printf(call->arena, "%zu", *out_to);
    return true;
}

static bool name_contains(struct slice name, struct slice part)
{
    for (size_t i = 0; i + part.n <= name.n; i++) {
        if (slice_eq_nocase(slice_sub(name, i, part.n), part))
            return true;
    }
    return false;
}

static void on_groups(void *arg, const struct log_name *names, size_t count, const struct err *err)
{
    struct call *call = arg;
    const struct logs_DescribeLogGroupsRequest *input = call->input;
    struct slice prefix = input->logGroupNamePrefix;
    struct slice part = input->logGroupNamePattern;
    size_t from = 0;
    size_t to = 0;
    size_t n = 0;
    if (err) {
        failed(call, err);
        return;
    }
    struct logs_LogGroup *groups = arena_array(call->arena, count, sizeof *groups);
    for (size_t i = 0; i < count; i++) {
        struct slice name = names[i].name;
        if ((prefix.p && !slice_starts(name, prefix)) || (part.p && !name_contains(name, part)))
            continue;
        struct slice arn = group_arn(call, name);
        groups[n++] = (struct logs_LogGroup){.logGroupName = name,
                                             .creationTime = OPT_I64((int64_t)names[i].created_ms),
                                             .metricFilterCount = OPT_I64(0),
                                             .arn = arena_printf(call->arena, "%.*s:*", FMT(arn)),
                                             .logGroupArn = arn,
                                             .logGroupClass = S("STANDARD"),
                                             .storedBytes = OPT_I64((int64_t)names[i].bytes)};
    }
    struct logs_DescribeLogGroupsResponse answer = {.logGroups = {true, 0, NULL}};
    if (!page_of(call, input->nextToken, input->limit, n, &from, &to, &answer.nextToken))
        return;
    answer.logGroups = aws_list_of(call->arena, groups + from, to - from, sizeof *groups);
    call_ok(call, 0, &answer);
}

static void describe_groups(struct call *call)
{
    const struct logs_DescribeLogGroupsRequest *input = call->input;
    const struct slice all = {NULL, 0};
    if (input->logGroupNamePrefix.p && input->logGroupNamePattern.p) {
        call_fail(call, "InvalidParameterException",
                  "LogGroup name prefix and LogGroup name pattern are mutually exclusive "
                  "parameters.");
        return;
    }
    log_names(call->context, call->arena, call->account, call->region, all, on_groups, call);
}

static int by_last_event(const void *a, const void *b)
{
    int64_t x = ((const struct logs_LogStream *)a)->lastEventTimestamp.v;
    int64_t y = ((const struct logs_LogStream *)b)->lastEventTimestamp.v;
    return x < y ? -1 : x > y;
}

static void order_streams(const struct logs_DescribeLogStreamsRequest *input,
                          struct logs_LogStream *streams, size_t n)
{
    if (n && slice_eq(input->orderBy, S("LastEventTime")))
        qsort(streams, n, sizeof *streams, by_last_event);
    if (!input->descending.v)
        return;
    for (size_t i = 0; i < n / 2; i++) {
        struct logs_LogStream swap = streams[i];
        streams[i] = streams[n - 1 - i];
        streams[n - 1 - i] = swap;
    }
}

static void on_streams(void *arg, const struct log_name *names, size_t count, const struct err *err)
{
    struct call *call = arg;
    const struct logs_DescribeLogStreamsRequest *input = call->input;
    size_t from = 0;
    size_t to = 0;
    size_t n = 0;
    struct slice group;
    if (err) {
        failed(call, err);
        return;
    }
    if (!find_group(call, input->logGroupName, input->logGroupIdentifier, &group))
        return;
    struct slice arn = group_arn(call, group);
    struct logs_LogStream *streams = arena_array(call->arena, count, sizeof *streams);
    for (size_t i = 0; i < count; i++) {
        const struct log_name *s = &names[i];
        if (input->logStreamNamePrefix.p && !slice_starts(s->name, input->logStreamNamePrefix))
            continue;
        streams[n++] = (struct logs_LogStream){
            .logStreamName = s->name,
            .creationTime = OPT_I64((int64_t)s->created_ms),
            .firstEventTimestamp = OPT_I64((int64_t)s->first_ms),
            .lastEventTimestamp = OPT_I64((int64_t)s->last_ms),
            .lastIngestionTime = OPT_I64((int64_t)s->ingested_ms),
            .uploadSequenceToken = S("1"),
            .arn = arena_printf(call->arena, "%.*s:log-stream:%.*s", FMT(arn), FMT(s->name)),
            .storedBytes = OPT_I64(0)};
    }
    order_streams(input, streams, n);
    struct logs_DescribeLogStreamsResponse answer = {.logStreams = {true, 0, NULL}};
    if (!page_of(call, input->nextToken, input->limit, n, &from, &to, &answer.nextToken))
        return;
    answer.logStreams = aws_list_of(call->arena, streams + from, to - from, sizeof *streams);
    call_ok(call, 0, &answer);
}

static void describe_streams(struct call *call)
{
    const struct logs_DescribeLogStreamsRequest *input = call->input;
    struct slice group;
    if (find_group(call, input->logGroupName, input->logGroupIdentifier, &group))
        log_names(call->context, call->arena, call->account, call->region, group, on_streams, call);
}

/* ---- GetLogEvents ---- */

static void on_events(void *arg, const struct log_page *page, const struct err *err)
{
    struct call *call = arg;
    if (err) {
        failed(call, err);
        return;
    }
    struct logs_OutputLogEvent *events = arena_array(call->arena, page->count, sizeof *events);
    for (size_t i = 0; i < page->count; i++) {
        const struct log_event *e = &page->events[i];
        events[i] = (struct logs_OutputLogEvent){.timestamp = OPT_I64((int64_t)e->timestamp),
                                                 .message = e->message,
                                                 .ingestionTime = OPT_I64((int64_t)e->ingestion)};
    }
    const struct logs_GetLogEventsResponse answer = {
        .events = aws_list_of(call->arena, events, page->count, sizeof *events),
        .nextForwardToken = arena_printf(call->arena, "f/%020llu", (unsigned long long)page->next),
        .nextBackwardToken =
            arena_printf(call->arena, "b/%020llu", (unsigned long long)page->first)};
    call_ok(call, 0, &answer);
}

static bool read_token(struct slice token, struct log_query *query)
{
    if (!token.p)
        return true;
    query->newest_first = slice_starts(token, S("b/"));
    return (query->newest_first || slice_starts(token, S("f/"))) &&
           slice_u64(slice_sub(token, 2, token.n), &query->after);
}

static void get_events(struct call *call)
{
    const struct logs_GetLogEventsRequest *input = call->input;
    struct slice group;
    if (!find_group(call, input->logGroupName, input->logGroupIdentifier, &group))
        return;
    struct log_query query = query_of(call, group);
    query.stream = input->logStreamName;
    query.start_ms = time_of(input->startTime);
    query.end_ms = time_of(input->endTime);
    query.max_events = input->limit.set ? (size_t)input->limit.v : EVENTS_MAX;
    query.max_bytes = BYTES_MAX;
    query.newest_first = !input->startFromHead.v;
    if (!read_token(input->nextToken, &query)) {
        bad_token(call);
        return;
    }
    log_read(call->context, call->arena, &query, on_events, call);
}

/* ---- FilterLogEvents ---- */

static bool stream_wanted(const struct reading *r, struct slice stream)
{
    const struct aws_list *names = &r->filter->logStreamNames;
    for (size_t i = 0; i < names->n; i++) {
        if (slice_eq(*AWS_ITEM(*names, struct slice, i), stream))
            return true;
    }
    return names->n == 0;
}

static void answer_filter(struct reading *r, bool more)
{
    struct logs_FilterLogEventsResponse answer = {
        .events = aws_list_of(r->call->arena, r->events, r->count, sizeof *r->events),
        .searchedLogStreams = {true, 0, NULL}};
    if (more)
        answer.nextToken = arena_printf(r->call->arena, "%llu", (unsigned long long)r->query.after);
    call_ok(r->call, 0, &answer);
}

static void scan(struct reading *r);

static void on_scanned(void *arg, const struct log_page *page, const struct err *err)
{
    struct reading *r = CAST(reading, arg, READING_MAGIC);
    if (err) {
        failed(r->call, err);
        return;
    }
    for (size_t i = 0; i < page->count; i++) {
        const struct log_event *e = &page->events[i];
        if (!stream_wanted(r, e->stream) || !filter_pattern_matches(r->pattern, e->message))
            continue;
        r->bytes += e->message.n;
        r->events[r->count++] = (struct logs_FilteredLogEvent){
            .logStreamName = e->stream,
            .timestamp = OPT_I64((int64_t)e->timestamp),
            .message = e->message,
            .ingestionTime = OPT_I64((int64_t)e->ingestion),
            .eventId = arena_printf(r->call->arena, "%056llu", (unsigned long long)e->position)};
    }
    r->query.after = page->next;
    if (page->more && r->count < r->limit && r->bytes < BYTES_MAX && ++r->scans < SCANS_MAX)
        scan(r);
    else
        answer_filter(r, page->more);
}

static void scan(struct reading *r)
{
    struct log_store *store = r->call->context;
    r->query.max_events = r->limit - r->count;
    r->query.max_bytes = BYTES_MAX - r->bytes;
    log_read(store, r->call->arena, &r->query, on_scanned, r);
}

static bool filter_query(struct call *call, const struct logs_FilterLogEventsRequest *input,
                         struct reading *r)
{
    if (input->logStreamNames.n && input->logStreamNamePrefix.p) {
        call_fail(call, "InvalidParameterException",
                  "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.");
        return false;
    }
    r->query = query_of(call, r->group);
    if (input->logStreamNames.n == 1)
        r->query.stream = *AWS_ITEM(input->logStreamNames, struct slice, 0);
    r->query.stream_prefix = input->logStreamNamePrefix;
    r->query.start_ms = time_of(input->startTime);
    /* Here the end belongs to it, in GetLogEvents it does not. */
    r->query.end_ms = input->endTime.set ? time_of(input->endTime) + 1 : 0;
    if (input->nextToken.p && !slice_u64(input->nextToken, &r->query.after)) {
        bad_token(call);
        return false;
    }
    return true;
}

static void filter_events(struct call *call)
{
    const struct logs_FilterLogEventsRequest *input = call->input;
    struct reading *r = ARENA_NEW(call->arena, reading);
    struct err err;
    r->magic = READING_MAGIC;
    r->call = call;
    r->filter = input;
    r->pattern = filter_pattern_parse(call->arena, input->filterPattern, &err);
    if (!r->pattern) {
        if (err.fault == FAULT_INVALID)
            call_fail(call, "InvalidParameterException", "%s", err.msg);
        else
            call_fail_err(call, &err);
        return;
    }
    if (!find_group(call, input->logGroupName, input->logGroupIdentifier, &r->group) ||
        !filter_query(call, input, r))
        return;
    r->limit = input->limit.set ? (size_t)input->limit.v : EVENTS_MAX;
    r->events = arena_array(call->arena, r->limit, sizeof *r->events);
    scan(r);
}

/* ---- DeleteLogGroup ---- */

static void on_deleted(void *arg, const struct err *err)
{
    struct call *call = arg;
    if (err)
        failed(call, err);
    else
        call_ok(call, 0, NULL);
}

static void delete_group(struct call *call)
{
    const struct logs_DeleteLogGroupRequest *input = call->input;
    log_group_delete(call->context, call->account, call->region, input->logGroupName, on_deleted,
                     call);
}

void logs_register(struct front *front, struct log_store *logs)
{
    front_handle(front, &logs_op_DescribeLogGroups, describe_groups, logs);
    front_handle(front, &logs_op_DescribeLogStreams, describe_streams, logs);
    front_handle(front, &logs_op_GetLogEvents, get_events, logs);
    front_handle(front, &logs_op_FilterLogEvents, filter_events, logs);
    front_handle(front, &logs_op_DeleteLogGroup, delete_group, logs);
}
