#include "bin/paths.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static bool is_there(const char *dir, const char *name, char *out, size_t cap)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (access(path, F_OK))
        return false;
    char *real = realpath(dir, NULL);
    if (!real)
        return false;
    snprintf(out, cap, "%s", real);
    free(real);
    return true;
}

/* The first of `places`, relative to our own folder, in which `name` lies. */
static bool look(char **field, const char *own, const char *const *places, const char *name,
                 struct err *err)
{
    char dir[PATH_MAX];
    char found[PATH_MAX];
    if (**field)
        return true;
    for (; *places; places++) {
        snprintf(dir, sizeof dir, "%.3000s/%s", own, *places);
        if (is_there(dir, name, found, sizeof found)) {
            free(*field);
            *field = mem_str(slice_str(found));
            return true;
        }
    }
    return err_set(err, FAULT_UNAVAILABLE,
                   "cannot find %s near %.120s: is the installation complete?", name, own);
}

bool paths_find(struct settings *s, struct err *err)
{
    static const char *const programs[] = {".", "../libexec/lambkin", NULL};
    static const char *const runtimes[] = {"../runtimes", "../../runtimes",
                                           "../share/lambkin/runtimes",
                                           "../../share/lambkin/runtimes", NULL};
    char own[PATH_MAX];
    const char *libexec = getenv("LAMBKIN_LIBEXEC");
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    if (n <= 0)
        return err_os(err, errno, "read /proc/self/exe");
    own[n] = '\0';
    *strrchr(own, '/') = '\0';
    if (libexec && !*s->libexec_dir) {
        free(s->libexec_dir);
        s->libexec_dir = mem_str(slice_str(libexec));
    }
    return look(&s->libexec_dir, own, programs, "lambkin-launch", err) &&
           look(&s->runtimes_dir, own, runtimes, "python/runtime.conf", err);
}

bool paths_absolute(struct settings *s, struct err *err)
{
    char **fields[] = {&s->data_dir, &s->libexec_dir, &s->runtimes_dir};
    char cwd[PATH_MAX];
    if (!getcwd(cwd, sizeof cwd))
        return err_os(err, errno, "find the current folder");
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (!**fields[i] || **fields[i] == '/')
            continue;
        AUTO(buf) struct buf path = BUF_INIT(2 * PATH_MAX);
        buf_printf(&path, "%s/%s", cwd, *fields[i]);
        free(*fields[i]);
        *fields[i] = mem_str(buf_all(&path));
    }
    return true;
}
