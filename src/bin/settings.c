#include "bin/settings.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

enum kind { TEXT, NUMBER, SWITCH, REPEATED };

struct row {
    const char *
        name; /* "data-dir": flag --data-dir, variable LAMBKIN_DATA_DIR, key data-dir or data_dir */
    enum kind kind;
    size_t offset;
    const char *first;   /* default as text; NULL = found at start */
    const char *allowed; /* "auto|strict": nothing else; or NULL */
    uint64_t min, max;   /* NUMBER */
    const char *help;
};

static bool is_account(struct slice value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
    }
    return value.n == 12;
}

static bool is_region(struct slice value) /* it becomes a part of every ARN */
{
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return value.n > 0 && value.n <= 32;
}

static bool is_some(struct slice value)
{
    return value.n > 0;
}

/* Texts that are not free. */
static const struct {
    const char *name;
    bool (*fits)(struct slice value);
    const char *like;
} shapes[] = {
    {"data-dir", is_some, "a folder"},
    {"region", is_region, "a name such as us-east-1"},
    {"account", is_account, "12 digits"},
};

static bool check_shape(const char *name, struct slice value, const char *where, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        if (!strcmp(shapes[i].name, name) && !shapes[i].fits(value))
            return err_set(err, FAULT_INVALID, "%s: %s must be %s, not \"%.*s\"", where, name,
                           shapes[i].like, FMT(value));
    }
    return true;
}

#define AT(member) offsetof(struct settings, member)
#define DAY_MS (24 * 3600 * 1000)

static const struct row rows[] = {
    {"host", TEXT, AT(host), "127.0.0.1", NULL, 0, 0,
     "Address to listen on; only loopback as long as callers are not authenticated."},
    {"port", NUMBER, AT(port), "4566", NULL, 0, 65535, "Port to listen on; 0 takes a free one."},
    {"data-dir", TEXT, AT(data_dir), NULL, NULL, 0, 0,
     "Where functions and logs are kept: /var/lib/lambkin, or ~/.local/share/lambkin for ordinary "
     "users."},
    {"region", TEXT, AT(region), "us-east-1", NULL, 0, 0,
     "Region of requests that are not signed for one."},
    {"account", TEXT, AT(account), "000000000000", NULL, 0, 0,
     "Account of callers whose access key is not 12 digits itself."},
    {"log-level", TEXT, AT(log_level), "info", "trace|debug|info|warn|error", 0, 0,
     "What lambkin itself says on standard error."},
    {"isolation", TEXT, AT(isolation), "auto", "auto|strict", 0, 0,
     "strict: refuse to start when this host lacks a piece of the sandbox."},
    {"cpu", TEXT, AT(cpu), "weight", "weight|aws", 0, 0,
     "weight: shares in proportion to MemorySize; aws: a hard quota of MemorySize/1769 of a core."},
    {"user", TEXT, AT(user), "", NULL, 0, 0,
     "UID:GID of the daemon when started as root; by default the id below uid-base."},
    {"uid-base", NUMBER, AT(uid_base), "200000", NULL, 1000, 4000000000,
     "First of the host user ids that sandboxes run under, one each."},
    {"cgroup-parent", TEXT, AT(cgroup_parent), "lambkin", NULL, 0, 0,
     "Name of lambkin's directory in each cgroup hierarchy."},
    {"rootfs", REPEATED, AT(rootfs), NULL, NULL, 0, 0,
     "RUNTIME=/DIR: root file system of a runtime instead of the host's /usr; may be repeated."},
    {"spares", NUMBER, AT(spares), "4", NULL, 0, 64,
     "Prepared sandboxes that wait for a cold start."},
    {"parked-mb", NUMBER, AT(parked_mb), "48", NULL, 0, 65536,
     "Memory for runtimes that are booted before a function needs them; 0: none are."},
    {"zygotes", SWITCH, AT(zygotes), "true", NULL, 0, 0,
     "Python and Ruby start as copies of an interpreter that has booted; false: on their own."},
    {"max-sandboxes", NUMBER, AT(max_sandboxes), "1100", NULL, 1, 4096,
     "Sandboxes at once, those that come and go included."},
    {"starts-at-once", NUMBER, AT(starts_at_once), "8", NULL, 1, 1000,
     "Environments that are started in parallel; others wait in line."},
    {"runtime-exact", SWITCH, AT(runtime_exact), "false", NULL, 0, 0,
     "Refuse functions that this host cannot run as they ask: their runtime version, their "
     "architecture."},
    {"retired-runtimes", SWITCH, AT(retired_runtimes), "false", NULL, 0, 0,
     "Create functions also with runtimes that AWS refuses by now, such as go1.x."},
    {"check-roles", SWITCH, AT(check_roles), "false", NULL, 0, 0,
     "Refuse functions whose role does not exist or does not trust Lambda, as AWS does."},
    {"account-concurrency", NUMBER, AT(account_concurrency), "1000", NULL, 1, 1000000,
     "Invocations at once per account and region; AWS: 1,000."},
    {"init-timeout-ms", NUMBER, AT(init_timeout_ms), "10000", NULL, 10, 900000,
     "How long a runtime may take to start; AWS: 10 s."},
    {"idle-life-ms", NUMBER, AT(idle_life_ms), "600000", NULL, 1, DAY_MS,
     "An environment that is idle this long is ended."},
    {"freeze-delay-ms", NUMBER, AT(freeze_delay_ms), "100", NULL, 0, DAY_MS,
     "An environment that is idle this long is frozen."},
    {"stream-bytes", NUMBER, AT(stream_bytes), "209715200", NULL, 1, UINT64_C(1) << 40,
     "Longest streamed response; AWS: 200 MB."},
    {"stream-burst", NUMBER, AT(stream_burst), "6291456", NULL, 0, UINT64_C(1) << 40,
     "Bytes of a streamed response that stream-rate does not slow down; AWS: 6 MB."},
    {"stream-rate", NUMBER, AT(stream_rate), "0", NULL, 0, UINT64_C(1) << 40,
     "Bytes a second of a streamed response; 0: as fast as it goes. AWS: 2097152."},
    {"unpack-timeout-ms", NUMBER, AT(unpack_timeout_ms), "120000", NULL, 100, 3600000,
     "How long unpacking a zip may take."},
    {"pending-ms", NUMBER, AT(pending_ms), "0", NULL, 0, 600000,
     "How long a new function stays Pending once its code is ready."},
    {"update-ms", NUMBER, AT(update_ms), "0", NULL, 0, 600000,
     "How long an update stays InProgress once its code is ready."},
    {"log-group-bytes", NUMBER, AT(log_group_bytes), "67108864", NULL, 65536, UINT64_MAX / 2,
     "Most bytes on disk per log group; the oldest go first."},
    {"log-pending-bytes", NUMBER, AT(log_pending_bytes), "8388608", NULL, 65536, UINT64_MAX / 2,
     "Log bytes in memory that wait for the disk; more are dropped and counted."},
    {"log-retention-days", NUMBER, AT(log_retention_days), "0", NULL, 0, 3653,
     "Log events older than this are removed; 0 keeps them."},
    {"header-timeout-ms", NUMBER, AT(header_timeout_ms), "20000", NULL, 10, DAY_MS,
     "How long a client may take to send a request's head."},
    {"body-timeout-ms", NUMBER, AT(body_timeout_ms), "30000", NULL, 10, DAY_MS,
     "Longest pause of a client within a body or while it reads an answer."},
    {"idle-timeout-ms", NUMBER, AT(idle_timeout_ms), "300000", NULL, 10, DAY_MS,
     "How long a client's connection may be idle."},
    {"runtimes-dir", TEXT, AT(runtimes_dir), "", NULL, 0, 0,
     "The runtimes folder of the installation; found by itself."},
    {"libexec-dir", TEXT, AT(libexec_dir), "", NULL, 0, 0,
     "Where lambkin's other programs are; found by itself."},
};

static const struct row *find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *have = rows[i].name;
        size_t k = 0;
        while (k < name.n && have[k] &&
               (name.p[k] == have[k] || (name.p[k] == '_' && have[k] == '-')))
            k++;
        if (k == name.n && !have[k])
            return &rows[i];
    }
    return NULL;
}

static bool is_allowed(const char *allowed, struct slice value)
{
    struct slice rest = slice_str(allowed);
    struct slice word;
    while (slice_cut(&rest, '|', &word)) {
        if (slice_eq(word, value))
            return true;
    }
    return false;
}

static bool set(struct settings *s, const struct row *row, struct slice value, const char *where,
                struct err *err)
{
    void *field = (char *)s + row->offset;
    uint64_t number = 0;
    switch (row->kind) {
    case TEXT:
        if (row->allowed && !is_allowed(row->allowed, value))
            return err_set(err, FAULT_INVALID, "%s: %s must be one of %s, not %.*s", where,
                           row->name, row->allowed, FMT(value));
        if (!check_shape(row->name, value, where, err))
            return false;
        free(*(char **)field);
        *(char **)field = mem_str(value);
        return true;
    case NUMBER:
        if (!slice_u64(value, &number) || number < row->min || number > row->max)
            return err_set(err, FAULT_INVALID,
                           "%s: %s must be a number from %" PRIu64 " to %" PRIu64 ", not %.*s",
                           where, row->name, row->min, row->max, FMT(value));
        *(uint64_t *)field = number;
        return true;
    case SWITCH:
        if (!slice_eq(value, S("true")) && !slice_eq(value, S("false")))
            return err_set(err, FAULT_INVALID, "%s: %s must be true or false, not %.*s", where,
                           row->name, FMT(value));
        *(bool *)field = slice_eq(value, S("true"));
        return true;
    case REPEATED: {
        char **list = field;
        size_t n = 0;
        size_t at = slice_find(value, '=');
        while (list[n])
            n++;
        if (n == SETTING_ROOTFS_MAX)
            return err_set(err, FAULT_INVALID, "%s: %s is given too often", where, row->name);
        if (at == SIZE_MAX || at == 0 || at + 1 >= value.n || value.p[at + 1] != '/')
            return err_set(err, FAULT_INVALID, "%s: %s must be RUNTIME=/DIR, not %.*s", where,
                           row->name, FMT(value));
        list[n] = mem_str(value);
        return true;
    }
    }
    return false;
}

static char *default_data_dir(void)
{
    const char *home = getenv("HOME");
    if (geteuid() == 0 || !home || !*home)
        return mem_str(S("/var/lib/lambkin"));
    AUTO(buf) struct buf path = BUF_INIT(4096);
    buf_printf(&path, "%s/.local/share/lambkin", home);
    return mem_str(buf_all(&path));
}

void settings_defaults(struct settings *s)
{
    struct err err;
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].first)
            must(set(s, &rows[i], slice_str(rows[i].first), "default", &err));
    }
    s->data_dir = default_data_dir();
}

void settings_free(struct settings *s)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char **field = (char **)(void *)((char *)s + rows[i].offset);
        if (rows[i].kind == TEXT)
            free(*field);
        for (size_t k = 0; rows[i].kind == REPEATED && field[k]; k++)
            free(field[k]);
    }
    memset(s, 0, sizeof *s);
}

/* ---- the config file: key = value, # comments, "quotes" if you like ---- */

static struct slice strip(struct slice s)
{
    s = slice_trim(s);
    if (s.n && s.p[s.n - 1] == '\r')
        s = slice_trim(slice_sub(s, 0, s.n - 1));
    return s;
}

/* A value in quotes may hold a '#'; behind it only a comment may follow. */
static bool unquote(struct slice s, struct slice *out)
{
    if (!s.n || s.p[0] != '"') {
        size_t comment = slice_find(s, '#');
        *out = comment == SIZE_MAX ? s : slice_trim(slice_sub(s, 0, comment));
        return true;
    }
    size_t end = slice_find(slice_sub(s, 1, s.n), '"');
    if (end == SIZE_MAX)
        return false;
    struct slice rest = slice_trim(slice_sub(s, end + 2, s.n));
    *out = slice_sub(s, 1, end);
    return !rest.n || rest.p[0] == '#';
}

static bool read_line(struct settings *s, struct slice line, const char *where, struct err *err)
{
    struct slice rest = strip(line);
    struct slice key;
    if (!rest.n || rest.p[0] == '#' || rest.p[0] == '[')
        return true;
    slice_cut(&rest, '=', &key);
    key = slice_trim(key);
    if (!rest.p)
        return err_set(err, FAULT_INVALID, "%s: not \"key = value\": %.*s", where, FMT(line));
    const struct row *row = find(key);
    if (!row)
        return err_set(err, FAULT_INVALID,
                       "%s: there is no setting %.*s; lambkin serve --help lists them", where,
                       FMT(key));
    struct slice value;
    if (!unquote(slice_trim(rest), &value))
        return err_set(err, FAULT_INVALID, "%s: the quotes of %s do not close, or more follows",
                       where, row->name);
    return set(s, row, value, where, err);
}

static bool read_file(struct settings *s, const char *path, bool must_exist, struct err *err)
{
    enum { FILE_MAX = 1 << 20 };
    char where[160];
    FILE *file = fopen(path, "re");
    if (!file)
        return (!must_exist && (errno == ENOENT || errno == EACCES)) || /* HOME may be another's */
               err_os(err, errno, "cannot read %s", path);
    AUTO(buf) struct buf text = BUF_INIT(FILE_MAX);
    char block[4096];
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;)
        buf_add(&text, block, n);
    int os = ferror(file) ? errno : 0; /* a folder opens and fails only here */
    fclose(file);
    if (os)
        return err_os(err, os, "cannot read %s", path);
    if (text.over)
        return err_set(err, FAULT_INVALID, "%s: too large for a config file", path);
    struct slice rest = buf_all(&text);
    struct slice line;
    for (unsigned number = 1; slice_cut(&rest, '\n', &line); number++) {
        snprintf(where, sizeof where, "%.140s:%u", path, number);
        if (!read_line(s, line, where, err))
            return false;
    }
    return true;
}

static bool read_default_file(struct settings *s, struct err *err)
{
    const char *home = getenv("HOME");
    if (geteuid() == 0)
        return read_file(s, "/etc/lambkin.conf", false, err);
    if (!home || !*home)
        return true;
    AUTO(buf) struct buf path = BUF_INIT(4096);
    buf_printf(&path, "%s/.config/lambkin/lambkin.conf", home);
    buf_char(&path, '\0');
    return read_file(s, path.p, false, err);
}

static bool read_variables(struct settings *s, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char name[64] = "LAMBKIN_";
        size_t n = strlen(name);
        for (const char *c = rows[i].name; *c && n + 1 < sizeof name; c++)
            name[n++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        name[n] = '\0';
        const char *value = getenv(name);
        struct slice rest = slice_str(value);
        struct slice one;
        if (!value)
            continue;
        if (rows[i].kind != REPEATED) {
            if (!set(s, &rows[i], rest, name, err))
                return false;
            continue;
        }
        while (slice_cut(&rest, ',', &one)) {
            if (one.n && !set(s, &rows[i], one, name, err))
                return false;
        }
    }
    return true;
}

/* --name VALUE, --name=VALUE; a switch alone means true. */
static bool read_flag(struct settings *s, char ***at, struct err *err)
{
    struct slice rest = slice_str(**at);
    struct slice name;
    if (!slice_starts(rest, S("--")))
        return err_set(err, FAULT_INVALID,
                       "unexpected argument %s; lambkin serve --help lists the flags", **at);
    rest = slice_sub(rest, 2, rest.n);
    slice_cut(&rest, '=', &name);
    const struct row *row = find(name);
    if (!row && !slice_eq(name, S("config")))
        return err_set(err, FAULT_INVALID,
                       "there is no flag --%.*s; lambkin serve --help lists them", FMT(name));
    (*at)++;
    if (!rest.p && row && row->kind == SWITCH)
        rest = **at && (**at)[0] != '-' ? slice_str(*(*at)++) : S("true");
    if (!rest.p) {
        if (!**at)
            return err_set(err, FAULT_INVALID, "--%.*s: its value is missing", FMT(name));
        rest = slice_str(*(*at)++);
    }
    char where[64];
    snprintf(where, sizeof where, "--%.*s", FMT(name));
    return !row || set(s, row, rest, where, err);
}

static const char *config_of(char **argv)
{
    for (; *argv; argv++) {
        if (!strncmp(*argv, "--config=", 9))
            return *argv + 9;
        if (!strcmp(*argv, "--config") && argv[1])
            return argv[1];
    }
    return getenv("LAMBKIN_CONFIG");
}

bool settings_read_flags(struct settings *s, char **argv, struct err *err)
{
    while (*argv) {
        if (!read_flag(s, &argv, err))
            return false;
    }
    return true;
}

bool settings_read(struct settings *s, char **argv, struct err *err)
{
    const char *config = config_of(argv);
    if (config ? !read_file(s, config, true, err) : !read_default_file(s, err))
        return false;
    if (!read_variables(s, err))
        return false;
    return settings_read_flags(s, argv, err);
}

/* ---- and out again ---- */

size_t settings_rootfs(const struct settings *s, struct env_rootfs out[SETTING_ROOTFS_MAX])
{
    size_t n = 0;
    for (; s->rootfs[n]; n++) { /* was checked when it was read */
        size_t at = slice_find(slice_str(s->rootfs[n]), '=');
        out[n] = (struct env_rootfs){mem_str(slice_sub(slice_str(s->rootfs[n]), 0, at)),
                                     s->rootfs[n] + at + 1};
    }
    return n;
}

char **settings_flags(const struct settings *s, char *const *prefix)
{
    size_t n = 0;
    size_t prefix_count = 0;
    while (prefix && prefix[prefix_count])
        prefix_count++;
    char **out = mem_new_array(prefix_count + COUNT_OF(rows) + SETTING_ROOTFS_MAX + 1, sizeof *out);
    for (; n < prefix_count; n++)
        out[n] = mem_str(slice_str(prefix[n]));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        const void *field = (const char *)s + row->offset;
        AUTO(buf) struct buf text = BUF_INIT(8192);
        switch (row->kind) {
        case TEXT:
            buf_printf(&text, "--%s=%s", row->name, *(char *const *)field);
            break;
        case NUMBER:
            buf_printf(&text, "--%s=%" PRIu64, row->name, *(const uint64_t *)field);
            break;
        case SWITCH:
            buf_printf(&text, "--%s=%s", row->name, *(const bool *)field ? "true" : "false");
            break;
        case REPEATED:
            for (char *const *one = field; *one; one++) {
                buf_clear(&text);
                buf_printf(&text, "--%s=%s", row->name, *one);
                out[n++] = mem_str(buf_all(&text));
            }
            continue;
        }
        out[n++] = mem_str(buf_all(&text));
    }
    return out;
}

void settings_help(struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        AUTO(buf) struct buf flag = BUF_INIT(128);
        buf_printf(&flag, "--%s%s%s", row->name, row->kind == SWITCH ? "" : " ",
                   row->kind == SWITCH   ? ""
                   : row->allowed        ? row->allowed
                   : row->kind == NUMBER ? "N"
                                         : "TEXT");
        buf_printf(out, "  %-30.*s %s", FMT(buf_all(&flag)), row->help);
        if (row->first && *row->first && row->kind != SWITCH)
            buf_printf(out, " [%s]", row->first);
        buf_char(out, '\n');
    }
}

void settings_man_rows(struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        buf_printf(out, ".TP\n.BI \\-\\-%s \" %s\"\n%s", row->name,
                   row->kind == SWITCH   ? ""
                   : row->allowed        ? row->allowed
                   : row->kind == NUMBER ? "N"
                                         : "TEXT",
                   row->help);
        if (row->first && *row->first)
            buf_printf(out, " Default: %s.", row->first);
        buf_char(out, '\n');
    }
}
