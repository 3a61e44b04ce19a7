#include "env/delivery.h"

#include "base/log.h"
#include "base/mem.h"
#include "env/delivery_wire.h"

#include <stdio.h>

/* SLACK: brackets, and an event that tells what was dropped.
 * STALL_MS: a subscriber that answers nothing for so long has failed.
 * HELD_MAX: above, events are dropped, whatever a subscriber's own limits are. */
enum {
    DELIVERY_MAGIC = 0x44454c56,
    SLACK = 1024,
    ATTEMPTS_MAX = 5,
    BACK_OFF_MS = 50, /* then 100, 200, 400 */
    STALL_MS = 10000,
    HELD_MAX = 128 << 20,
};

/* Bytes that wait or are out, of all deliveries: functions choose how many there are. */
static size_t held;

enum { DOWN, REST, OPENING, SENDING, BACKING_OFF };

/*  DOWN --open--> REST --batch--> OPENING --connected--> SENDING --taken--> REST
 *                   \--batch, connected already--------> SENDING
 *  OPENING, SENDING --fails--> BACKING_OFF --time--> OPENING    any --hang_up--> DOWN
 *  REST: no batch is out.  The others, and DOWN if it came from them: one is. */
const struct sm_state delivery_states[] = {
    [DOWN] = {"down", SM_TO(REST)},
    [REST] = {"rest", SM_TO(OPENING) | SM_TO(SENDING) | SM_TO(DOWN)},
    [OPENING] = {"opening", SM_TO(SENDING) | SM_TO(BACKING_OFF) | SM_TO(REST) | SM_TO(DOWN)},
    [SENDING] = {"sending", SM_TO(REST) | SM_TO(BACKING_OFF) | SM_TO(DOWN)},
    [BACKING_OFF] = {"backing-off", SM_TO(OPENING) | SM_TO(DOWN)},
    {NULL, 0},
};

struct events {
    struct buf bytes; /* as they are sent */
    uint32_t n;
    size_t held; /* their part of `held` */
};

struct delivery {
    uint32_t magic;
    uv_loop_t *loop; /* configuration */
    delivery_connect *connect;
    void *arg;
    struct subscription how;
    struct sm sm; /* state */
    struct events waiting;
    struct events batch; /* the one that is out */
    bool due;            /* what waits is to be sent, however little */
    bool paused;
    unsigned attempts; /* that have failed, of this batch */
    uint64_t dropped_records;
    uint64_t dropped_bytes;
    struct delivery_wire *wire; /* NULL: not connected */
    uv_timer_t timer;
};

/* ---- what waits ---- */

static size_t room(const struct delivery *d)
{
    return 2 * (size_t)d->how.max_bytes;
}

static void append(struct delivery *d, struct slice event)
{
    struct buf *bytes = &d->waiting.bytes;
    if (d->how.http)
        buf_char(bytes, d->waiting.n ? ',' : '[');
    buf_slice(bytes, event);
    if (!d->how.http)
        buf_char(bytes, '\n');
    d->waiting.n++;
    d->waiting.held += event.n;
    held += event.n;
}

static void discard(struct events *events)
{
    held -= events->held;
    buf_free(&events->bytes);
    events->n = 0;
    events->held = 0;
}

static void drop(struct delivery *d, uint64_t records, uint64_t bytes)
{
    d->dropped_records += records;
    d->dropped_bytes += bytes;
}

/* In the words of either API. */
static void tell_dropped(struct delivery *d)
{
    static const struct slice reasons[] = {
        [API_TELEMETRY] = S_INIT("Some logs were dropped because the downstream consumer is slower "
                                 "than the logs production rate"),
        [API_LOGS] = S_INIT("Consumer seems to have fallen behind as it has not acknowledged "
                            "receipt of logs."),
    };
    AUTO(buf) struct buf line = BUF_INIT(SLACK / 2);
    const struct report_style style = {.form = d->how.form};
    const struct report report = {.reason = reasons[d->how.api],
                                  .dropped_records = d->dropped_records,
                                  .dropped_bytes = d->dropped_bytes};
    if (d->dropped_records && (d->how.types & TYPE_PLATFORM)) {
        report_logs_dropped(&line, &style, &report);
        append(d, slice_sub(buf_all(&line), 0, line.n - 1));
    }
    d->dropped_records = d->dropped_bytes = 0;
}

static bool is_due(const struct delivery *d)
{
    return d->waiting.n &&
           (d->due || d->waiting.n >= d->how.max_items || d->waiting.bytes.n >= d->how.max_bytes);
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer);

static void arm(struct delivery *d, uint64_t ms)
{
    if (!d->paused)
        uv_timer_start(&d->timer, on_timer, ms, 0);
}

static uint64_t back_off_ms(const struct delivery *d)
{
    return (uint64_t)BACK_OFF_MS << (d->attempts - 1);
}

/* The time that the state has, from its beginning. */
static void arm_anew(struct delivery *d)
{
    uv_timer_stop(&d->timer);
    switch (d->sm.state) {
    case REST:
        if (d->waiting.n)
            arm(d, d->how.timeout_ms);
        break;
    case OPENING:
        arm(d, STALL_MS);
        break;
    case SENDING:
        if (d->how.http) /* who takes lines may take them as slowly as it likes */
            arm(d, STALL_MS);
        break;
    case BACKING_OFF:
        arm(d, back_off_ms(d));
        break;
    default:
        break;
    }
}

static void move(struct delivery *d, unsigned state)
{
    sm_move(&d->sm, state);
    arm_anew(d);
}

/* ---- a batch ---- */

static void on_sent(void *arg, enum delivery_wire_end end);

static void write_batch(struct delivery *d)
{
    move(d, SENDING);
    delivery_wire_send(d->wire, &d->how, buf_all(&d->batch.bytes));
}

static void send_batch(struct delivery *d)
{
    if (d->wire) {
        write_batch(d);
        return;
    }
    move(d, OPENING);
    d->connect(d->arg, d, d->how.port);
}

static void begin_batch(struct delivery *d)
{
    if (d->how.http)
        buf_char(&d->waiting.bytes, ']');
    d->batch = d->waiting;
    d->waiting = (struct events){.bytes = BUF_INIT(room(d) + SLACK)};
    d->due = false;
    d->attempts = 0;
    send_batch(d);
}

static void tick(struct delivery *d)
{
    if (d->sm.state == REST && !d->paused && is_due(d))
        begin_batch(d);
}

static void end_batch(struct delivery *d)
{
    discard(&d->batch);
    move(d, REST);
    tick(d);
}

static void cut_off(struct delivery *d)
{
    delivery_wire_close(STEAL(d->wire));
}

static void failed(struct delivery *d)
{
    cut_off(d);
    if (++d->attempts < ATTEMPTS_MAX) {
        move(d, BACKING_OFF);
        return;
    }
    log_debug("telemetry.drop", "port=%u records=%u", d->how.port, d->batch.n);
    drop(d, d->batch.n, d->batch.bytes.n);
    end_batch(d);
}

static void on_sent(void *arg, enum delivery_wire_end end)
{
    struct delivery *d = CAST(delivery, arg, DELIVERY_MAGIC);
    bool sending = d->sm.state == SENDING;
    if (end != WIRE_TAKEN)
        cut_off(d);
    if (sending && end == WIRE_FAILED) {
        failed(d);
    } else if (sending) {
        tell_dropped(d);
        end_batch(d);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct delivery *d = CAST(delivery, timer->data, DELIVERY_MAGIC);
    switch (d->sm.state) {
    case REST:
        d->due = true;
        tick(d);
        break;
    case OPENING:
    case SENDING:
        failed(d);
        break;
    default:
        send_batch(d);
    }
}

/* ---- the owner's calls ---- */

struct delivery *delivery_new(uv_loop_t *loop, delivery_connect *connect, void *arg)
{
    static uint64_t last_id;
    struct delivery *d = NEW(delivery);
    d->magic = DELIVERY_MAGIC;
    d->loop = loop;
    d->connect = connect;
    d->arg = arg;
    sm_init(&d->sm, delivery_states, "delivery", ++last_id);
    must(uv_timer_init(loop, &d->timer) == 0);
    d->timer.data = d;
    return d;
}

static void on_closed(uv_handle_t *handle)
{
    free(CAST(delivery, handle->data, DELIVERY_MAGIC));
}

static void empty(struct delivery *d)
{
    discard(&d->waiting);
    discard(&d->batch);
    d->dropped_records = d->dropped_bytes = 0;
}

void delivery_free(struct delivery *d)
{
    if (!d)
        return;
    delivery_wire_close(STEAL(d->wire));
    empty(d);
    uv_close((uv_handle_t *)&d->timer, on_closed);
}

void delivery_open(struct delivery *d, const struct subscription *subscription)
{
    bool same = d->how.http == subscription->http && d->how.form == subscription->form &&
                d->how.max_bytes == subscription->max_bytes;
    if (d->sm.state != DOWN)
        delivery_hang_up(d);
    if (!same) {
        empty(d);
        d->waiting.bytes = (struct buf)BUF_INIT(2 * (size_t)subscription->max_bytes + SLACK);
    }
    d->how = *subscription;
    d->attempts = 0;
    move(d, REST);
    if (d->batch.n)
        send_batch(d);
}

void delivery_hang_up(struct delivery *d)
{
    cut_off(d);
    if (d->sm.state != DOWN)
        move(d, DOWN);
}

void delivery_connected(struct delivery *d, int fd)
{
    if (d->sm.state != OPENING) {
        if (fd >= 0)
            close(fd);
    } else if (fd < 0) {
        failed(d);
    } else {
        d->wire = delivery_wire_new(d->loop, fd, on_sent, d);
        if (d->paused)
            delivery_wire_pause(d->wire, true);
        write_batch(d);
    }
}

void delivery_add(struct delivery *d, struct slice event)
{
    if (d->waiting.bytes.n + event.n + 2 > room(d) || held + event.n > HELD_MAX) {
        drop(d, 1, event.n);
        return;
    }
    append(d, event);
    if (d->waiting.n == 1 && d->sm.state == REST)
        arm_anew(d);
    tick(d);
}

void delivery_flush(struct delivery *d)
{
    d->due = d->waiting.n > 0;
    tick(d);
}

bool delivery_idle(const struct delivery *d)
{
    return d->waiting.n == 0 && d->batch.n == 0;
}

void delivery_pause(struct delivery *d, bool on)
{
    d->paused = on;
    if (d->wire)
        delivery_wire_pause(d->wire, on);
    arm_anew(d);
    tick(d);
}
