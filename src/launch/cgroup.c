#include "launch/cgroup.h"

#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SLOT_NAME = 16, PATH_CAP = 512 };

static void slot_name(char name[SLOT_NAME], unsigned slot)
{
    snprintf(name, SLOT_NAME, "slot-%04u", slot);
}

/* ---- files ---- */

static bool write_file(int dir, const char *name, const char *text)
{
    AUTO(fd) int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    size_t n = strlen(text);
    return fd >= 0 && write(fd, text, n) == (ssize_t)n;
}

static bool write_number(int dir, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return write_file(dir, name, text);
}

static bool read_file(int dir, const char *name, char *text, size_t cap)
{
    AUTO(fd) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, cap - 1) : -1;
    if (n < 0)
        return false;
    text[n] = '\0';
    return true;
}

/* The number behind "key " in a file of lines; 0 if it is not there. */
static uint64_t read_key(int dir, const char *name, const char *key)
{
    char text[1024];
    uint64_t value = 0;
    if (!read_file(dir, name, text, sizeof text))
        return 0;
    struct slice rest = slice_str(text);
    struct slice line;
    while (slice_cut(&rest, '\n', &line)) {
        struct slice word;
        if (slice_cut(&line, ' ', &word) && slice_eq(word, slice_str(key)) &&
            slice_u64(line, &value))
            return value;
    }
    return 0;
}

static uint64_t read_number(int dir, const char *name)
{
    char text[64];
    uint64_t value = 0;
    if (!read_file(dir, name, text, sizeof text))
        return 0;
    struct slice rest = slice_str(text);
    struct slice line;
    return slice_cut(&rest, '\n', &line) && slice_u64(line, &value) ? value : 0;
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
    if (!read_file(root, "proc/self/cgroup", text, sizeof text))
        return false;
    struct slice rest = slice_str(text);
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
    if (!*controller) /* v2: children get controllers only if each level above passes them on */
        write_file(base, "cgroup.subtree_control", "+memory +cpu +pids");
    if (mkdirat(base, config->cgroup_parent, 0755) && errno != EEXIST)
        return -1;
    int parent = openat(base, config->cgroup_parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent >= 0 && faccessat(parent, ".", W_OK, AT_EACCESS)) {
        close(parent);
        return -1;
    }
    if (parent >= 0 && !*controller)
        write_file(parent, "cgroup.subtree_control", "+memory +cpu +pids");
    return parent;
}

static bool has_controller(int parent, const char *name)
{
    char text[256];
    if (!read_file(parent, "cgroup.subtree_control", text, sizeof text))
        return false;
    struct slice rest = slice_str(text);
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

bool cgroup_enter(const struct cgroups *cgroups, unsigned slot)
{
    char path[SLOT_NAME + 16];
    snprintf(path, sizeof path, "slot-%04u/cgroup.procs", slot);
    for (int role = 0; role < CGROUP_ROLES; role++) {
        bool again = role > 0 && cgroups->v2[role] && cgroups->v2[role - 1]; /* one v2 tree */
        if (cgroups->parent[role] >= 0 && !again && !write_file(cgroups->parent[role], path, "0"))
            return false;
    }
    return true;
}

/* AWS: 1,769 MB of memory are one whole processor (dataplane.md 2.6). */
static bool set_cpu(int dir, bool v2, const struct launch_cpu *cpu)
{
    enum { ONE_CPU_MB = 1769, PERIOD_US = 100000, SHORT_PERIOD_US = 10000 };
    char text[64];
    if (cpu->quota_mb) {
        /* Small shares get a short period: at 128 MB the stall would else be 93 ms (sandbox.md 6).
         */
        uint64_t period = cpu->quota_mb < ONE_CPU_MB / 2 ? SHORT_PERIOD_US : PERIOD_US;
        uint64_t quota = period * cpu->quota_mb / ONE_CPU_MB;
        if (quota < 1000)
            quota = 1000; /* the kernel's smallest */
        snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64, quota, period);
        return v2 ? write_file(dir, "cpu.max", text)
                  : write_number(dir, "cpu.cfs_period_us", period) &&
                        write_number(dir, "cpu.cfs_quota_us", quota);
    }
    if (v2 ? !write_file(dir, "cpu.max", "max") : !write_file(dir, "cpu.cfs_quota_us", "-1"))
        return false;
    if (!cpu->weight_mb)
        return true;
    uint64_t shares = (uint64_t)cpu->weight_mb * 1024 / ONE_CPU_MB;
    if (shares < 2)
        shares = 2;
    /* v2 weights go from 1 to 10000, 100 is what 1024 shares are (kernel's own conversion). */
    uint64_t weight = shares * 100 / 1024;
    return v2 ? write_number(dir, "cpu.weight",
                             weight < 1       ? 1
                             : weight > 10000 ? 10000
                                              : weight)
              : write_number(dir, "cpu.shares", shares);
}

bool cgroup_tune(const struct cgroups *cgroups, unsigned slot, const struct launch_cpu *cpu,
                 struct err *err)
{
    AUTO(fd) int dir = open_slot(cgroups->parent[CGROUP_CPU], slot);
    if (dir >= 0 && !set_cpu(dir, cgroups->v2[CGROUP_CPU], cpu))
        return err_os(err, errno, "set cpu of slot %u", slot);
    return true;
}

bool cgroup_limit(const struct cgroups *cgroups, unsigned slot, const struct cgroup_limits *limits,
                  struct err *err)
{
    AUTO(fd) int memory = open_slot(cgroups->parent[CGROUP_MEMORY], slot);
    AUTO(fd) int pids = open_slot(cgroups->parent[CGROUP_PIDS], slot);
    if (memory >= 0 && cgroups->v2[CGROUP_MEMORY]) {
        if (!write_number(memory, "memory.max", limits->memory))
            return err_os(err, errno, "set memory.max");
        write_file(memory, "memory.swap.max", "0"); /* not there without swap accounting */
    } else if (memory >= 0) {
        if (!write_number(memory, "memory.limit_in_bytes", limits->memory))
            return err_os(err, errno, "set memory.limit_in_bytes");
        write_number(memory, "memory.memsw.limit_in_bytes", limits->memory);
        write_file(memory, "memory.max_usage_in_bytes", "0");
    }
    if (pids >= 0 && !write_number(pids, "pids.max", limits->pids))
        return err_os(err, errno, "set pids.max");
    return cgroup_tune(cgroups, slot, &limits->cpu, err);
}

int cgroup_peak_fd(const struct cgroups *cgroups, unsigned slot)
{
    AUTO(fd) int dir = open_slot(cgroups->parent[CGROUP_MEMORY], slot);
    if (dir < 0)
        return -1;
    if (!cgroups->v2[CGROUP_MEMORY])
        return openat(dir, "memory.max_usage_in_bytes", O_RDONLY | O_CLOEXEC);
    int fd = openat(dir, "memory.peak", O_RDONLY | O_CLOEXEC); /* since Linux 5.19 */
    return fd >= 0 ? fd : openat(dir, "memory.current", O_RDONLY | O_CLOEXEC);
}

int cgroup_oom_fd(const struct cgroups *cgroups, unsigned slot)
{
    AUTO(fd) int dir = open_slot(cgroups->parent[CGROUP_MEMORY], slot);
    if (dir < 0)
        return -1;
    if (cgroups->v2[CGROUP_MEMORY])
        return openat(dir, "memory.events", O_RDONLY | O_CLOEXEC);
    char text[64];
    AUTO(fd) int control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
    AUTO(fd) int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (control < 0 || event < 0)
        return -1;
    snprintf(text, sizeof text, "%d %d", event, control);
    return write_file(dir, "cgroup.event_control", text) ? fd_take(&event) : -1;
}

int cgroup_freeze_fd(const struct cgroups *cgroups, unsigned slot)
{
    AUTO(fd) int dir = open_slot(cgroups->parent[CGROUP_FREEZE], slot);
    if (dir < 0)
        return -1;
    return openat(dir, cgroups->v2[CGROUP_FREEZE] ? "cgroup.freeze" : "freezer.state",
                  O_WRONLY | O_CLOEXEC);
}

struct cgroup_stats cgroup_stats(const struct cgroups *cgroups, unsigned slot)
{
    struct cgroup_stats stats = {0};
    AUTO(fd) int dir = open_slot(cgroups->parent[CGROUP_MEMORY], slot);
    if (dir < 0)
        return stats;
    bool v2 = cgroups->v2[CGROUP_MEMORY];
    stats.peak = read_number(dir, v2 ? "memory.peak" : "memory.max_usage_in_bytes");
    stats.oom_kills =
        (uint32_t)read_key(dir, v2 ? "memory.events" : "memory.oom_control", "oom_kill");
    return stats;
}

static void kill_listed(int dir)
{
    char text[8192];
    if (!read_file(dir, "cgroup.procs", text, sizeof text))
        return;
    struct slice rest = slice_str(text);
    struct slice line;
    while (slice_cut(&rest, '\n', &line)) {
        uint64_t pid = 0;
        if (slice_u64(line, &pid) && pid > 1 && pid < INT_MAX)
            kill((pid_t)pid, SIGKILL);
    }
}

void cgroup_kill(const struct cgroups *cgroups, unsigned slot)
{
    AUTO(fd) int freeze = open_slot(cgroups->parent[CGROUP_FREEZE], slot);
    if (freeze >= 0 && cgroups->v2[CGROUP_FREEZE]) {
        write_file(freeze, "cgroup.freeze", "0");
        if (write_file(freeze, "cgroup.kill", "1")) /* since Linux 5.14 */
            return;
    } else if (freeze >= 0) {
        write_file(freeze, "freezer.state", "THAWED"); /* v1: a frozen task cannot die */
    }
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
