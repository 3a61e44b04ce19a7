/* `lambkin doctor`: what this host can and cannot do, and the mend for what it cannot. */
#include "bin/cli.h"
#include "bin/paths.h"
#include "bin/runtime_rows.h"
#include "bin/settings.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

static const char help[] =
    "usage: lambkin doctor [--json]\n\n"
    "Says what this host can and cannot do for lambkin, with the mend for each missing piece.\n"
    "Exit code 0: functions can run isolated; 1: something that is needed is missing.\n";

struct finding {
    bool good;
    bool needed; /* without it no function runs */
    char what[64];
    char found[160];
    char mend[240];
};

struct report {
    struct finding findings[48];
    size_t count;
};

static struct finding *add(struct report *r, const char *what, bool good, bool needed)
{
    must(r->count < COUNT_OF(r->findings));
    struct finding *f = &r->findings[r->count++];
    snprintf(f->what, sizeof f->what, "%s", what);
    f->good = good;
    f->needed = needed;
    return f;
}

/* A file of the kernel, which gives a page at a time. What has no room is left out. */
static bool read_text(const char *path, char *to, size_t cap)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = fd >= 0 ? 1 : -1;
    while (got > 0 && n < cap - 1) {
        got = read(fd, to + n, cap - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        return false;
    while (n && to[n - 1] == '\n')
        n--;
    to[n] = '\0';
    return true;
}

static void check_kernel(struct report *r)
{
    struct utsname u;
    unsigned major = 0;
    unsigned minor = 0;
    uname(&u);
    sscanf(u.release, "%u.%u", &major, &minor);
    struct finding *f = add(r, "kernel", major > 5 || (major == 5 && minor >= 12), true);
    snprintf(f->found, sizeof f->found, "Linux %.60s on %.20s", u.release, u.machine);
    snprintf(f->mend, sizeof f->mend,
             "lambkin needs Linux 5.12 or newer (mount_setattr): upgrade the kernel");
}

/* Does the kernel let us make these namespaces? Tried in a child, which does nothing else. */
static bool can_clone(uint64_t flags, int *os)
{
    struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(0);
    *os = errno;
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return pid > 0;
}

static void check_namespaces(struct report *r)
{
    char text[64] = "";
    int os = 0;
    uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;
    bool good = can_clone(flags | (geteuid() ? (uint64_t)CLONE_NEWUSER : 0), &os) &&
                can_clone(CLONE_NEWUSER, &os);
    struct finding *f = add(r, "namespaces", good, true);
    snprintf(f->found, sizeof f->found, "%s",
             good ? "user, mount, pid, network (closed), uts, ipc" : strerror(os));
    if (read_text("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", text, sizeof text) &&
        !strcmp(text, "1"))
        snprintf(f->mend, sizeof f->mend,
                 "AppArmor forbids user namespaces: sysctl "
                 "kernel.apparmor_restrict_unprivileged_userns=0, or start lambkin as root");
    else if (read_text("/proc/sys/kernel/unprivileged_userns_clone", text, sizeof text) &&
             !strcmp(text, "0"))
        snprintf(f->mend, sizeof f->mend,
                 "sysctl kernel.unprivileged_userns_clone=1, or start lambkin as root");
    else if (read_text("/proc/sys/user/max_user_namespaces", text, sizeof text) &&
             !strcmp(text, "0"))
        snprintf(f->mend, sizeof f->mend, "sysctl user.max_user_namespaces=65536");
    else
        snprintf(f->mend, sizeof f->mend,
                 "inside a container: give it CAP_SYS_ADMIN and an unmasked /proc, or run lambkin "
                 "on the host");
}

static void check_seccomp(struct report *r)
{
    char text[512] = "";
    bool good = read_text("/proc/sys/kernel/seccomp/actions_avail", text, sizeof text) &&
                strstr(text, "kill_process");
    struct finding *f = add(r, "seccomp", good, true);
    snprintf(f->found, sizeof f->found, "%.150s", text);
    snprintf(f->mend, sizeof f->mend, "the kernel must be built with CONFIG_SECCOMP_FILTER");
}

static bool has_word(struct slice list, char separator, const char *word)
{
    struct slice one;
    while (slice_cut(&list, separator, &one)) {
        if (slice_eq(one, slice_str(word)))
            return true;
    }
    return false;
}

/* A line of mountinfo: does it mount this controller of cgroup v1? "... - cgroup SOURCE rw,cpu" */
static bool mounts_controller(struct slice line, const char *name)
{
    struct slice word = {NULL, 0};
    while (slice_cut(&line, ' ', &word) && !slice_eq(word, S("-")))
        ;
    return slice_starts(line, S("cgroup ")) &&
           has_word(slice_sub(line, slice_rfind(line, ' ') + 1, line.n), ',', name);
}

static bool has_controller(const char *name, bool *v2)
{
    static char text[65536];
    struct slice line;
    if (read_text("/sys/fs/cgroup/cgroup.controllers", text, sizeof text) &&
        has_word(slice_str(text), ' ', name))
        return *v2 = true;
    if (!read_text("/proc/self/mountinfo", text, sizeof text))
        return false;
    for (struct slice rest = slice_str(text); slice_cut(&rest, '\n', &line);) {
        if (mounts_controller(line, name))
            return true;
    }
    return false;
}

static bool can_make_group(bool v2, const char *controller)
{
    char path[128];
    if (geteuid() == 0)
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s", v2 ? "" : controller);
    else
        return false; /* only where it was delegated: the launcher tries and says so */
    return access(path, W_OK) == 0;
}

static void check_cgroups(struct report *r)
{
    static const char *const roles[][2] = {
        {"memory", "memory limits"}, {"cpu", "processor shares"}, {"pids", "process limits"}};
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        bool v2 = false;
        bool there = has_controller(roles[i][0], &v2);
        bool mine = there && can_make_group(v2, roles[i][0]);
        char what[64];
        snprintf(what, sizeof what, "cgroup: %s", roles[i][1]);
        struct finding *f = add(r, what, mine, false);
        snprintf(f->found, sizeof f->found, "%s",
                 !there ? "no such controller"
                 : mine ? (v2 ? "cgroup v2" : "cgroup v1")
                        : "there, but not ours to use");
        snprintf(f->mend, sizeof f->mend, "%s",
                 there ? "start lambkin as root, or delegate a cgroup (systemd: Delegate=yes)"
                       : "boot with the controller enabled (cgroup_enable=memory) or mount the "
                         "cgroup file system");
    }
}

static void check_tmp(struct report *r)
{
    bool root = geteuid() == 0;
    bool loop = root && access("/dev/loop-control", R_OK | W_OK) == 0;
    bool mke2fs = access("/sbin/mke2fs", X_OK) == 0 || access("/usr/sbin/mke2fs", X_OK) == 0;
    struct finding *f = add(r, "/tmp with an exact quota on disk", loop && mke2fs, false);
    snprintf(f->found, sizeof f->found, "%s",
             loop && mke2fs ? "loop devices and mke2fs"
                            : "/tmp will be memory (tmpfs), and counts as the function's");
    snprintf(f->mend, sizeof f->mend, "%s",
             !root ? "start lambkin as root"
             : !loop
                 ? "load the loop module (modprobe loop) or give the container /dev/loop-control"
                 : "apt-get install e2fsprogs");
}

static void check_limits(struct report *r)
{
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    struct finding *f = add(r, "open files", limit.rlim_max >= 10000, false);
    snprintf(f->found, sizeof f->found, "%llu: enough for about %llu environments",
             (unsigned long long)limit.rlim_max, (unsigned long long)(limit.rlim_max / 10));
    snprintf(f->mend, sizeof f->mend,
             "raise the limit: ulimit -Hn 65536, or LimitNOFILE= in the service");
    f = add(r, "a host user per sandbox", geteuid() == 0, false);
    snprintf(f->found, sizeof f->found, "%s",
             geteuid() == 0 ? "yes, from uid 200000 on"
                            : "no: all sandboxes run under your uid, apart only by namespaces");
    snprintf(f->mend, sizeof f->mend, "start lambkin as root");
}

/* The rows of one language in `from`, up to `end`: which interpreters serve, and what the newest
 * identifier lacks if none does. */
static void add_language(struct report *r, const struct runtime_row *from,
                         const struct runtime_row *end)
{
    char what[64];
    char found[160] = "";
    for (const struct runtime_row *row = from; row < end; row++) {
        char one[120];
        snprintf(one, sizeof one, "%s (%.*s%.*s)", row->version, FMT(row->rootfs),
                 FMT(row->choice.interpreter));
        if (row->runs && !strstr(found, one))
            snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s",
                     *found ? ", " : "", one);
    }
    snprintf(what, sizeof what, "runtimes %.*s", FMT(runtime_row_language(from)));
    struct finding *f = add(r, what, *found != '\0', false);
    snprintf(f->found, sizeof f->found, "%s", *found ? found : "no interpreter");
    snprintf(f->mend, sizeof f->mend, "%s", end[-1].why_not);
}

static void check_runtimes(struct report *r, const struct settings *s)
{
    static struct runtime_row rows[RUNTIME_NAMES];
    struct err err;
    if (!runtime_rows(s, rows, &err)) {
        struct finding *f = add(r, "runtimes", false, true);
        snprintf(f->mend, sizeof f->mend, "%s", err.msg);
        return;
    }
    size_t end = 0;
    for (size_t i = 0; i < RUNTIME_NAMES && !rows[i].id->retired; i = end) {
        struct slice language = runtime_row_language(&rows[i]);
        while (end < RUNTIME_NAMES && !rows[end].id->retired &&
               slice_eq(runtime_row_language(&rows[end]), language))
            end++;
        if (!slice_eq(language, S("provided")))
            add_language(r, &rows[i], &rows[end]);
    }
}

static void check_installation(struct report *r)
{
    struct settings s;
    struct err err;
    char *none[] = {NULL};
    settings_defaults(&s);
    bool read = settings_read(&s, none, &err);
    bool good = read && paths_find(&s, &err);
    struct finding *f = add(r, "installation", good, true);
    snprintf(f->found, sizeof f->found, "%.159s", good ? s.libexec_dir : err.msg);
    snprintf(f->mend, sizeof f->mend, "%s",
             read ? "make install, or set LAMBKIN_LIBEXEC to the folder of lambkin-launch"
                  : "mend that setting: `lambkin serve` would not start with it");
    if (good)
        check_runtimes(r, &s);
    settings_free(&s);
}

static void print_text(const struct report *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct finding *f = &r->findings[i];
        printf("%-4s %-34s %s\n", f->good ? "yes" : f->needed ? "NO" : "no", f->what, f->found);
        if (!f->good)
            printf("%-4s %-34s mend: %s\n", "", "", f->mend);
    }
}

static void print_json(const struct report *r, bool good)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->count; i++) {
        const struct finding *f = &r->findings[i];
        json_t *one = json_pack("{s:s, s:b, s:b, s:s}", "what", f->what, "good", f->good, "needed",
                                f->needed, "found", f->found);
        if (!f->good)
            json_object_set_new(one, "mend", json_string(f->mend));
        json_array_append_new(list, one);
    }
    json_t *all = json_pack("{s:b, s:s, s:o}", "ok", good, "mode",
                            geteuid() == 0 ? "root" : "rootless", "findings", list);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

int command_doctor(char **argv)
{
    bool json = false;
    struct cli_args args;
    int code = 0;
    const struct cli_option options[] = {{"--json", 0, &json, NULL, NULL}};
    if (!cli_parse(argv, options, COUNT_OF(options), 0, 0, help, &args, &code))
        return code;
    static struct report r;
    bool good = true;
    bool limited = true;
    check_kernel(&r);
    check_namespaces(&r);
    check_seccomp(&r);
    check_cgroups(&r);
    check_tmp(&r);
    check_limits(&r);
    check_installation(&r);
    for (size_t i = 0; i < r.count; i++)
        good &= r.findings[i].good || !r.findings[i].needed;
    for (size_t i = 0; i < r.count; i++)
        limited &= r.findings[i].good || strncmp(r.findings[i].what, "cgroup:", 7) != 0;
    if (json)
        print_json(&r, good);
    else {
        print_text(&r);
        puts(good && limited ? "\nFunctions can run isolated here."
             : good
                 ? "\nFunctions can run here, apart from each other, but not all limits hold: run "
                   "only code that you trust."
                 : "\nFunctions cannot run here until the lines with NO are mended.");
    }
    return good ? EXIT_OK : EXIT_ERROR;
}
