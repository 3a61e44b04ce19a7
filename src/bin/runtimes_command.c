/* `lambkin runtimes`: on what each runtime of AWS runs here. */
#include "bin/cli.h"
#include "bin/paths.h"
#include "bin/runtime_rows.h"

#include "base/mem.h"

#include <stdio.h>

static const char help[] =
    "usage: lambkin runtimes [--json] [SETTINGS]\n\n"
    "Lists the runtime identifiers of AWS Lambda: whether this host has that version (exact), only "
    "another one\n"
    "that runs instead (nearest), or none (missing, and what to install), and where it lies.\n\n"
    "  --json     as a JSON array\n"
    "  SETTINGS   those of `lambkin serve`; --rootfs, --runtime-exact and --config matter here\n";

static void print_text(const struct runtime_row *rows)
{
    for (const struct runtime_row *row = rows; row < rows + RUNTIME_NAMES; row++) {
        printf("%-16.*s %-8s ", FMT(row->id->name), runtime_row_state(row));
        if (!row->runs)
            fputs(row->why_not, stdout);
        else if (!row->choice.language.n)
            fputs("the function brings its program", stdout);
        else
            printf("%s, %.*s%.*s", row->version, FMT(row->rootfs), FMT(row->choice.interpreter));
        const char *retired =
            row->runs ? " (retired: serve --retired-runtimes true)" : " (retired)";
        puts(row->id->retired ? retired : "");
    }
}

static void set(json_t *object, const char *key, struct slice value)
{
    if (value.n)
        json_object_set_new(object, key, json_stringn(value.p, value.n));
}

static void print_json(const struct runtime_row *rows)
{
    json_t *list = json_array();
    for (const struct runtime_row *row = rows; row < rows + RUNTIME_NAMES; row++) {
        json_t *one = json_pack("{s:s, s:s, s:b}", "runtime", row->id->name.p, "state",
                                runtime_row_state(row), "retired", row->id->retired);
        set(one, "version", slice_str(row->version));
        set(one, "interpreter", row->choice.interpreter);
        set(one, "rootfs", row->rootfs);
        set(one, "mend", slice_str(row->why_not));
        json_array_append_new(list, one);
    }
    json_dumpf(list, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(list);
}

/* Takes --json out: what stays are settings. */
static bool take_json(char **argv)
{
    bool found = false;
    char **to = argv;
    for (; *argv; argv++) {
        if (!strcmp(*argv, "--json"))
            found = true;
        else
            *to++ = *argv;
    }
    *to = NULL;
    return found;
}

int command_runtimes(char **argv)
{
    static struct runtime_row rows[RUNTIME_NAMES];
    struct settings s;
    struct err err;
    for (char **at = argv; *at; at++) {
        if (!strcmp(*at, "--help") || !strcmp(*at, "-h"))
            return fputs(help, stdout) < 0 ? EXIT_ERROR : EXIT_OK;
    }
    bool json = take_json(argv);
    settings_defaults(&s);
    if (!settings_read(&s, argv, &err))
        return cli_fail(EXIT_USAGE, "%s", err.msg);
    if (!paths_absolute(&s, &err) || !paths_find(&s, &err) || !runtime_rows(&s, rows, &err))
        return cli_fail(EXIT_ERROR, "%s", err.msg);
    if (json)
        print_json(rows);
    else
        print_text(rows);
    settings_free(&s);
    return EXIT_OK;
}
