#include "bin/cli.h"

#include "base/mem.h"
#include "bin/paths.h"
#include "bin/settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char help[] = "lambkin runs AWS Lambda functions on this machine.\n\n"
                           "usage: lambkin COMMAND [ARGUMENTS]\n\n"
                           "  serve    start it (in the foreground; port 4566)\n"
                           "  deploy   create or update a function from a folder or a zip\n"
                           "  invoke   call a function\n"
                           "  logs     show a function's log, or follow it\n"
                           "  list     list the functions\n"
                           "  delete   delete a function\n"
                           "  runtimes which runtimes this host has, and on what they run\n"
                           "  doctor   what this host can and cannot do, and how to mend it\n"
                           "  version  print the version\n"
                           "  help     this text, or `lambkin help COMMAND`\n\n"
                           "A first function:\n\n"
                           "  lambkin serve &\n"
                           "  lambkin deploy examples/hello-python --name hello --runtime "
                           "python3.11 --handler app.handler\n"
                           "  lambkin invoke hello -d '{\"name\": \"Ada\"}' --tail\n\n"
                           "Commands talk to http://127.0.0.1:4566, or to what --endpoint, "
                           "LAMBKIN_ENDPOINT or AWS_ENDPOINT_URL say.\n"
                           "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 lambkin is not "
                           "reachable, 4 no such function, 5 the function failed.\n";

#ifndef LAMBKIN_CLIENT
static char **whole_argv;

static int become_client(char **argv)
{
    struct settings s;
    struct err err;
    (void)argv;
    settings_defaults(&s);
    if (!paths_find(&s, &err))
        return cli_fail(EXIT_ERROR, "%s", err.msg);
    AUTO(buf) struct buf path = BUF_INIT(8192);
    buf_printf(&path, "%s/lambkin-client", s.libexec_dir);
    buf_char(&path, '\0');
    execv(path.p, whole_argv);
    return cli_fail(EXIT_ERROR, "cannot start %s: %s", path.p, strerror(errno));
}
#endif

/* The commands that need an HTTP client are in a program of their own, lambkin-client: what people
 * type to start a server loads none of its thirty libraries, which would cost more time than
 * everything else at start. */
static const struct {
    const char *name;
    int (*run)(char **argv);
} commands[] = {
#ifdef LAMBKIN_CLIENT
    {"deploy", command_deploy}, {"invoke", command_invoke}, {"logs", command_logs},
    {"list", command_list},     {"delete", command_delete},
#else
    {"serve", command_serve},       {"run", command_serve},    {"doctor", command_doctor},
    {"runtimes", command_runtimes}, {"deploy", become_client}, {"invoke", become_client},
    {"logs", become_client},        {"list", become_client},   {"delete", become_client},
#endif
};

int cli_fail(int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("lambkin: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}

/* ---- arguments ---- */

static const struct cli_option *find_option(const struct cli_option *options, size_t n,
                                            const char *arg, size_t length)
{
    for (size_t i = 0; i < n; i++) {
        bool letter = arg[0] == '-' && arg[1] && arg[1] == options[i].letter && length == 2;
        if (letter || (strlen(options[i].name) == length && !strncmp(options[i].name, arg, length)))
            return &options[i];
    }
    return NULL;
}

static bool take_value(const struct cli_option *option, const char *value)
{
    if (option->value) {
        *option->value = value;
        return true;
    }
    size_t n = 0;
    while (option->values[n])
        n++;
    if (n == CLI_VALUES_MAX)
        return false;
    option->values[n] = value;
    return true;
}

bool cli_parse(char **argv, const struct cli_option *options, size_t option_count, size_t least,
               size_t most, const char *text, struct cli_args *out, int *code)
{
    struct slice first = slice_str(text);
    struct slice usage;
    slice_cut(&first, '\n', &usage);
    *out = (struct cli_args){.count = 0};
    *code = EXIT_USAGE;
    for (; *argv; argv++) {
        const char *eq = strchr(*argv, '=');
        size_t length = eq && (*argv)[0] == '-' ? (size_t)(eq - *argv) : strlen(*argv);
        if (!strcmp(*argv, "--help") || !strcmp(*argv, "-h")) {
            fputs(text, stdout);
            *code = EXIT_OK;
            return false;
        }
        if ((*argv)[0] != '-' || !strcmp(*argv, "-")) {
            if (out->count == most)
                return cli_fail(0, "unexpected argument %s; %.*s", *argv, FMT(usage)), false;
            out->positions[out->count++] = *argv;
            continue;
        }
        const struct cli_option *option = find_option(options, option_count, *argv, length);
        if (!option)
            return cli_fail(0, "unknown option %s; %.*s", *argv, FMT(usage)), false;
        if (option->flag) {
            *option->flag = true;
            continue;
        }
        const char *value = (*argv)[length] == '=' ? eq + 1 : *++argv;
        if (!value)
            return cli_fail(0, "%s: its value is missing; %.*s", option->name, FMT(usage)), false;
        if (!take_value(option, value))
            return cli_fail(0, "%s is given too often", option->name), false;
    }
    if (out->count < least)
        return cli_fail(0, "something is missing; %.*s (--help says more)", FMT(usage)), false;
    return true;
}

bool cli_read_file(const char *path, size_t max, struct buf *out, struct err *err)
{
    bool standard = !strcmp(path, "-");
    FILE *file = standard ? stdin : fopen(path, "re");
    char block[8192];
    if (!file)
        return err_os(err, errno, "cannot read %s", path);
    buf_init(out, max);
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;)
        buf_add(out, block, n);
    bool failed = ferror(file) != 0;
    if (!standard)
        fclose(file);
    if (failed)
        return err_os(err, errno, "cannot read %s", path);
    return !out->over || err_set(err, FAULT_LIMIT, "%s is larger than %zu bytes", path, max);
}

int main(int argc, char **argv)
{
#ifndef LAMBKIN_CLIENT
    whole_argv = argv;
#endif
    const char *name = argc > 1 ? argv[1] : "help";
    if (!strcmp(name, "version") || !strcmp(name, "--version") || !strcmp(name, "-V")) {
        puts("lambkin " LAMBKIN_VERSION);
        return EXIT_OK;
    }
    char *ask_help[] = {(char[]){"--help"}, NULL};
    char **rest = argv + (argc > 1 ? 2 : 1);
    if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h")) {
        if (!*rest) {
            fputs(help, stdout);
            return argc > 1 ? EXIT_OK : EXIT_USAGE;
        }
        name = *rest;
        rest = ask_help;
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (!strcmp(commands[i].name, name))
            return commands[i].run(rest);
    }
    return cli_fail(EXIT_USAGE, "there is no command %s; lambkin help lists them", name);
}
