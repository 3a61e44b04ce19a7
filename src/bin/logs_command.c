#include "bin/cli.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const char help[] =
    "usage: lambkin logs NAME [--follow] [--since DURATION] [--filter TEXT] [--json]\n\n"
    "Prints the function's log, oldest first.\n\n"
    "  -f, --follow        stay and print new lines as they come; Ctrl-C ends it\n"
    "  --since DURATION    only what is younger: 30s, 10m, 2h, 7d\n"
    "  --filter TEXT       only events with these words\n"
    "  --json              one JSON object a line: timestamp, stream, message\n";

struct query {
    char group[600];
    uint64_t start_ms;
    const char *filter;
    bool json;
    bool colour;
    char last_ids[4096][64]; /* events of the newest millisecond that were printed already */
    size_t last_count;
    uint64_t last_ms;
};

static bool since_ms(const char *text, uint64_t *out)
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    size_t n = strlen(text);
    for (size_t i = 0; n > 1 && i < COUNT_OF(units); i++) {
        uint64_t count = 0;
        if (text[n - 1] == units[i].unit && slice_u64((struct slice){text, n - 1}, &count) &&
            count < 100000) {
            *out = clock_wall_ms() - count * units[i].ms;
            return true;
        }
    }
    return false;
}

static bool seen(struct query *q, uint64_t ms, const char *id)
{
    if (ms < q->last_ms)
        return true;
    if (ms > q->last_ms) {
        q->last_ms = ms;
        q->last_count = 0;
    }
    for (size_t i = 0; i < q->last_count; i++) {
        if (!strcmp(q->last_ids[i], id))
            return true;
    }
    if (q->last_count < COUNT_OF(q->last_ids))
        snprintf(q->last_ids[q->last_count++], sizeof q->last_ids[0], "%.63s", id);
    return false;
}

static void print_event(struct query *q, json_t *event)
{
    uint64_t ms = (uint64_t)json_integer_value(json_object_get(event, "timestamp"));
    const char *message = json_string_value(json_object_get(event, "message"));
    const char *id = json_string_value(json_object_get(event, "eventId"));
    if (!message || seen(q, ms, id ? id : ""))
        return;
    if (q->json) {
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[32];
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    size_t n = strlen(message);
    printf("%s%s.%03uZ%s %s%s", q->colour ? "\033[2m" : "", text, (unsigned)(ms % 1000),
           q->colour ? "\033[0m" : "", message, n && message[n - 1] == '\n' ? "" : "\n");
}

/* One page; *next is the token of the following one, or NULL. */
static int print_page(struct query *q, char **token)
{
    static const char *const headers[] = {"Content-Type: application/x-amz-json-1.1",
                                          "X-Amz-Target: Logs_20140328.FilterLogEvents", NULL};
    struct cli_answer answer;
    json_t *ask = json_pack("{s:s, s:I}", "logGroupName", q->group, "startTime",
                            (json_int_t)(q->last_ms > q->start_ms ? q->last_ms : q->start_ms));
    if (q->filter)
        json_object_set_new(ask, "filterPattern", json_string(q->filter));
    if (*token)
        json_object_set_new(ask, "nextToken", json_string(*token));
    char *text = json_dumps(ask, JSON_COMPACT);
    json_decref(ask);
    free(STEAL(*token));
    bool came = cli_request("POST", "/", headers, slice_str(text), &answer);
    free(text);
    if (!came)
        return EXIT_UNREACHABLE;
    int code = EXIT_OK;
    json_t *page = cli_json(&answer);
    const char *type = json_string_value(json_object_get(page, "__type"));
    if (answer.status == 200) {
        size_t i = 0;
        json_t *event = NULL;
        json_array_foreach(json_object_get(page, "events"), i, event) print_event(q, event);
        const char *next = json_string_value(json_object_get(page, "nextToken"));
        if (next)
            *token = mem_str(slice_str(next));
    } else if (type && strstr(type, "ResourceNotFoundException")) {
        code = EXIT_NOT_FOUND; /* no log yet: the function has not run, or there is none */
    } else {
        code = cli_tell(&answer, NULL);
    }
    json_decref(page);
    cli_answer_free(&answer);
    fflush(stdout);
    return code;
}

static int print_all(struct query *q)
{
    char *token = NULL;
    int code = EXIT_OK;
    do
        code = print_page(q, &token);
    while (!code && token);
    free(token);
    return code;
}

int command_logs(char **argv)
{
    bool follow = false;
    const char *since = NULL;
    static struct query q;
    struct cli_args args;
    int code = 0;
    const struct cli_option options[] = {{"--follow", 'f', &follow, NULL, NULL},
                                         {"--since", 0, NULL, &since, NULL},
                                         {"--filter", 0, NULL, &q.filter, NULL},
                                         {"--json", 0, &q.json, NULL, NULL}};
    if (!cli_parse(argv, options, COUNT_OF(options), 1, help, &args, &code))
        return code;
    if (since && !since_ms(since, &q.start_ms))
        return cli_fail(EXIT_USAGE, "--since must be like 30s, 10m, 2h or 7d, not %s", since);
    q.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    snprintf(q.group, sizeof q.group, "%s%.500s", args.positions[0][0] == '/' ? "" : "/aws/lambda/",
             args.positions[0]);
    code = print_all(&q);
    if (code == EXIT_NOT_FOUND && !follow)
        return cli_fail(code,
                        "there is no log of %s: it has not run yet, or there is no such function",
                        args.positions[0]);
    while (follow && (!code || code == EXIT_NOT_FOUND)) {
        nanosleep(&(struct timespec){.tv_nsec = 250000000}, NULL);
        code = print_all(&q);
    }
    return code;
}
