#include "env/telemetry.h"

#include "base/id.h"
#include "base/mem.h"
#include "codec/json_check.h"
#include "env/delivery.h"
#include "env/report_json.h"
#include "launch/proto.h"

#include <stdio.h>

enum { TELEMETRY_MAGIC = 0x54454c45, PLATFORM_MAX = 8192 };

struct subscriber {
    char name[LAUNCH_FILE_MAX + 1];
    struct subscription how;
    struct delivery *delivery;
    uint32_t ticket; /* of the connection that is being opened; 0 = none */
    bool here;       /* it has subscribed since the last reset */
};

/* What the backlog keeps of an event; its text follows. Only the Telemetry API has events of the
 * platform from before the first subscription, and they are the same in all of its schemas. */
struct kept {
    enum subscription_types type;
    enum frame_level level;
    uint64_t unix_ms;
    size_t n;
};

struct telemetry {
    uint32_t magic;
    uv_loop_t *loop; /* configuration */
    bool json;
    telemetry_connect *connect;
    void *arg;
    bool open;       /* state: an init goes on */
    unsigned wanted; /* types that somebody subscribed to */
    struct buf backlog;
    char request_id[ID_UUID_LEN + 1];
    uint32_t last_ticket;
    struct subscriber *subscribers[TELEMETRY_SUBSCRIBERS_MAX];
    size_t n;
};

/* ---- a line as an event ---- */

static bool has_objects(enum report_form form)
{
    return form == REPORT_JSON;
}

/* An object in one line: what breaks it between its members is nothing but blanks. */
static void one_line(struct buf *out, struct slice json)
{
    while (json.n) {
        size_t n = 0;
        while (n < json.n && json.p[n] != '\n' && json.p[n] != '\r')
            n++;
        buf_add(out, json.p, n);
        if (n < json.n)
            buf_char(out, ' ');
        json = slice_sub(json, n + 1, json.n);
    }
}

static void wrap(struct buf *out, uint64_t unix_ms, enum frame_level level, struct slice request_id,
                 struct slice line)
{
    static const struct slice names[] = {S_INIT("INFO"), S_INIT("TRACE"), S_INIT("DEBUG"),
                                         S_INIT("INFO"), S_INIT("WARN"),  S_INIT("ERROR"),
                                         S_INIT("FATAL")};
    char when[REPORT_TIME_LEN + 1];
    report_time(when, unix_ms);
    buf_char(out, '{');
    report_json_field(out, "timestamp", slice_str(when));
    report_json_field(out, "level", names[level]);
    if (request_id.n)
        report_json_field(out, "requestId", request_id);
    report_json_field(out, "message", line);
    buf_char(out, '}');
}

void telemetry_write_line(struct buf *out, enum report_form form, bool json,
                          enum subscription_types type, uint64_t unix_ms, enum frame_level level,
                          struct slice request_id, struct slice line)
{
    struct json_fault fault;
    report_json_begin(out, unix_ms, type == TYPE_FUNCTION ? S("function") : S("extension"));
    if (!json || !has_objects(form)) {
        report_quote(out, line);
    } else {
        if (slice_ends(line, S("\n")))
            line.n--;
        if (slice_starts(line, S("{")) && json_check(line, &fault))
            one_line(out, line);
        else
            wrap(out, unix_ms, level, request_id, line);
    }
    buf_char(out, '}');
}

/* ---- to whom ---- */

static void add_line(const struct telemetry *t, struct subscriber *to, const struct kept *kept,
                     struct slice line)
{
    AUTO(buf) struct buf event = BUF_INIT(TELEMETRY_LINE_MAX);
    telemetry_write_line(&event, to->how.form, t->json, kept->type, kept->unix_ms, kept->level,
                         slice_str(t->request_id), line);
    delivery_add(to->delivery, buf_all(&event));
}

/* A writer may have several events to write, a line each. */
static void add_lines(struct subscriber *to, struct slice lines)
{
    struct slice line;
    while (slice_cut(&lines, '\n', &line)) {
        if (line.n)
            delivery_add(to->delivery, line);
    }
}

static bool wants(const struct subscriber *s, enum subscription_types type)
{
    return (s->how.types & type) != 0;
}

static void keep(struct telemetry *t, struct kept kept, struct slice text)
{
    if (!t->open || t->backlog.n + sizeof kept + text.n > TELEMETRY_BACKLOG_MAX)
        return;
    kept.n = text.n;
    buf_add(&t->backlog, &kept, sizeof kept);
    buf_slice(&t->backlog, text);
}

/* What it has missed of this init. */
static void catch_up(const struct telemetry *t, struct subscriber *s)
{
    struct slice rest = buf_all(&t->backlog);
    while (rest.n) {
        struct kept kept;
        memcpy(&kept, rest.p, sizeof kept);
        struct slice text = slice_sub(rest, sizeof kept, kept.n);
        rest = slice_sub(rest, sizeof kept + kept.n, rest.n);
        if (!wants(s, kept.type))
            continue;
        if (kept.type != TYPE_PLATFORM)
            add_line(t, s, &kept, text);
        else if (s->how.api == API_TELEMETRY)
            add_lines(s, text);
    }
}

bool telemetry_listens(const struct telemetry *t)
{
    return t && (t->open || (t->wanted & TYPE_PLATFORM));
}

void telemetry_platform(struct telemetry *t, report_writer *writer, const struct report *report)
{
    static struct buf lines = BUF_INIT(PLATFORM_MAX);
    if (!telemetry_listens(t))
        return;
    struct report_style style = {.form = REPORT_JSON, .floor = REPORT_DEBUG};
    if (t->open) {
        buf_clear(&lines);
        writer(&lines, &style, report);
        keep(t, (struct kept){.type = TYPE_PLATFORM}, buf_all(&lines));
    }
    for (size_t i = 0; i < t->n; i++) {
        struct subscriber *s = t->subscribers[i];
        if (!wants(s, TYPE_PLATFORM))
            continue;
        style.form = s->how.form;
        buf_clear(&lines);
        writer(&lines, &style, report);
        add_lines(s, buf_all(&lines));
    }
}

void telemetry_line(struct telemetry *t, enum subscription_types type, uint64_t unix_ms,
                    enum frame_level level, struct slice line)
{
    if (!t || line.n == 0 || (!t->open && !(t->wanted & type)))
        return;
    const struct kept kept = {.type = type, .level = level, .unix_ms = unix_ms};
    keep(t, kept, line);
    for (size_t i = 0; i < t->n; i++) {
        if (wants(t->subscribers[i], type))
            add_line(t, t->subscribers[i], &kept, line);
    }
}

void telemetry_request(struct telemetry *t, struct slice request_id)
{
    if (t && t->wanted)
        snprintf(t->request_id, sizeof t->request_id, "%.*s", FMT(request_id));
}

/* ---- connections ---- */

static void on_connect(void *arg, struct delivery *delivery, uint16_t port)
{
    struct telemetry *t = CAST(telemetry, arg, TELEMETRY_MAGIC);
    for (size_t i = 0; i < t->n; i++) {
        if (t->subscribers[i]->delivery == delivery)
            t->subscribers[i]->ticket = ++t->last_ticket;
    }
    t->connect(t->arg, t->last_ticket, port);
}

void telemetry_connected(struct telemetry *t, uint32_t ticket, int fd)
{
    for (size_t i = 0; t && i < t->n; i++) {
        struct subscriber *s = t->subscribers[i];
        if (s->ticket == ticket) {
            s->ticket = 0;
            delivery_connected(s->delivery, fd);
            return;
        }
    }
    if (fd >= 0)
        close(fd); /* whoever wanted it has gone, or wants another by now */
}

bool telemetry_flush(struct telemetry *t)
{
    bool busy = false;
    for (size_t i = 0; t && i < t->n; i++) {
        delivery_flush(t->subscribers[i]->delivery);
        busy |= t->subscribers[i]->here && !delivery_idle(t->subscribers[i]->delivery);
    }
    return busy;
}

void telemetry_pause(struct telemetry *t, bool on)
{
    for (size_t i = 0; t && i < t->n; i++)
        delivery_pause(t->subscribers[i]->delivery, on);
}

void telemetry_hang_up(struct telemetry *t)
{
    if (!t)
        return;
    t->open = false;
    buf_free(&t->backlog);
    for (size_t i = 0; i < t->n; i++) {
        t->subscribers[i]->here = false;
        t->subscribers[i]->ticket = 0;
        delivery_hang_up(t->subscribers[i]->delivery);
    }
}

/* ---- subscriptions ---- */

static void forget(struct telemetry *t, size_t at)
{
    delivery_free(t->subscribers[at]->delivery);
    free(t->subscribers[at]);
    t->subscribers[at] = t->subscribers[--t->n];
}

static void count_wanted(struct telemetry *t)
{
    t->wanted = 0;
    for (size_t i = 0; i < t->n; i++)
        t->wanted |= t->subscribers[i]->how.types;
}

static struct subscriber *find(const struct telemetry *t, struct slice name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (slice_eq(slice_str(t->subscribers[i]->name), name))
            return t->subscribers[i];
    }
    return NULL;
}

/* Who was there before the reset and has not come back yet; each has a name of its own, so there is
 * one if there are too many. */
static void forget_one_that_left(struct telemetry *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (!t->subscribers[i]->here) {
            forget(t, i);
            return;
        }
    }
}

static struct subscriber *add(struct telemetry *t, struct slice name)
{
    if (t->n == TELEMETRY_SUBSCRIBERS_MAX)
        forget_one_that_left(t);
    struct subscriber *s = NEW(subscriber);
    must(t->n < TELEMETRY_SUBSCRIBERS_MAX && name.n < sizeof s->name);
    memcpy(s->name, name.p, name.n);
    s->delivery = delivery_new(t->loop, on_connect, t);
    t->subscribers[t->n++] = s;
    return s;
}

enum telemetry_answer telemetry_subscribe(struct telemetry *t, enum subscription_api api,
                                          struct slice extension, struct slice document,
                                          struct subscription *out, struct buf *faults)
{
    struct subscriber *s = find(t, extension);
    bool known = s != NULL;
    bool here = known && s->here;
    if (!t->open)
        return SUBSCRIPTION_CLOSED;
    if (!subscription_parse(document, api, out, faults))
        return SUBSCRIPTION_INVALID;
    if (here && s->how.api != api) {
        buf_slice(faults, S("an extension may use only one of the Telemetry API and the Logs API"));
        return SUBSCRIPTION_INVALID;
    }
    if (!known)
        s = add(t, extension);
    s->how = *out;
    s->here = true;
    s->ticket = 0;
    delivery_open(s->delivery, out);
    if (!known)
        catch_up(t, s);
    count_wanted(t);
    return known ? SUBSCRIBED_ALREADY : SUBSCRIBED;
}

void telemetry_init_begin(struct telemetry *t)
{
    buf_free(&t->backlog);
    t->request_id[0] = '\0';
    t->open = true;
}

void telemetry_init_end(struct telemetry *t)
{
    buf_free(&t->backlog);
    t->open = false;
    for (size_t i = t->n; i-- > 0;) {
        if (!t->subscribers[i]->here)
            forget(t, i);
    }
    count_wanted(t);
}

struct telemetry *telemetry_new(uv_loop_t *loop, bool json, telemetry_connect *connect, void *arg)
{
    struct telemetry *t = NEW(telemetry);
    t->magic = TELEMETRY_MAGIC;
    t->loop = loop;
    t->json = json;
    t->connect = connect;
    t->arg = arg;
    t->backlog = (struct buf)BUF_INIT(TELEMETRY_BACKLOG_MAX);
    return t;
}

void telemetry_free(struct telemetry *t)
{
    if (!t)
        return;
    while (t->n)
        forget(t, t->n - 1);
    buf_free(&t->backlog);
    free(t);
}
