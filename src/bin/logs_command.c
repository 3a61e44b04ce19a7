#include "bin/cli.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <time.h>

static const char help[] =
    "usage: lambkin logs NAME|--group GROUP [--follow] [--since DURATION] [--filter PATTERN] "
    "[--json]\n\n"
    "Prints the function's log, oldest first.\n\n"
    "  --group GROUP       this log group, not that of a function\n"
    "  -f, --follow        stay and print new lines as they come; Ctrl-C ends it\n"
    "  --since DURATION    only what is younger: 30s, 10m, 2h, 7d\n"
    "  --filter PATTERN    only events with these words, or like { $.level = \"ERROR\" }\n"
    "  --json              one JSON object a line: logStreamName, timestamp, message, ...\n"
    "  --endpoint URL      where lambkin is [http://127.0.0.1:4566]\n";

struct query {
    char group[640];
    uint64_t start_ms;
    const char *filter;
    bool json;
    bool colour;
    char token[64]; /* where to go on */
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
            uint64_t now = clock_wall_ms();
            uint64_t ago = count * units[i].ms;
            *out = now > ago ? now - ago : 0;
            return true;
        }
    }
    return false;
}

static void print_event(const struct query *q, json_t *event)
{
    uint64_t ms = (uint64_t)json_integer_value(json_object_get(event, "timestamp"));
    json_t *text = json_object_get(event, "message");
    struct slice message = {json_string_value(text), json_string_length(text)};
    if (!message.p)
        return;
    if (q->json) {
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char time[32];
    gmtime_r(&seconds, &tm);
    strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &tm);
    printf("%s%s.%03uZ%s ", q->colour ? "\033[2m" : "", time, (unsigned)(ms % 1000),
           q->colour ? "\033[0m" : "");
    fwrite(message.p, 1, message.n, stdout);
    if (!slice_ends(message, S("\n")))
        putchar('\n');
}

/* lambkin's own tokens go by arrival: times are of no use, as a framed event carries its writer's,
 * so they run backwards even in one environment. They tell a group from a later one of its name. */
static const char FROM_THE_START[] = "a/0/0";

static json_t *question(const struct query *q)
{
    json_t *ask = json_pack("{s:s, s:I, s:s}", "logGroupName", q->group, "startTime",
                            (json_int_t)q->start_ms, "nextToken", q->token);
    if (q->filter)
        json_object_set_new(ask, "filterPattern", json_string(q->filter));
    return ask;
}

static void print_events(struct query *q, json_t *page, bool *more)
{
    size_t i = 0;
    json_t *event = NULL;
    json_array_foreach(json_object_get(page, "events"), i, event) print_event(q, event);
    /* It stays the same where there is nothing more to look at. */
    const char *next = json_string_value(json_object_get(page, "nextToken"));
    *more = next && strcmp(next, q->token) != 0;
    if (*more)
        snprintf(q->token, sizeof q->token, "%s", next);
}

static int print_page(struct query *q, bool *more)
{
    static const char *const headers[] = {"Content-Type: application/x-amz-json-1.1",
                                          "X-Amz-Target: Logs_20140328.FilterLogEvents", NULL};
    struct cli_answer answer;
    json_t *ask = question(q);
    char *text = json_dumps(ask, JSON_COMPACT);
    json_decref(ask);
    bool came = cli_request("POST", "/", headers, slice_str(text), &answer);
    free(text);
    if (!came)
        return EXIT_UNREACHABLE;
    int code = EXIT_OK;
    json_t *page = cli_json(&answer);
    const char *type = json_string_value(json_object_get(page, "__type"));
    *more = false;
    if (answer.status == 200 && !page) {
        code = cli_not_json();
    } else if (answer.status == 200) {
        print_events(q, page, more);
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
    bool more = false;
    int code = EXIT_OK;
    do
        code = print_page(q, &more);
    while (!code && more);
    return code;
}

/* The group that a function logs into. Of one that is gone, or yet to come, the usual one. */
static int find_group(struct query *q, const char *name)
{
    struct cli_answer answer;
    AUTO(buf) struct buf path = BUF_INIT(65536);
    char *escaped = cli_escape(name);
    buf_printf(&path, "/2015-03-31/functions/%s/configuration", escaped);
    buf_char(&path, '\0');
    free(escaped);
    if (!cli_request("GET", path.p, NULL, (struct slice){NULL, 0}, &answer))
        return EXIT_UNREACHABLE;
    int code = EXIT_OK;
    json_t *config = answer.status == 200 ? cli_json(&answer) : NULL;
    const char *group =
        json_string_value(json_object_get(json_object_get(config, "LoggingConfig"), "LogGroup"));
    if (group || cli_is_missing(&answer))
        snprintf(q->group, sizeof q->group, "%s%.600s", group ? "" : "/aws/lambda/",
                 group ? group : name);
    else
        code = answer.status == 200 ? cli_not_json() : cli_tell(&answer, NULL);
    json_decref(config);
    cli_answer_free(&answer);
    return code;
}

static int print_log(struct query *q, const char *name)
{
    int code = name ? find_group(q, name) : EXIT_OK;
    return code ? code : print_all(q);
}

int command_logs(char **argv)
{
    bool follow = false;
    const char *since = NULL;
    const char *group = NULL;
    static struct query q;
    struct cli_args args;
    int code = 0;
    const struct cli_option options[] = {
        {"--follow", 'f', &follow, NULL, NULL}, {"--group", 0, NULL, &group, NULL},
        {"--since", 0, NULL, &since, NULL},     {"--filter", 0, NULL, &q.filter, NULL},
        {"--json", 0, &q.json, NULL, NULL},     CLI_ENDPOINT};
    if (!cli_parse(argv, options, COUNT_OF(options), 0, 1, help, &args, &code))
        return code;
    const char *name = args.positions[0];
    if (!name == !group)
        return cli_fail(EXIT_USAGE, "give either NAME or --group GROUP (--help says more)");
    if (since && !since_ms(since, &q.start_ms))
        return cli_fail(EXIT_USAGE, "--since must be like 30s, 10m, 2h or 7d, not %s", since);
    snprintf(q.token, sizeof q.token, "%s", FROM_THE_START);
    q.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    if (group || *name == '/') {
        snprintf(q.group, sizeof q.group, "%.600s", group ? group : name);
        name = NULL;
    }
    code = print_log(&q, name);
    if (code == EXIT_NOT_FOUND && !follow)
        return name ? cli_fail(code,
                               "there is no log of %s: it has not run yet, or there is no such "
                               "function",
                               name)
                    : cli_fail(code, "there is no log group %s", q.group);
    while (follow && (!code || code == EXIT_NOT_FOUND)) {
        nanosleep(&(struct timespec){.tv_nsec = 250000000}, NULL);
        code = code ? print_log(&q, name) : print_all(&q);
    }
    return code;
}
