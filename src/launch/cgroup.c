#include "launch/cgroup_ops.h"

#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SLOT_NAME = 16, PATH_CAP = 512 };

static void slot_name(char name[SLOT_NAME], unsigned slot)
{
    snprintf(name, SLOT_NAME, "slot-%04u", slot);
}

static const struct cgroup_ops *ops(const struct cgroups *cgroups, enum cgroup_role role)
{
    return cgroups->v2[role] ? &cgroup_v2_ops : &cgroup_v1_ops;
}

static int open_slot(int parent, unsigned slot)
{
    char name[SLOT_NAME];
    slot_name(name, slot);
    return parent < 0 ? -1 : openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- finding the hierarchies ---- */

/* Our own place in a hierarchy, for users that got a part delegated: the line "N:controllers:path".
 */
static bool own_path(const char *controller, char *path, size_t cap)
{
    char text[4096];
    AUTO(fd) int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct slice rest = cgroup_read(root, "proc/self/cgroup", text, sizeof text);
    struct slice line;
    while (slice_cut(&rest, '\n', &line)) {
        struct slice number;
        struct slice names;
        struct slice name;
        if (!slice_cut(&line, ':', &number) || !slice_cut(&line, ':', &names) || !line.p)
            continue;
        while (slice_cut(&names, ',', &name)) {
            if (slice_eq(name, slice_str(controller))) {
                snprintf(path, cap, "%.*s", FMT(line));
                return true;
            }
        }
    }
    return false;
}

/* Where the hierarchy with this v1 controller is mounted, or ("" as controller) the v2 tree. */
static bool find_mount(const char *controller, char *mount, size_t cap)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[1024];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        char point[256];
        char *tail = strstr(line, " - ");
        if (!tail || sscanf(line, "%*s %*s %*s %*s %255s", point) != 1)
            continue;
        char type[32];
        char options[512];
        if (sscanf(tail, " - %31s %*s %511s", type, options) != 2)
            continue;
        if (!*controller) {
            found = !strcmp(type, "cgroup2");
        } else if (!strcmp(type, "cgroup")) {
            struct slice rest = slice_str(options);
            struct slice option;
            while (!found && slice_cut(&rest, ',', &option))
                found = slice_eq(option, slice_str(controller));
        }
        if (found)
            snprintf(mount, cap, "%s", point);
    }
    if (file)
        fclose(file);
    return found;
}

/* v2: children get controllers only if each level above passes them on. One by one, since a host
 * may give only some. */
static bool pass_on(int dir)
{
    static const char *const controllers[] = {"+memory", "+cpu", "+pids"};
    int os = 0;
    for (size_t i = 0; i < COUNT_OF(controllers); i++) {
        if (!cgroup_write(dir, "cgroup.subtree_control", controllers[i]))
            os = errno;
        if (os == EBUSY) /* it has processes: with cpu alone its children would be threaded only */
            break;
    }
    errno = os;
    return os == 0;
}

/* A group that has processes of its own may not pass controllers on. In one that was delegated to
 * us, the process is ourselves: we move to a leaf, where the daemon follows. */
static bool step_aside(int base, const struct launch_config *config)
{
    char name[LAUNCH_NAME_MAX + 32];
    snprintf(name, sizeof name, "%s-launcher", config->cgroup_parent);
    if (mkdirat(base, name, 0755) && errno != EEXIST)
        return false;
    AUTO(fd) int leaf = openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return leaf >= 0 && cgroup_write(leaf, "cgroup.procs", "0");
}

/* Opens (and makes) our directory in one hierarchy. -1 where that is not allowed. */
static int open_parent(const char *controller, const struct launch_config *config)
{
    char mount[256];
    char own[PATH_CAP] = "/";
    char path[PATH_CAP + 256];
    if (!find_mount(controller, mount, sizeof mount))
        return -1;
    if (config->rootless && !own_path(controller, own, sizeof own))
        return -1;
    snprintf(path, sizeof path, "%s%s", mount, own);
    AUTO(fd) int base = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (base < 0)
        return -1;
    if (!*controller && !pass_on(base) && errno == EBUSY && step_aside(base, config))
        pass_on(base);
    if (mkdirat(base, config->cgroup_parent, 0755) && errno != EEXIST)
        return -1;
    int parent = openat(base, config->cgroup_parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent >= 0 && faccessat(parent, ".", W_OK, AT_EACCESS)) {
        close(parent);
        return -1;
    }
    if (parent >= 0 && !*controller)
        pass_on(parent);
    return parent;
}

static bool has_controller(int parent, const char *name)
{
    char text[256];
    struct slice rest = cgroup_read(parent, "cgroup.subtree_control", text, sizeof text);
    struct slice word;
    while (slice_cut(&rest, ' ', &word)) {
        if (word.n && word.p[word.n - 1] == '\n')
            word.n--;
        if (slice_eq(word, slice_str(name)))
            return true;
    }
    return false;
}

static void sweep_slot(const struct cgroups *cgroups, const struct launch_config *config,
                       unsigned slot)
{
    for (int tries = 0; tries < 200; tries++) {
        cgroup_kill(cgroups, slot);
        if (cgroup_remove(cgroups, slot))
            return;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    log_warn("cgroup.sweep", "slot=%u parent=%s still busy", slot, config->cgroup_parent);
}

/* Slots that an earlier run left behind: their processes are ended, their directories removed. */
static void sweep(const struct cgroups *cgroups, const struct launch_config *config)
{
    for (int role = 0; role < CGROUP_ROLES; role++) {
        int fd = cgroups->parent[role] < 0
                     ? -1
                     : openat(cgroups->parent[role], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *entry; dir && (entry = readdir(dir));) {
            struct slice name = slice_str(entry->d_name);
            uint64_t slot = 0;
            if (slice_starts(name, S("slot-")) && slice_u64(slice_sub(name, 5, name.n), &slot) &&
                slot < LAUNCH_SLOTS_MAX)
                sweep_slot(cgroups, config, (unsigned)slot);
        }
        if (dir)
            closedir(dir);
    }
}

void cgroups_open(struct cgroups *cgroups, const struct launch_config *config)
{
    static const char *const v1[CGROUP_ROLES] = {"memory", "cpu", "pids", "freezer"};
    AUTO(fd) int v2 = open_parent("", config);
    bool any_v1 = false;
    bool any_v2 = false;
    for (int role = 0; role < CGROUP_ROLES; role++) {
        bool in_v2 = v2 >= 0 && (role == CGROUP_FREEZE || has_controller(v2, v1[role]));
        cgroups->v2[role] = in_v2;
        cgroups->parent[role] =
            in_v2 ? fcntl(v2, F_DUPFD_CLOEXEC, 3) : open_parent(v1[role], config);
        any_v1 |= !in_v2 && cgroups->parent[role] >= 0;
        any_v2 |= in_v2;
    }
    cgroups->mode =
        any_v1 ? (any_v2 ? CGROUP_HYBRID : CGROUP_V1) : (any_v2 ? CGROUP_V2 : CGROUP_NONE);
    sweep(cgroups, config);
}

void cgroups_close(struct cgroups *cgroups, const struct launch_config *config)
{
    for (int role = 0; role < CGROUP_ROLES; role++) {
        int fd = cgroups->parent[role];
        if (fd < 0)
            continue;
        char self[64];
        char path[PATH_CAP];
        snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(self, path, sizeof path - 1);
        close(fd);
        cgroups->parent[role] = -1;
        if (n > 0) {
            path[n] = '\0';
            rmdir(path); /* another lambkin may still have slots in it: then it stays */
        }
    }
    (void)config;
}

/* ---- one slot ---- */

bool cgroup_create(const struct cgroups *cgroups, unsigned slot, struct err *err)
{
    char name[SLOT_NAME];
    slot_name(name, slot);
    for (int role = 0; role < CGROUP_ROLES; role++) {
        if (cgroups->parent[role] >= 0 && mkdirat(cgroups->parent[role], name, 0755) &&
            errno != EEXIST)
            return err_os(err, errno, "make cgroup %s", name);
    }
    return true;
}

/* One for each hierarchy: roles of one v2 tree share it. */
static bool is_own(const struct cgroups *cgroups, int role)
{
    bool again = role > 0 && cgroups->v2[role] && cgroups->v2[role - 1];
    return cgroups->parent[role] >= 0 && !again;
}

bool cgroup_enter(const struct cgroups *cgroups, unsigned slot)
{
    char path[SLOT_NAME + 16];
    snprintf(path, sizeof path, "slot-%04u/cgroup.procs", slot);
    for (int role = 0; role < CGROUP_ROLES; role++) {
        if (is_own(cgroups, role) && !cgroup_write(cgroups->parent[role], path, "0"))
            return false;
    }
    return true;
}

bool cgroup_procs_fds(const struct cgroups *cgroups, unsigned slot, int fds[CGROUP_PROCS_MAX],
                      size_t *count)
{
    char path[SLOT_NAME + 16];
    snprintf(path, sizeof path, "slot-%04u/cgroup.procs", slot);
    *count = 0;
    for (int role = 0; role < CGROUP_ROLES; role++) {
        if (!is_own(cgroups, role))
            continue;
        int fd = openat(cgroups->parent[role], path, O_WRONLY | O_CLOEXEC);
        if (fd < 0) {
            while (*count)
                close(fds[--*count]);
            return false;
        }
        fds[(*count)++] = fd;
    }
    return true;
}

/* Of our group in the first v1 hierarchy, or -1. */
static int v1_parent(const struct cgroups *cgroups)
{
    for (int role = 0; role < CGROUP_ROLES; role++) {
        if (cgroups->parent[role] >= 0 && !cgroups->v2[role])
            return cgroups->parent[role];
    }
    return -1;
}

bool cgroups_move(const struct cgroups *cgroups)
{
    return v1_parent(cgroups) >= 0;
}

int cgroups_procs_fd(const struct cgroups *cgroups)
{
    int parent = v1_parent(cgroups);
    return parent < 0 ? -1 : openat(parent, "cgroup.procs", O_WRONLY | O_CLOEXEC);
}

int cgroup_birth_fd(const struct cgroups *cgroups, unsigned slot)
{
    return cgroups_move(cgroups) ? -1 : open_slot(cgroups->parent[CGROUP_FREEZE], slot);
}

bool cgroup_tune(const struct cgroups *cgroups, unsigned slot, const struct launch_cpu *cpu,
                 struct err *err)
{
    AUTO(fd) int dir = open_slot(cgroups->parent[CGROUP_CPU], slot);
    if (dir >= 0 && !ops(cgroups, CGROUP_CPU)->set_cpu(dir, cpu))
        return err_os(err, errno, "set cpu of slot %u", slot);
    return true;
}

bool cgroup_limit(const struct cgroups *cgroups, unsigned slot, const struct cgroup_limits *limits,
                  struct err *err)
{
    AUTO(fd) int memory = open_slot(cgroups->parent[CGROUP_MEMORY], slot);
    AUTO(fd) int pids = open_slot(cgroups->parent[CGROUP_PIDS], slot);
    if (memory >= 0 && !ops(cgroups, CGROUP_MEMORY)->limit_memory(memory, limits->memory))
        return err_os(err, errno, "set the memory limit of slot %u", slot);
    if (pids >= 0 && !cgroup_write_number(pids, "pids.max", limits->pids))
        return err_os(err, errno, "set pids.max of slot %u", slot);
    return cgroup_tune(cgroups, slot, &limits->cpu, err);
}

int cgroup_peak_fd(const struct cgroups *cgroups, unsigned slot)
{
    AUTO(fd) int dir = open_slot(cgroups->parent[CGROUP_MEMORY], slot);
    return dir < 0 ? -1 : ops(cgroups, CGROUP_MEMORY)->peak_fd(dir);
}

int cgroup_oom_fd(const struct cgroups *cgroups, unsigned slot)
{
    AUTO(fd) int dir = open_slot(cgroups->parent[CGROUP_MEMORY], slot);
    return dir < 0 ? -1 : ops(cgroups, CGROUP_MEMORY)->oom_fd(dir);
}

int cgroup_freeze_fd(const struct cgroups *cgroups, unsigned slot)
{
    AUTO(fd) int dir = open_slot(cgroups->parent[CGROUP_FREEZE], slot);
    return dir < 0 ? -1 : ops(cgroups, CGROUP_FREEZE)->freeze_fd(dir);
}

struct cgroup_stats cgroup_stats(const struct cgroups *cgroups, unsigned slot)
{
    AUTO(fd) int dir = open_slot(cgroups->parent[CGROUP_MEMORY], slot);
    return dir < 0 ? (struct cgroup_stats){0} : ops(cgroups, CGROUP_MEMORY)->stats(dir);
}

static void kill_listed(int dir)
{
    char text[8192];
    struct slice rest = cgroup_read(dir, "cgroup.procs", text, sizeof text);
    struct slice line;
    while (slice_cut(&rest, '\n', &line)) {
        uint64_t pid = 0;
        if (slice_u64(line, &pid) && pid > 1 && pid < INT_MAX)
            kill((pid_t)pid, SIGKILL);
    }
}

void cgroup_let_die(const struct cgroups *cgroups, unsigned slot)
{
    AUTO(fd) int freeze = open_slot(cgroups->parent[CGROUP_FREEZE], slot);
    if (freeze >= 0)
        ops(cgroups, CGROUP_FREEZE)->let_die(freeze);
}

void cgroup_kill(const struct cgroups *cgroups, unsigned slot)
{
    AUTO(fd) int freeze = open_slot(cgroups->parent[CGROUP_FREEZE], slot);
    cgroup_let_die(cgroups, slot);
    if (freeze >= 0 && ops(cgroups, CGROUP_FREEZE)->kill(freeze))
        return;
    for (int role = 0; role < CGROUP_ROLES; role++) {
        AUTO(fd) int dir = open_slot(cgroups->parent[role], slot);
        if (dir >= 0)
            kill_listed(dir);
    }
}

bool cgroup_remove(const struct cgroups *cgroups, unsigned slot)
{
    char name[SLOT_NAME];
    bool gone = true;
    slot_name(name, slot);
    for (int role = 0; role < CGROUP_ROLES; role++) {
        if (cgroups->parent[role] >= 0 && unlinkat(cgroups->parent[role], name, AT_REMOVEDIR) &&
            errno != ENOENT)
            gone = false;
    }
    return gone;
}
