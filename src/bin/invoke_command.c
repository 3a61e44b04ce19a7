#include "bin/cli.h"

#include "aws/codec.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/json_check.h"

#include <stdio.h>

static const char help[] =
    "usage: lambkin invoke NAME [-d JSON|@FILE|-] [--tail] [--json] [--qualifier Q]\n\n"
    "Calls the function and prints its answer on standard output.\n\n"
    "  -d, --data JSON     the event; @FILE reads it from a file, - from standard input [{}]\n"
    "  --tail              the log of this call, on standard error\n"
    "  --json              one JSON object: status, functionError, payload, log\n"
    "  --qualifier Q       $LATEST, a version or an alias\n"
    "  --endpoint URL      where lambkin is [http://127.0.0.1:4566]\n\n"
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

/* The tail of a log is cut at a byte, which may be the middle of a character. */
static struct slice whole_characters(struct slice s)
{
    size_t n = 0;
    while (n < 3 && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n++;
    return slice_sub(s, n, s.n);
}

/* The payload as it is, if it is JSON: its numbers need not fit a C type. Else as a string. */
static void print_json(const struct cli_answer *answer, struct slice log)
{
    AUTO(buf) struct buf out = BUF_INIT(SIZE_MAX);
    struct slice payload = buf_all(&answer->body);
    struct json_fault fault;
    buf_printf(&out, "{\n  \"status\": %ld,\n  \"payload\": ", answer->status);
    if (json_check(payload, &fault))
        buf_slice(&out, slice_trim(payload));
    else
        aws_json_string(&out, payload);
    if (*answer->function_error) {
        buf_slice(&out, S(",\n  \"functionError\": "));
        aws_json_string(&out, slice_str(answer->function_error));
    }
    if (log.p) {
        buf_slice(&out, S(",\n  \"log\": "));
        aws_json_string(&out, whole_characters(log));
    }
    buf_slice(&out, S("\n}\n"));
    fwrite(out.p, 1, out.n, stdout);
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
                                         {"--qualifier", 'q', NULL, &qualifier, NULL},
                                         CLI_ENDPOINT};
    if (!cli_parse(argv, options, COUNT_OF(options), 1, 1, help, &args, &code))
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
