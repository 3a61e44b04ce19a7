/* Log streams: make, delete, describe. */
#include "base/mem.h"
#include "services/log_token.h"
#include "services/logs.h"

enum { STREAMS_MAX = 50 };

static void create_stream(struct call *call)
{
    const struct logs_CreateLogStreamRequest *input = call->input;
    const struct log_where where = log_api_where(call, input->logGroupName);
    log_stream_create(call->context, &where, input->logStreamName, log_api_done, call);
}

static void delete_stream(struct call *call)
{
    const struct logs_DeleteLogStreamRequest *input = call->input;
    const struct log_where where = log_api_where(call, input->logGroupName);
    log_stream_delete(call->context, &where, input->logStreamName, log_api_done, call);
}

/* ---- DescribeLogStreams ---- */

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct log_stream_info *)a)->name,
                     ((const struct log_stream_info *)b)->name);
}

static int by_last_event(const void *a, const void *b)
{
    uint64_t x = ((const struct log_stream_info *)a)->last_ms;
    uint64_t y = ((const struct log_stream_info *)b)->last_ms;
    return x < y ? -1 : x > y ? 1 : by_name(a, b);
}

typedef int order(const void *a, const void *b);

static order *order_of(const struct logs_DescribeLogStreamsRequest *input)
{
    return slice_eq(input->orderBy, S("LastEventTime")) ? by_last_event : by_name;
}

static void sort(const struct logs_DescribeLogStreamsRequest *input,
                 struct log_stream_info *streams, size_t n)
{
    if (n)
        qsort(streams, n, sizeof *streams, order_of(input));
    for (size_t i = 0; input->descending.v && i < n / 2; i++) {
        struct log_stream_info swap = streams[i];
        streams[i] = streams[n - 1 - i];
        streams[n - 1 - i] = swap;
    }
}

/* Tokens are "<last event>/<name>" of the last stream of a page. */
static bool read_token(struct slice token, struct log_stream_info *out)
{
    struct slice ms;
    out->name = token;
    return slice_cut(&out->name, '/', &ms) && out->name.p && slice_u64(ms, &out->last_ms);
}

static size_t page_start(const struct logs_DescribeLogStreamsRequest *input,
                         const struct log_stream_info *streams, size_t n)
{
    struct log_stream_info last = {.last_ms = 0};
    size_t at = 0;
    if (!input->nextToken.p || !read_token(input->nextToken, &last))
        return 0;
    for (; at < n; at++) {
        int is = order_of(input)(&streams[at], &last);
        if (input->descending.v ? is < 0 : is > 0)
            break;
    }
    return at;
}

static struct logs_LogStream describe(const struct call *call, struct slice arn,
                                      const struct log_stream_info *info)
{
    const struct log_key key = {info->created_ms, info->last_ms};
    struct logs_LogStream stream = {
        .logStreamName = info->name,
        .creationTime = OPT_I64((int64_t)info->created_ms),
        .uploadSequenceToken = log_token_key(call->arena, key),
        .arn = arena_printf(call->arena, "%.*s:log-stream:%.*s", FMT(arn), FMT(info->name)),
        .storedBytes = OPT_I64(0)};
    if (!info->has_events)
        return stream;
    stream.firstEventTimestamp = OPT_I64((int64_t)info->first_ms);
    stream.lastEventTimestamp = OPT_I64((int64_t)info->last_ms);
    stream.lastIngestionTime = OPT_I64((int64_t)info->ingested_ms);
    return stream;
}

static size_t keep_prefix(struct log_stream_info *infos, size_t count, struct slice prefix)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (slice_starts(infos[i].name, prefix))
            infos[n++] = infos[i];
    }
    return n;
}

static void on_streams(void *arg, struct log_stream_info *infos, size_t count,
                       const struct err *err)
{
    struct call *call = arg;
    const struct logs_DescribeLogStreamsRequest *input = call->input;
    struct log_where where;
    if (err) {
        log_api_fail(call, err);
        return;
    }
    if (!log_api_group(call, input->logGroupName, input->logGroupIdentifier, &where))
        return;
    size_t max = input->limit.set ? (size_t)input->limit.v : STREAMS_MAX;
    size_t n = keep_prefix(infos, count, input->logStreamNamePrefix);
    sort(input, infos, n);
    size_t from = page_start(input, infos, n);
    size_t to = n - from > max ? from + max : n;
    struct slice arn = log_api_arn(call, where.group);
    struct logs_LogStream *streams = arena_array(call->arena, to - from, sizeof *streams);
    for (size_t i = from; i < to; i++)
        streams[i - from] = describe(call, arn, &infos[i]);
    struct logs_DescribeLogStreamsResponse answer = {
        .logStreams = aws_list_of(call->arena, streams, to - from, sizeof *streams)};
    if (to < n)
        answer.nextToken =
            arena_printf(call->arena, "%llu/%.*s", (unsigned long long)infos[to - 1].last_ms,
                         FMT(infos[to - 1].name));
    call_ok(call, 0, &answer);
}

static void describe_streams(struct call *call)
{
    const struct logs_DescribeLogStreamsRequest *input = call->input;
    struct log_stream_info ignored;
    struct log_where where;
    if (!log_api_group(call, input->logGroupName, input->logGroupIdentifier, &where))
        return;
    if (input->logStreamNamePrefix.p && slice_eq(input->orderBy, S("LastEventTime")))
        log_api_bad_parameter(call, "Cannot order by LastEventTime with a logStreamNamePrefix.");
    else if (input->nextToken.p && !read_token(input->nextToken, &ignored))
        log_api_bad_token(call);
    else
        log_streams(call->context, call->arena, &where, on_streams, call);
}

void log_api_streams_register(struct front *front, struct log_store *logs)
{
    front_handle(front, &logs_op_CreateLogStream, create_stream, logs);
    front_handle(front, &logs_op_DeleteLogStream, delete_stream, logs);
    front_handle(front, &logs_op_DescribeLogStreams, describe_streams, logs);
}
