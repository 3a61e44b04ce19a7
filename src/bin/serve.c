/* `lambkin serve`: reads the settings, looks whether it can work at all, and becomes the launcher.
 */
#include "bin/cli.h"
#include "bin/paths.h"
#include "bin/settings.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int show_help(void)
{
    AUTO(buf) struct buf text = BUF_INIT(1 << 20);
    buf_slice(&text, S("usage: lambkin serve [--config FILE] [SETTINGS]\n\n"
                       "Runs lambkin in the foreground; Ctrl-C or SIGTERM stops it.\n\n"
                       "Each setting is a flag, a variable (--data-dir is LAMBKIN_DATA_DIR) and a "
                       "line \"data-dir = ...\" of the\n"
                       "config file (--config, LAMBKIN_CONFIG, else /etc/lambkin.conf or "
                       "~/.config/lambkin/lambkin.conf).\n"
                       "A flag wins over a variable, a variable over the file.\n\n"));
    settings_help(&text);
    fwrite(text.p, 1, text.n, stdout);
    return EXIT_OK;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool port_is_free(const struct settings *s, struct err *err)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)s->port)};
    bool four = inet_pton(AF_INET, s->host, &v4.sin_addr) == 1;
    int one = 1;
    if (!four)
        inet_pton(AF_INET6, s->host, &v6.sin6_addr);
    AUTO(fd) int fd = socket(four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int failed = four ? bind(fd, (struct sockaddr *)&v4, sizeof v4)
                      : bind(fd, (struct sockaddr *)&v6, sizeof v6);
    if (!failed)
        return true;
    if (errno == EADDRINUSE)
        return err_set(err, FAULT_CONFLICT,
                       "port %u on %s is in use: stop what listens there (ss -ltnp), or choose "
                       "another with --port",
                       (unsigned)s->port, s->host);
    return err_os(err, errno, "cannot listen on %s port %u", s->host, (unsigned)s->port);
}

static bool make_dirs(const char *path, struct err *err)
{
    char *copy = mem_str(slice_str(path));
    bool ok = true;
    for (char *at = copy + 1; ok; at++) {
        if (*at && *at != '/')
            continue;
        char c = *at;
        *at = '\0';
        ok = mkdir(copy, 0755) == 0 || errno == EEXIST ||
             err_os(err, errno, "cannot make data folder %s", path);
        *at = c;
        if (!c)
            break;
    }
    free(copy);
    return ok;
}

/* As root the daemon runs under an id of its own, which must be able to reach its folder. */
static bool daemon_can_reach(const char *path, struct err *err)
{
    char *copy = mem_str(slice_str(path));
    bool ok = true;
    for (char *slash = strrchr(copy, '/'); ok && slash && slash != copy;
         slash = strrchr(copy, '/')) {
        struct stat st;
        *slash = '\0';
        if (stat(copy, &st) == 0 && !(st.st_mode & S_IXOTH))
            ok = err_set(err, FAULT_DENIED,
                         "data folder %s: lambkin's own user may not pass through %s (permission "
                         "denied): chmod o+x it, or choose another "
                         "--data-dir",
                         path, copy);
    }
    free(copy);
    return ok;
}

enum { LOCK_TRIES = 50, LOCK_PAUSE_NS = 20000000 };

/* The launcher ends what an earlier run left behind: it must never start on the folder of a living
 * one. */
static bool folder_is_free(const char *dir, struct err *err)
{
    char lock[4096];
    char pid[16] = "?";
    snprintf(lock, sizeof lock, "%s/lock", dir);
    AUTO(fd) int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT || err_os(err, errno, "data folder %s", dir);
    /* A daemon whose launcher was killed may take a moment to go: whoever starts the next one at
     * once is not refused for that. */
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
    }
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    if (n > 0)
        pid[n] = '\0';
    return err_set(err, FAULT_CONFLICT,
                   "data folder %s is in use by another lambkin (process %s): stop it, or choose "
                   "another --data-dir",
                   dir, pid);
}

static bool check_data_dir(const struct settings *s, struct err *err)
{
    struct stat st;
    if (!make_dirs(s->data_dir, err))
        return false;
    if (stat(s->data_dir, &st) || !S_ISDIR(st.st_mode))
        return err_set(err, FAULT_INVALID, "data folder %s is not a folder", s->data_dir);
    if (geteuid() == 0 && !daemon_can_reach(s->data_dir, err))
        return false;
    if (geteuid() != 0 && access(s->data_dir, R_OK | W_OK | X_OK))
        return err_os(err, errno, "data folder %s is not writable", s->data_dir);
    return folder_is_free(s->data_dir, err);
}

/* Several lambkins on one host must not sweep each other's cgroups: away from the usual folder each
 * has its own name. */
static void name_cgroup(struct settings *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    char name[40];
    if (strcmp(s->cgroup_parent, "lambkin") != 0 || !strcmp(s->data_dir, "/var/lib/lambkin"))
        return;
    for (const char *c = s->data_dir; *c; c++)
        h = (h ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    snprintf(name, sizeof name, "lambkin-%08x", (unsigned)(h ^ h >> 32));
    free(s->cgroup_parent);
    s->cgroup_parent = mem_str(slice_str(name));
}

static void add(char **out, size_t *n, const char *flag, const char *value)
{
    out[(*n)++] = mem_str(slice_str(flag));
    out[(*n)++] = mem_str(slice_str(value));
}

static void add_number(char **out, size_t *n, const char *flag, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    add(out, n, flag, text);
}

/* lambkin-launch ... -- lambkin-daemon ... */
static char **launcher_argv(const struct settings *s)
{
    char path[4200];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/lambkin-launch", s->libexec_dir);
    char **out = mem_new_array(64 + 2 * SETTING_ROOTFS_MAX, sizeof *out);
    out[n++] = mem_str(slice_str(path));
    add(out, &n, "--data", s->data_dir);
    add(out, &n, "--runtimes", s->runtimes_dir);
    add(out, &n, "--libexec", s->libexec_dir);
    add(out, &n, "--cgroup-parent", s->cgroup_parent);
    add(out, &n, "--isolation", s->isolation);
    add_number(out, &n, "--uid-base", s->uid_base);
    add_number(out, &n, "--spares", s->spares);
    add_number(out, &n, "--max", s->max_sandboxes);
    if (*s->user)
        add(out, &n, "--user", s->user);
    for (size_t i = 0; s->rootfs[i]; i++)
        add(out, &n, "--rootfs", s->rootfs[i]);
    out[n++] = mem_str(S("--"));
    snprintf(path, sizeof path, "%s/lambkin-daemon", s->libexec_dir);
    char *prefix[] = {path, NULL};
    char **daemon = settings_flags(s, prefix);
    size_t more = 0;
    while (daemon[more])
        more++;
    out = mem_grow(out, (n + more + 1) * sizeof *out);
    memcpy(out + n, daemon, (more + 1) * sizeof *out);
    free(daemon);
    return out;
}

int command_serve(char **argv)
{
    struct settings s;
    struct err err = {FAULT_NONE, 0, ""};
    for (char **at = argv; *at; at++) {
        if (!strcmp(*at, "--help") || !strcmp(*at, "-h"))
            return show_help();
    }
    settings_defaults(&s);
    if (!settings_read(&s, argv, &err))
        return cli_fail(EXIT_USAGE, "%s", err.msg);
    if (!is_loopback(s.host))
        return cli_fail(EXIT_USAGE,
                        "host %s: lambkin listens on loopback addresses only as long as it does "
                        "not check who is calling",
                        s.host);
    if (!paths_absolute(&s, &err) || !paths_find(&s, &err) || !check_data_dir(&s, &err) ||
        (s.port && !port_is_free(&s, &err)))
        return cli_fail(EXIT_ERROR, "%s", err.msg);
    name_cgroup(&s);
    char **command = launcher_argv(&s);
    execv(command[0], command);
    return cli_fail(EXIT_ERROR, "cannot start %s: %s", command[0], strerror(errno));
}
