#include "launch/zygote.h"

#include "base/slice.h"

#include <string.h>

enum { ARGS_MAX = 6, VARIABLES_MAX = 6 };

#define GEMS "3.#.0"

/* What a zygote may be: the programs below /usr that begin like this and go on with a version, and
 * all their arguments and variables, which are those of runtimes/<runtime>/runtime.conf. A # is a
 * number. */
static const struct known {
    const char *runtime;
    const char *program;
    const char *args[ARGS_MAX];
    const char *variables[VARIABLES_MAX];
} known[] = {
    {"python",
     "/usr/bin/python3.",
     {"-S", "-X", "utf8", "/var/runtime/bootstrap.py"},
     {"PYTHONPATH=/var/runtime", "LC_CTYPE=C.UTF-8"}},
    {"ruby",
     "/usr/bin/ruby3.",
     {"-E", "UTF-8", "/var/runtime/bootstrap.rb"},
     {"LC_CTYPE=C.UTF-8", "RUBYLIB=/var/task:/var/runtime/lib:/opt/ruby/lib",
      "GEM_HOME=/var/runtime",
      "GEM_PATH=/var/task/vendor/bundle/ruby/" GEMS ":/opt/ruby/gems/" GEMS
      ":/var/runtime:/var/runtime/ruby/" GEMS}},
};

/* As spec_fill_parked has them for all: another value of some would make an interpreter run code
 * from elsewhere. */
static const char library_path[] =
    "LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:"
    "/var/task/lib:/opt/lib";
static const char *const common[] = {
    "LANG=en_US.UTF-8",
    "TZ=:UTC",
    "PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    library_path,
    "AWS_XRAY_CONTEXT_MISSING=LOG_ERROR",
    "AWS_XRAY_DAEMON_ADDRESS=169.254.100.1:2000",
    "PWD=/var/task",
    "SHLVL=0",
    "_LAMBKIN_PARKED_FD=61",
};
static const char room[] = "_LAMBKIN_ROOM="; /* and spaces */
_Static_assert(LAUNCH_PARKED_FD == 61, "as _LAMBKIN_PARKED_FD says");

static bool is_version(const char *text)
{
    return *text && text[strspn(text, "0123456789.")] == '\0';
}

static bool fits(const char *text, const char *pattern)
{
    for (; *pattern; pattern++) {
        size_t n = *pattern == '#' ? strspn(text, "0123456789") : *text == *pattern;
        if (n == 0)
            return false;
        text += n;
    }
    return *text == '\0';
}

static bool is_variable(const char *text, const struct known *of)
{
    for (size_t i = 0; i < COUNT_OF(common); i++) {
        if (!strcmp(text, common[i]))
            return true;
    }
    for (size_t i = 0; i < VARIABLES_MAX && of->variables[i]; i++) {
        if (fits(text, of->variables[i]))
            return true;
    }
    size_t n = sizeof room - 1;
    return !strncmp(text, room, n) && text[n + strspn(text + n, " ")] == '\0';
}

static bool are_args(const struct sandbox_spec *spec, const char *const args[ARGS_MAX])
{
    const char *at = spec->strings;
    uint32_t i = 1;
    for (; i < spec->argc && i <= ARGS_MAX && args[i - 1]; i++) {
        at += strlen(at) + 1;
        if (strcmp(at, args[i - 1]) != 0)
            return false;
    }
    return i == spec->argc && (i > ARGS_MAX || !args[i - 1]);
}

static const struct known *find(const struct sandbox_spec *spec)
{
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        size_t n = strlen(known[i].program);
        if (!strcmp(spec->runtime, known[i].runtime) &&
            !strncmp(spec->strings, known[i].program, n) && is_version(spec->strings + n) &&
            are_args(spec, known[i].args))
            return &known[i];
    }
    return NULL;
}

bool zygote_check(const struct sandbox_spec *spec, struct err *err)
{
    const char *at = spec->strings;
    const struct known *found = find(spec);
    if (*spec->rootfs)
        return err_set(err, FAULT_INVALID, "a zygote is of the host's own file system");
    if (!found)
        return err_set(err, FAULT_INVALID, "no zygote runs %s", spec->strings);
    for (uint32_t i = 0; i < spec->argc + spec->envc; i++, at += strlen(at) + 1) {
        if (i >= spec->argc && !is_variable(at, found))
            return err_set(err, FAULT_INVALID, "no zygote has such a variable");
    }
    return true;
}
