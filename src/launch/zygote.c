#include "launch/zygote.h"

#include "base/slice.h"

#include <string.h>

enum { ARGS_MAX = 6 };

/* What a zygote may be: the programs below /usr that begin like this and go on with a version, and
 * all their arguments, which are those of runtimes/<runtime>/runtime.conf. */
static const struct {
    const char *runtime;
    const char *program;
    const char *args[ARGS_MAX];
} known[] = {
    {"python", "/usr/bin/python3.", {"-S", "-X", "utf8", "/var/runtime/bootstrap.py"}},
};

/* None of these makes an interpreter run anything else: a zygote sees only the host's /usr. */
static const char *const variables[] = {
    "LANG=",  "TZ=",         "PATH=",     "LD_LIBRARY_PATH=", "AWS_XRAY_",           "PWD=",
    "SHLVL=", "PYTHONPATH=", "LC_CTYPE=", "_LAMBKIN_ROOM=",   "_LAMBKIN_PARKED_FD=",
};

static bool is_version(const char *text)
{
    return *text && text[strspn(text, "0123456789.")] == '\0';
}

static bool is_variable(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        if (!strncmp(text, variables[i], strlen(variables[i])))
            return true;
    }
    return false;
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

static bool is_known(const struct sandbox_spec *spec)
{
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        size_t n = strlen(known[i].program);
        if (!strcmp(spec->runtime, known[i].runtime) &&
            !strncmp(spec->strings, known[i].program, n) && is_version(spec->strings + n) &&
            are_args(spec, known[i].args))
            return true;
    }
    return false;
}

bool zygote_check(const struct sandbox_spec *spec, struct err *err)
{
    const char *at = spec->strings;
    if (*spec->rootfs)
        return err_set(err, FAULT_INVALID, "a zygote is of the host's own file system");
    if (!is_known(spec))
        return err_set(err, FAULT_INVALID, "no zygote runs %s", spec->strings);
    for (uint32_t i = 0; i < spec->argc + spec->envc; i++, at += strlen(at) + 1) {
        if (i >= spec->argc && !is_variable(at))
            return err_set(err, FAULT_INVALID, "no zygote has such a variable");
    }
    return true;
}
