#include "bin/cli.h"

#include "base/mem.h"
#include "codec/base64.h"

#include <stdio.h>

static const char help[] =
    "usage: lambkin invoke NAME [-d JSON|@FILE|-] [--tail] [--json] [--qualifier Q]\n\n"
    "Calls the function and prints its answer on standard output.\n\n"
    "  -d, --data JSON     the event; @FILE reads it from a file, - from standard input [{}]\n"
    "  --tail              the log of this call, on standard error\n"
    "  --json              one JSON object: status, functionError, payload, log\n"
    "  --qualifier Q       $LATEST, a version or an alias\n\n"
    "Exit code 5 means that the function ran and failed.\n\n"
    "Example:\n  lambkin invoke hello -d '{\"name\": \"Ada\"}' --tail\n";

static bool read_event(const char *data, struct buf *out, struct err *err)
{
    enum { EVENT_MAX = 64 << 20 }; /* the server says what is too large, in its own words */
    if (!strcmp(data, "-"))
        return cli_read_file("-", EVENT_MAX, out, err);
    if (data[0] == '@')
        return cli_read_file(data + 1, EVENT_MAX, out, err);
    buf_init(out, EVENT_MAX);
    return buf_slice(out, slice_str(data));
}

static void print_json(const struct cli_answer *answer, struct slice log)
{
    json_t *payload = cli_json(answer);
    json_t *out = json_pack("{s:i, s:o}", "status", (int)answer->status, "payload",
                            payload ? payload : json_stringn(answer->body.p, answer->body.n));
    if (*answer->function_error)
        json_object_set_new(out, "functionError", json_string(answer->function_error));
    if (log.p)
        json_object_set_new(out, "log", json_stringn(log.p, log.n));
    json_dumpf(out, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(out);
}

static int show(const struct cli_answer *answer, bool tail, bool json, const char *name)
{
    AUTO(buf) struct buf log = BUF_INIT(1 << 20);
    if (answer->status / 100 != 2)
        return cli_tell(answer, name);
    if (answer->log_result && !base64_decode(&log, slice_str(answer->log_result)))
        buf_clear(&log);
    if (json) {
        print_json(answer, tail ? buf_all(&log) : (struct slice){NULL, 0});
    } else {
        fwrite(answer->body.p, 1, answer->body.n, stdout);
        putchar('\n');
        fflush(stdout);
        if (tail)
            fwrite(log.p, 1, log.n, stderr);
        if (*answer->function_error)
            cli_fail(0, "the function failed (%s); `lambkin logs %s` has its log",
                     answer->function_error, name);
    }
    return *answer->function_error ? EXIT_FUNCTION : EXIT_OK;
}

int command_invoke(char **argv)
{
    const char *data = "{}";
    const char *qualifier = NULL;
    bool tail = false;
    bool json = false;
    struct cli_args args;
    struct cli_answer answer;
    struct err err;
    int code = 0;
    const struct cli_option options[] = {{"--data", 'd', NULL, &data, NULL},
                                         {"--tail", 0, &tail, NULL, NULL},
                                         {"--json", 0, &json, NULL, NULL},
                                         {"--qualifier", 'q', NULL, &qualifier, NULL}};
    if (!cli_parse(argv, options, COUNT_OF(options), 1, help, &args, &code))
        return code;
    AUTO(buf) struct buf event = BUF_INIT(0);
    if (!read_event(data, &event, &err))
        return cli_fail(EXIT_ERROR, "%s", err.msg);
    const char *headers[] = {"Content-Type: application/json", tail ? "X-Amz-Log-Type: Tail" : NULL,
                             NULL};
    AUTO(buf) struct buf path = BUF_INIT(65536);
    char *name = cli_escape(args.positions[0]);
    buf_printf(&path, "/2015-03-31/functions/%s/invocations", name);
    free(name);
    if (qualifier) {
        char *escaped = cli_escape(qualifier);
        buf_printf(&path, "?Qualifier=%s", escaped);
        free(escaped);
    }
    buf_char(&path, '\0');
    if (!cli_request("POST", path.p, headers, buf_all(&event), &answer))
        return EXIT_UNREACHABLE;
    code = show(&answer, tail, json, args.positions[0]);
    cli_answer_free(&answer);
    return code;
}
