/* Log events: put, get, filter. */
#include "base/clock.h"
#include "services/filter_pattern.h"
#include "services/log_token.h"
#include "services/logs.h"

enum {
    EVENTS_MAX = 10000,
    BYTES_MAX = 1 << 20, /* AWS: of one answer, one batch, one event */
    EVENT_OVERHEAD = 26,
    MS_PER_HOUR = 3600 * 1000,
    MS_PER_DAY = 24 * MS_PER_HOUR,
    OLD_DAYS = 14,
    NEW_HOURS = 2,
};

/* Negative times do not pass the model. */
static uint64_t time_of(struct opt_i64 ms)
{
    return ms.set && ms.v > 0 ? (uint64_t)ms.v : 0;
}

/* ---- PutLogEvents ---- */

struct putting { /* in the call's arena; its `user` */
    struct log_event *events;
    size_t count;
    size_t from, to; /* of those that are neither too old nor too new */
};

static bool check_sizes(struct call *call, const struct putting *p)
{
    size_t total = 0;
    for (size_t i = 0; i < p->count; i++) {
        size_t n = p->events[i].message.n;
        if (n > BYTES_MAX) {
            call_fail(call, "InvalidParameterException",
                      "Log event too large: %zu bytes exceeds limit of %d", n, BYTES_MAX);
            return false;
        }
        total += n + EVENT_OVERHEAD;
    }
    if (total <= BYTES_MAX)
        return true;
    call_fail(call, "InvalidParameterException", "Upload too large: %zu bytes exceeds limit of %d",
              total, BYTES_MAX);
    return false;
}

static bool check_order(struct call *call, const struct putting *p)
{
    for (size_t i = 1; i < p->count; i++) {
        if (p->events[i].timestamp >= p->events[i - 1].timestamp)
            continue;
        log_api_bad_parameter(call, "Log events in a single PutLogEvents request must be in "
                                    "chronological order.");
        return false;
    }
    if (p->events[p->count - 1].timestamp - p->events[0].timestamp <= MS_PER_DAY)
        return true;
    log_api_bad_parameter(call,
                          "The batch of log events in a single PutLogEvents request cannot span "
                          "more than 24 hours.");
    return false;
}

static void on_put(void *arg, size_t expired, const struct err *err)
{
    struct call *call = arg;
    const struct putting *p = call->user;
    const struct log_key key = {clock_wall_ms(), p->count};
    struct logs_RejectedLogEventsInfo rejected = {.tooNewLogEventStartIndex = {.set = false}};
    if (err) {
        log_api_fail(call, err);
        return;
    }
    if (p->from)
        rejected.tooOldLogEventEndIndex = OPT_I64((int64_t)p->from);
    if (expired)
        rejected.expiredLogEventEndIndex = OPT_I64((int64_t)(p->from + expired));
    if (p->to < p->count)
        rejected.tooNewLogEventStartIndex = OPT_I64((int64_t)p->to);
    const struct logs_PutLogEventsResponse answer = {
        .nextSequenceToken = log_token_key(call->arena, key),
        .rejectedLogEventsInfo = p->from || expired || p->to < p->count ? &rejected : NULL};
    call_ok(call, 0, &answer);
}

static void put_events(struct call *call)
{
    const struct logs_PutLogEventsRequest *input = call->input;
    const struct log_where where = log_api_where(call, input->logGroupName);
    struct putting *p = ARENA_NEW(call->arena, putting);
    uint64_t now = clock_wall_ms();
    p->count = p->to = input->logEvents.n;
    p->events = arena_array(call->arena, p->count, sizeof *p->events);
    for (size_t i = 0; i < p->count; i++) {
        const struct logs_InputLogEvent *e =
            *AWS_ITEM(input->logEvents, const struct logs_InputLogEvent *, i);
        p->events[i] = (struct log_event){
            .timestamp = time_of(e->timestamp), .ingestion = now, .message = e->message};
    }
    if (!check_sizes(call, p) || !check_order(call, p))
        return;
    while (p->from < p->to && p->events[p->from].timestamp + OLD_DAYS * (uint64_t)MS_PER_DAY < now)
        p->from++;
    while (p->to > p->from &&
           p->events[p->to - 1].timestamp > now + NEW_HOURS * (uint64_t)MS_PER_HOUR)
        p->to--;
    call->user = p;
    log_put(call->context, &where, input->logStreamName, p->events + p->from, p->to - p->from,
            on_put, call);
}

/* ---- GetLogEvents ---- */

static void on_events(void *arg, const struct log_page *page, const struct err *err)
{
    struct call *call = arg;
    if (err) {
        log_api_fail(call, err);
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
        .nextForwardToken = log_token_page(call->arena, false, page->next),
        .nextBackwardToken = log_token_page(call->arena, true, page->first)};
    call_ok(call, 0, &answer);
}

static void get_events(struct call *call)
{
    const struct logs_GetLogEventsRequest *input = call->input;
    bool backward = !input->startFromHead.v;
    struct log_query query = {.streams = &input->logStreamName,
                              .stream_count = 1,
                              .start_ms = time_of(input->startTime),
                              .end_ms = time_of(input->endTime),
                              .max_events = EVENTS_MAX,
                              .max_bytes = BYTES_MAX,
                              .resumed = input->nextToken.p != NULL};
    if (!log_api_group(call, input->logGroupName, input->logGroupIdentifier, &query.where))
        return;
    if (query.resumed && !log_token_read_page(input->nextToken, &backward, &query.after)) {
        log_api_bad_token(call);
        return;
    }
    if (input->limit.set)
        query.max_events = (size_t)input->limit.v;
    query.order = backward ? LOG_BY_TIME_BACKWARD : LOG_BY_TIME;
    log_read(call->context, call->arena, &query, on_events, call);
}

/* ---- FilterLogEvents ---- */

struct reading { /* in the call's arena; its `user` */
    struct log_query query;
    uint64_t created_ms; /* by arrival: of the group that the token is of */
};

static bool matches(const void *arg, struct slice message)
{
    return filter_pattern_matches(arg, message);
}

static void ask_filter(struct call *call);

static void on_filtered(void *arg, const struct log_page *page, const struct err *err)
{
    struct call *call = arg;
    struct reading *r = call->user;
    bool arrival = r->query.order == LOG_BY_ARRIVAL;
    if (err) {
        log_api_fail(call, err);
        return;
    }
    if (arrival && r->created_ms != page->created_ms) { /* another group of that name */
        bool again = r->query.resumed && r->query.after.position;
        r->created_ms = page->created_ms;
        r->query.after = (struct log_key){0, 0};
        if (again) {
            ask_filter(call);
            return;
        }
    }
    struct logs_FilteredLogEvent *events = arena_array(call->arena, page->count, sizeof *events);
    for (size_t i = 0; i < page->count; i++) {
        const struct log_event *e = &page->events[i];
        const struct log_key key = {e->timestamp, e->position};
        events[i] = (struct logs_FilteredLogEvent){.logStreamName = e->stream,
                                                   .timestamp = OPT_I64((int64_t)e->timestamp),
                                                   .message = e->message,
                                                   .ingestionTime = OPT_I64((int64_t)e->ingestion),
                                                   .eventId = log_token_key(call->arena, key)};
    }
    struct logs_FilterLogEventsResponse answer = {
        .events = aws_list_of(call->arena, events, page->count, sizeof *events),
        .searchedLogStreams = {true, 0, NULL}};
    if (arrival)
        answer.nextToken = log_token_arrival(call->arena, page->created_ms, page->next.position);
    else if (page->more)
        answer.nextToken = log_token_key(call->arena, page->next);
    call_ok(call, 0, &answer);
}

static void ask_filter(struct call *call)
{
    const struct reading *r = call->user;
    log_read(call->context, call->arena, &r->query, on_filtered, call);
}

static bool read_filter_token(struct slice token, struct reading *r)
{
    r->query.resumed = token.p != NULL;
    if (!token.p || log_token_read_key(token, &r->query.after))
        return true;
    r->query.order = LOG_BY_ARRIVAL;
    r->query.after.ms = 0;
    return log_token_read_arrival(token, &r->created_ms, &r->query.after.position);
}

static bool filter_query(struct call *call, const struct logs_FilterLogEventsRequest *input,
                         struct reading *r)
{
    struct err err;
    struct log_query *query = &r->query;
    const struct filter_pattern *pattern =
        filter_pattern_parse(call->arena, input->filterPattern, &err);
    if (!pattern) {
        log_api_fail(call, &err);
        return false;
    }
    if (!log_api_group(call, input->logGroupName, input->logGroupIdentifier, &query->where))
        return false;
    if (input->logStreamNames.n && input->logStreamNamePrefix.p) {
        log_api_bad_parameter(
            call, "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.");
        return false;
    }
    if (!read_filter_token(input->nextToken, r)) {
        log_api_bad_token(call);
        return false;
    }
    query->streams = input->logStreamNames.items;
    query->stream_count = input->logStreamNames.n;
    query->stream_prefix = input->logStreamNamePrefix;
    query->start_ms = time_of(input->startTime);
    /* Here the end belongs to it, in GetLogEvents it does not. */
    query->end_ms = input->endTime.set ? time_of(input->endTime) + 1 : 0;
    query->max_events = input->limit.set ? (size_t)input->limit.v : EVENTS_MAX;
    query->max_bytes = BYTES_MAX;
    query->matches = matches;
    query->matches_arg = pattern;
    return true;
}

static void filter_events(struct call *call)
{
    const struct logs_FilterLogEventsRequest *input = call->input;
    struct reading *r = ARENA_NEW(call->arena, reading);
    if (input->startFromHead.set && !input->startFromHead.v) {
        call_fail(call, "NotImplementedException",
                  "Not implemented by lambkin yet: startFromHead false; use GetLogEvents.");
        return;
    }
    call->user = r;
    if (filter_query(call, input, r))
        ask_filter(call);
}

void log_api_events_register(struct front *front, struct log_store *logs)
{
    front_handle(front, &logs_op_PutLogEvents, put_events, logs);
    front_handle(front, &logs_op_GetLogEvents, get_events, logs);
    front_handle(front, &logs_op_FilterLogEvents, filter_events, logs);
}
