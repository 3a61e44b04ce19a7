#include "env/stream.h"

#include "base/mem.h"

enum { STREAM_MAGIC = 0x53545245 };

struct stream {
    uint32_t magic;
    struct runtime_api *api; /* configuration */
    struct invocation *inv;
    uint64_t burst;
    uint64_t rate;  /* bytes a second; 0: as they come */
    uint64_t bytes; /* state: so far */
    int64_t budget; /* bytes that may pass now; below 0: none until the timer */
    uint64_t counted_ms;
    bool taker_full;
    bool throttled;
    uv_timer_t timer;
};

static void pace(struct stream *s)
{
    if (s->taker_full || s->throttled)
        runtime_api_pause(s->api);
    else
        runtime_api_resume(s->api);
}

static void on_timer(uv_timer_t *timer)
{
    struct stream *s = CAST(stream, timer->data, STREAM_MAGIC);
    s->throttled = false;
    pace(s);
}

/* A bucket: it is full at first and fills at the rate. */
static void spend(struct stream *s, size_t n)
{
    uint64_t now = uv_now(s->timer.loop);
    uint64_t gained = (now - s->counted_ms) * s->rate / 1000;
    uint64_t room = (uint64_t)((int64_t)s->burst - s->budget);
    s->budget += (int64_t)(gained < room ? gained : room);
    s->budget -= (int64_t)n;
    s->counted_ms = now;
    if (s->budget >= 0)
        return;
    s->throttled = true;
    uv_timer_start(&s->timer, on_timer, (uint64_t)-s->budget * 1000 / s->rate + 1, 0);
}

struct stream *stream_new(uv_loop_t *loop, const struct env_settings *settings,
                          struct runtime_api *api, struct invocation *inv,
                          struct slice content_type)
{
    struct stream *s = NEW(stream);
    s->magic = STREAM_MAGIC;
    s->api = api;
    s->inv = inv;
    s->burst = settings->stream_burst;
    s->rate = settings->stream_rate;
    s->budget = (int64_t)s->burst;
    s->counted_ms = uv_now(loop);
    must(uv_timer_init(loop, &s->timer) == 0);
    s->timer.data = s;
    inv->source = s;
    inv->stream->begin(inv, content_type);
    return s;
}

static void on_closed(uv_handle_t *handle)
{
    free(CAST(stream, handle->data, STREAM_MAGIC));
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    s->inv->source = NULL;
    s->inv = NULL;
    uv_close((uv_handle_t *)&s->timer, on_closed);
}

void stream_piece(struct stream *s, struct slice bytes)
{
    s->bytes += bytes.n;
    if (!s->inv->stream->piece(s->inv, bytes))
        s->taker_full = true;
    if (s->rate)
        spend(s, bytes.n);
    if (s->taker_full || s->throttled)
        pace(s);
}

void invocation_resume(struct invocation *inv)
{
    struct stream *s = inv->source;
    if (!s || !s->taker_full)
        return;
    s->taker_full = false;
    pace(s);
}

uint64_t stream_bytes(const struct stream *s)
{
    return s ? s->bytes : 0;
}
