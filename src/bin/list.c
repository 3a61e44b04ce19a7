#include "bin/cli.h"

#include "base/mem.h"

#include <stdio.h>

static const char list_help[] =
    "usage: lambkin list [--json] [--endpoint URL]\n\n"
    "Lists the functions: name, runtime, memory, timeout, last change.\n\n"
    "  --json           the configurations as a JSON array\n"
    "  --endpoint URL   where lambkin is [http://127.0.0.1:4566]\n";

static const char delete_help[] =
    "usage: lambkin delete NAME [--endpoint URL]\n\n"
    "Deletes the function. Calls that are running finish; its log stays.\n\n"
    "  --endpoint URL   where lambkin is [http://127.0.0.1:4566]\n";

static void print_row(json_t *fn)
{
    const char *texts[3];
    static const char *const keys[] = {"FunctionName", "Runtime", "LastModified"};
    for (size_t i = 0; i < 3; i++) {
        texts[i] = json_string_value(json_object_get(fn, keys[i]));
        if (!texts[i])
            texts[i] = "-";
    }
    printf("%-32s %-16s %6lld MB %4lld s  %s\n", texts[0], texts[1],
           (long long)json_integer_value(json_object_get(fn, "MemorySize")),
           (long long)json_integer_value(json_object_get(fn, "Timeout")), texts[2]);
}

/* All pages, appended to `all`. */
static int collect(json_t *all)
{
    char *marker = NULL;
    do {
        struct cli_answer answer;
        AUTO(buf) struct buf path = BUF_INIT(65536);
        buf_printf(&path, "/2015-03-31/functions?MaxItems=50%s%s", marker ? "&Marker=" : "",
                   marker ? marker : "");
        buf_char(&path, '\0');
        free(STEAL(marker));
        if (!cli_request("GET", path.p, NULL, (struct slice){NULL, 0}, &answer))
            return EXIT_UNREACHABLE;
        if (answer.status != 200) {
            int code = cli_tell(&answer, NULL);
            cli_answer_free(&answer);
            return code;
        }
        json_t *page = cli_json(&answer);
        if (!page) {
            cli_answer_free(&answer);
            return cli_not_json();
        }
        json_array_extend(all, json_object_get(page, "Functions"));
        const char *next = json_string_value(json_object_get(page, "NextMarker"));
        if (next)
            marker = cli_escape(next);
        json_decref(page);
        cli_answer_free(&answer);
    } while (marker);
    return EXIT_OK;
}

int command_list(char **argv)
{
    bool json = false;
    struct cli_args args;
    int code = 0;
    const struct cli_option options[] = {{"--json", 0, &json, NULL, NULL}, CLI_ENDPOINT};
    if (!cli_parse(argv, options, COUNT_OF(options), 0, 0, list_help, &args, &code))
        return code;
    json_t *all = json_array();
    code = collect(all);
    if (!code && json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (!code) {
        size_t i = 0;
        json_t *fn = NULL;
        json_array_foreach(all, i, fn) print_row(fn);
        if (!json_array_size(all))
            fputs("no functions yet in this region and account (AWS_REGION, AWS_ACCESS_KEY_ID); "
                  "`lambkin deploy --help` shows how to make one\n",
                  stderr);
    }
    json_decref(all);
    return code;
}

int command_delete(char **argv)
{
    struct cli_args args;
    struct cli_answer answer;
    int code = 0;
    const struct cli_option options[] = {CLI_ENDPOINT};
    if (!cli_parse(argv, options, COUNT_OF(options), 1, 1, delete_help, &args, &code))
        return code;
    code = EXIT_OK;
    char *name = cli_escape(args.positions[0]);
    AUTO(buf) struct buf path = BUF_INIT(65536);
    buf_printf(&path, "/2015-03-31/functions/%s", name);
    buf_char(&path, '\0');
    free(name);
    if (!cli_request("DELETE", path.p, NULL, (struct slice){NULL, 0}, &answer))
        return EXIT_UNREACHABLE;
    if (answer.status / 100 != 2)
        code = cli_tell(&answer, args.positions[0]);
    else
        printf("deleted %s\n", args.positions[0]);
    cli_answer_free(&answer);
    return code;
}
