/* The custom runtime around the probes, and their control runs. See probe.h. */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROBE_SECONDS = 20 };

static const struct probe *const tables[] = {probes_calls, probes_sockets, probes_files,
                                             probes_limits};
static char said[400];

int probe_says(int result, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(said, sizeof said, format, args);
    va_end(args);
    for (char *p = said; *p; p++)
        if (*p < ' ' || *p == '"' || *p == '\\')
            *p = ' ';
    return result;
}

int probe_errno(long rc, const char *what)
{
    int os = errno;
    if (rc >= 0)
        return probe_says(PROBE_OPEN, "%s gave %ld", what, rc);
    switch (os) {
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
    case ENODEV:
    case ENXIO:
        return probe_says(PROBE_ABSENT, "%s: %s", what, strerror(os));
    default:
        return probe_says(PROBE_CLOSED, "%s: %s", what, strerror(os));
    }
}

static const struct probe *find(const char *name)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct probe *p = tables[t]; p->name; p++)
            if (strcmp(p->name, name) == 0)
                return p;
    return NULL;
}

/* Runs it in a child, since a probe may be killed for trying; the answer is one line. */
static void run_apart(const struct probe *probe, const char *arg, char *out, size_t size)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        snprintf(out, size, "closed no pipe");
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        alarm(PROBE_SECONDS);
        static const char *const words[] = {"", "open", "closed", "absent"};
        int result = probe->run(probe, arg);
        dprintf(fds[1], "%s %s", words[result], said);
        _exit(0);
    }
    close(fds[1]);
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        snprintf(out, size, "closed no child: %s", strerror(errno));
    else if (WIFSIGNALED(status))
        snprintf(out, size, "closed killed by signal %d", WTERMSIG(status));
    else {
        fcntl(fds[0], F_SETFL, O_NONBLOCK); /* what it left behind may hold the other end */
        ssize_t n = read(fds[0], out, size - 1);
        out[n < 0 ? 0 : n] = '\0';
    }
    close(fds[0]);
}

static bool has_cap(int cap)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long long set = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "CapEff: %llx", &set) == 1)
            break;
    if (f)
        fclose(f);
    return set >> cap & 1;
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        perror(path);
    close(fd);
}

/* The control's own corner: what works there does not reach the host. False: said why. */
static bool isolate(unsigned control)
{
    int flags = (control & (IN_MOUNTS | IN_PIDS) ? CLONE_NEWNS : 0) |
                (control & IN_UTS ? CLONE_NEWUTS : 0) | (control & IN_NET ? CLONE_NEWNET : 0) |
                (control & IN_IPC ? CLONE_NEWIPC : 0) | (control & IN_PIDS ? CLONE_NEWPID : 0) |
                (control & IN_USER ? CLONE_NEWUSER : 0);
    if (flags && unshare(flags) != 0) {
        printf("closed no namespaces for the control: %s\n", strerror(errno));
        return false;
    }
    if (control & IN_USER)
        put("/proc/self/uid_map", "0 0 1");
    if (control & (IN_MOUNTS | IN_PIDS))
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (!(control & IN_PIDS))
        return true;
    pid_t pid = fork();
    if (pid != 0) { /* the child is pid 1 and does the rest */
        waitpid(pid, NULL, 0);
        _exit(0);
    }
    mount("proc", "/proc", "proc", 0, NULL);
    return true;
}

static int control(const char *name, const char *arg)
{
    const struct probe *probe = find(name);
    if (!probe) {
        printf("closed no such probe\n");
        return 1;
    }
    if (probe->cap >= 0 && !has_cap(probe->cap)) {
        printf("absent this host withholds capability %d from root\n", probe->cap);
        return 0;
    }
    if (!isolate(probe->control))
        return 1;
    char out[512];
    run_apart(probe, arg, out, sizeof out);
    puts(out);
    fflush(stdout);
    return 0;
}

/* For a runtime of another kind: what ours answers to the event "NAME ARG" on standard input. (An
 * argument of the command would be seen by the probes that look for it.) */
static int try(void)
{
    char event[512] = "";
    char out[512] = "closed no such probe";
    if (!fgets(event, sizeof event, stdin))
        return 1;
    char *arg = strchr(event, ' ');
    if (arg)
        *arg++ = '\0';
    const struct probe *probe = find(event);
    if (probe)
        run_apart(probe, arg ? arg : "", out, sizeof out);
    puts(out);
    return 0;
}

static void list(void)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct probe *p = tables[t]; p->name; p++)
            puts(p->name);
}

/* --- the runtime -------------------------------------------------------------------------- */

static char reply[65536];

/* One request on a connection of its own; `reply` holds head and body afterwards. */
static bool ask(const char *request)
{
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    char host[64];
    if (!api || strlen(api) >= sizeof host)
        return false;
    strcpy(host, api);
    char *colon = strchr(host, ':');
    if (!colon)
        return false;
    *colon = '\0';
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(colon + 1)),
                             .sin_addr.s_addr = inet_addr(host)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t have = 0;
    bool good = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
                write(fd, request, strlen(request)) == (ssize_t)strlen(request);
    while (good && have < sizeof reply - 1) {
        ssize_t n = read(fd, reply + have, sizeof reply - 1 - have);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    reply[have] = '\0';
    close(fd);
    return good && have > 0;
}

/* The event is a JSON string "NAME" or "NAME ARG", without escapes. */
static bool next(char *id, size_t id_size, char *name, size_t name_size, char **arg)
{
    if (!ask("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nConnection: "
             "close\r\n\r\n"))
        return false;
    const char *at = strcasestr(reply, "\r\nLambda-Runtime-Aws-Request-Id:");
    const char *body = strstr(reply, "\r\n\r\n");
    if (!at || !body || sscanf(at + 32, " %63s", id) != 1 || id_size < 64)
        return false;
    snprintf(name, name_size, "%s", body[4] == '"' ? body + 5 : body + 4);
    char *end = strrchr(name, '"');
    if (end)
        *end = '\0';
    *arg = strchr(name, ' ');
    if (*arg)
        *(*arg)++ = '\0';
    return true;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "control") == 0)
        return control(argv[2], argc > 3 ? argv[3] : "");
    if (argc == 2 && strcmp(argv[1], "try") == 0)
        return try();
    if (argc == 2 && strcmp(argv[1], "list") == 0)
        return list(), 0;
    char id[64], name[512], out[512], request[2048];
    char *arg;
    while (next(id, sizeof id, name, sizeof name, &arg)) {
        const struct probe *probe = find(name);
        if (strcmp(name, "keep") == 0) { /* a victim: has a file that others want */
            int fd = open(arg, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
            snprintf(out, sizeof out, fd >= 0 && write(fd, "secret", 6) == 6 ? "kept" : "lost");
            close(fd);
        } else if (probe)
            run_apart(probe, arg ? arg : "", out, sizeof out);
        else
            snprintf(out, sizeof out, "closed no such probe");
        snprintf(
            request, sizeof request,
            "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\nConnection: "
            "close\r\nContent-Length: %zu\r\n\r\n\"%s\"",
            id, strlen(out) + 2, out);
        ask(request);
    }
    return 1;
}
