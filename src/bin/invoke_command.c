#include "bin/cli.h"

#include "aws/codec.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/eventstream.h"
#include "codec/json_check.h"

#include <stdio.h>

static const char help[] =
    "usage: lambkin invoke NAME [-d JSON|@FILE|-] [--stream] [--tail] [--json] [--qualifier "
    "Q]\n\n"
    "Calls the function and prints its answer on standard output.\n\n"
    "  -d, --data JSON     the event; @FILE reads it from a file, - from standard input [{}]\n"
    "  --stream            print the answer as it comes (InvokeWithResponseStream)\n"
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

/* ---- the answer in pieces ---- */

struct streaming {
    struct buf rest;     /* of an event that is not complete */
    struct buf complete; /* the last event */
    bool broken;
};

/* False: what follows is of no use. */
static bool take_event(struct streaming *s, const struct eventstream_message *message)
{
    struct slice type = eventstream_get(message, S(":event-type"));
    if (slice_eq(type, S("PayloadChunk"))) {
        fwrite(message->payload.p, 1, message->payload.n, stdout);
        fflush(stdout);
    } else if (slice_eq(type, S("InvokeComplete"))) {
        buf_slice(&s->complete, message->payload);
    }
    return !ferror(stdout);
}

static bool on_piece(void *arg, struct slice bytes)
{
    struct streaming *s = arg;
    struct eventstream_message message;
    enum eventstream_read read = EVENTSTREAM_MESSAGE;
    buf_slice(&s->rest, bytes);
    struct slice rest = buf_all(&s->rest);
    while (!s->broken && (read = eventstream_read(rest, &message)) == EVENTSTREAM_MESSAGE) {
        s->broken = !take_event(s, &message);
        rest = slice_sub(rest, message.size, rest.n);
    }
    s->broken |= read == EVENTSTREAM_BAD || s->rest.over;
    buf_drop(&s->rest, s->rest.n - rest.n);
    return !s->broken;
}

static int tell_complete(const struct streaming *s, bool tail, const char *name)
{
    AUTO(buf) struct buf log = BUF_INIT(1 << 20);
    const char *code = NULL;
    const char *details = NULL;
    const char *encoded = NULL;
    json_t *json = json_loadb(s->complete.p ? s->complete.p : "", s->complete.n, 0, NULL);
    if (!json)
        return cli_fail(EXIT_ERROR, "the answer ended early");
    json_unpack(json, "{s?s, s?s, s?s}", "ErrorCode", &code, "ErrorDetails", &details, "LogResult",
                &encoded);
    if (tail && encoded && base64_decode(&log, slice_str(encoded)))
        fwrite(log.p, 1, log.n, stderr);
    if (code)
        cli_fail(0, "the function failed (%s): %s; `lambkin logs %s` has its log", code,
                 details ? details : "", name);
    json_decref(json);
    return code ? EXIT_FUNCTION : EXIT_OK;
}

static int invoke_stream(const char *path, const char *const *headers, struct slice event,
                         bool tail, const char *name)
{
    enum { EVENT_MAX = 32 << 20 };
    struct streaming s = {.rest = BUF_INIT(EVENT_MAX), .complete = BUF_INIT(EVENT_MAX)};
    struct cli_answer answer;
    int code = EXIT_UNREACHABLE;
    if (cli_request_pieces(path, headers, event, on_piece, &s, &answer)) {
        putchar('\n');
        fflush(stdout);
        code = answer.status / 100 == 2 ? tell_complete(&s, tail, name) : cli_tell(&answer, name);
        cli_answer_free(&answer);
    }
    buf_free(&s.rest);
    buf_free(&s.complete);
    return code;
}

/* ---- */

static void print_path(struct buf *out, const char *name, const char *qualifier, bool stream)
{
    char *escaped = cli_escape(name);
    buf_printf(out,
               stream ? "/2021-11-15/functions/%s/response-streaming-invocations"
                      : "/2015-03-31/functions/%s/invocations",
               escaped);
    free(escaped);
    if (qualifier) {
        escaped = cli_escape(qualifier);
        buf_printf(out, "?Qualifier=%s", escaped);
        free(escaped);
    }
    buf_char(out, '\0');
}

int command_invoke(char **argv)
{
    const char *data = "{}";
    const char *qualifier = NULL;
    bool tail = false;
    bool json = false;
    bool stream = false;
    struct cli_args args;
    struct cli_answer answer;
    struct err err;
    int code = 0;
    const struct cli_option options[] = {{"--data", 'd', NULL, &data, NULL},
                                         {"--stream", 0, &stream, NULL, NULL},
                                         {"--tail", 0, &tail, NULL, NULL},
                                         {"--json", 0, &json, NULL, NULL},
                                         {"--qualifier", 'q', NULL, &qualifier, NULL},
                                         CLI_ENDPOINT};
    if (!cli_parse(argv, options, COUNT_OF(options), 1, 1, help, &args, &code))
        return code;
    if (stream && json)
        return cli_fail(EXIT_USAGE, "--json has no form for --stream: its answer may be endless");
    AUTO(buf) struct buf event = BUF_INIT(0);
    if (!read_event(data, &event, &err))
        return cli_fail(EXIT_ERROR, "%s", err.msg);
    const char *headers[] = {"Content-Type: application/json", tail ? "X-Amz-Log-Type: Tail" : NULL,
                             NULL};
    AUTO(buf) struct buf path = BUF_INIT(65536);
    print_path(&path, args.positions[0], qualifier, stream);
    if (stream)
        return invoke_stream(path.p, headers, buf_all(&event), tail, args.positions[0]);
    if (!cli_request("POST", path.p, headers, buf_all(&event), &answer))
        return EXIT_UNREACHABLE;
    code = show(&answer, tail, json, args.positions[0]);
    cli_answer_free(&answer);
    return code;
}
