#include "env/logs.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "env/frames.h"
#include "env/peek.h"
#include "env/telemetry.h"
#include "lambda_api.h"
#include "store/log_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/* LINE_MAX_: a longer line becomes several events (256 KB - 26, where AWS's own clients split).
 * SETTLE_TURNS: a process that keeps writing cannot hold the end of its invocation up for ever. */
enum { LOGS_MAGIC = 0x4c4f4753, LINE_MAX_ = 262118, READ_MAX = 65536, SETTLE_TURNS = 16 };

enum { OUTPUT, FRAMED, EXTENSIONS, PIPES };

struct pipe {
    uint32_t magic;
    struct logs *logs;
    int fd;          /* -1: not attached yet */
    bool ended;      /* nobody writes, or not yet */
    struct buf line; /* that is not whole yet */
    uv_poll_t poll;
};

struct logs {
    struct log_stream *stream; /* configuration */
    char *group;
    char *name;
    struct report_style style;
    enum frame_level floor; /* ApplicationLogLevel */
    struct telemetry *telemetry;
    struct pipe pipes[PIPES]; /* state */
    int extensions_out;       /* write end of EXTENSIONS; -1: there is none yet */
    struct frames frames;
    struct buf tail;
    bool tail_wanted;
    unsigned closing;
};

/* One buffer serves all environments: reading and splitting never return to the loop between. */
static char chunk[READ_MAX];

static void tail_add(struct logs *logs, struct slice text)
{
    if (!logs->tail_wanted)
        return;
    if (text.n > LOGS_TAIL_MAX)
        text = slice_sub(text, text.n - LOGS_TAIL_MAX, LOGS_TAIL_MAX);
    /* Twice the size, so that dropping from the front is rare. */
    if (logs->tail.n + text.n > 2 * LOGS_TAIL_MAX)
        buf_drop(&logs->tail, logs->tail.n - (LOGS_TAIL_MAX - text.n));
    buf_slice(&logs->tail, text);
}

static void event(struct logs *logs, uint64_t ms, struct slice message)
{
    if (message.n == 0)
        return;
    log_append(logs->stream, ms, message);
    tail_add(logs, message);
}

static bool is_json(const struct logs *logs)
{
    return logs->style.form == REPORT_JSON;
}

static enum frame_level level_named(struct slice name, enum frame_level otherwise)
{
    static const char *const names[] = {"", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
    for (size_t i = FRAME_TRACE; i < COUNT_OF(names); i++) {
        if (slice_eq_nocase(name, slice_str(names[i])))
            return (enum frame_level)i;
    }
    return otherwise;
}

/* The writer's clock is the writer's word: only a sane one counts. */
static uint64_t time_of_event(uint64_t then)
{
    uint64_t now = clock_wall_ms();
    return then > now - 24u * 3600 * 1000 && then <= now ? then : now;
}

/* With JSON format the platform filters again: a missing or unknown level counts as INFO. The time
 * that a line tells is its event's. */
static void application_line(struct pipe *pipe, struct slice line)
{
    struct logs *logs = pipe->logs;
    bool of_function = pipe == &logs->pipes[OUTPUT];
    struct slice none = {NULL, 0};
    struct slice json = is_json(logs) && slice_starts(line, S("{")) ? line : none;
    uint64_t then = 0;
    if (!clock_parse(peek_string(json, S("timestamp")), &then))
        then = 0;
    then = time_of_event(then);
    telemetry_line(logs->telemetry, of_function ? TYPE_FUNCTION : TYPE_EXTENSION, then,
                   FRAME_UNSPECIFIED, line);
    if (is_json(logs) && logs->floor > FRAME_TRACE &&
        level_named(peek_string(json, S("level")), FRAME_INFO) < logs->floor)
        return;
    event(logs, then, line);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct logs *logs = arg;
    enum frame_level level = frame->level == FRAME_UNSPECIFIED ? FRAME_INFO : frame->level;
    uint64_t then = time_of_event(frame->time_us / 1000);
    telemetry_line(logs->telemetry, TYPE_FUNCTION, then, level, frame->message);
    if (is_json(logs) && level < logs->floor)
        return;
    event(logs, then, frame->message);
}

static void split_lines(struct pipe *pipe, struct slice bytes)
{
    while (bytes.n) {
        size_t newline = slice_find(bytes, '\n');
        size_t take = newline == SIZE_MAX ? bytes.n : newline + 1;
        bool whole = newline != SIZE_MAX;
        size_t room = LINE_MAX_ - pipe->line.n;
        if (take > room) {
            take = room;
            whole = true;
        }
        struct slice part = {bytes.p, take};
        if (whole && pipe->line.n == 0) {
            application_line(pipe, part);
        } else {
            buf_slice(&pipe->line, part);
            if (whole) {
                application_line(pipe, buf_all(&pipe->line));
                buf_free(&pipe->line);
            }
        }
        bytes = slice_sub(bytes, take, bytes.n);
    }
}

static void flush_line(struct pipe *pipe)
{
    if (pipe->line.n)
        application_line(pipe, buf_all(&pipe->line));
    buf_free(&pipe->line);
}

/* True if there may be more. */
static bool pipe_read(struct pipe *pipe)
{
    if (pipe->ended)
        return false;
    ssize_t n = read(pipe->fd, chunk, sizeof chunk);
    if (n < 0)
        return errno == EINTR;
    if (n == 0) {
        /* Closed only with its handle: libuv takes the number out of epoll once more then, and by
         * that time it may be another environment's. */
        uv_poll_stop(&pipe->poll);
        pipe->ended = true;
        return false;
    }
    struct slice bytes = {chunk, (size_t)n};
    if (pipe == &pipe->logs->pipes[FRAMED])
        frames_feed(&pipe->logs->frames, bytes);
    else
        split_lines(pipe, bytes);
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    pipe_read(CAST(pipe, poll->data, LOGS_MAGIC));
}

static bool json_format(const struct function *fn)
{
    const struct lambda_LoggingConfig *config = fn->config ? fn->config->LoggingConfig : NULL;
    return config && slice_eq(config->LogFormat, S("JSON"));
}

static void choose_style(struct logs *logs, const struct function *fn)
{
    logs->style = (struct report_style){.form = REPORT_TEXT, .floor = REPORT_INFO};
    logs->floor = FRAME_TRACE;
    if (!json_format(fn))
        return;
    logs->style.form = REPORT_JSON;
    struct slice system = fn->config->LoggingConfig->SystemLogLevel;
    if (slice_eq(system, S("DEBUG")))
        logs->style.floor = REPORT_DEBUG;
    else if (slice_eq(system, S("WARN")))
        logs->style.floor = REPORT_WARN;
    logs->floor = level_named(fn->config->LoggingConfig->ApplicationLogLevel, FRAME_INFO);
}

/* YYYY/MM/DD/[$LATEST]<32 hex>; with a group of its own the function's name is in it (3.1). */
static void choose_names(struct logs *logs, const struct function *fn)
{
    AUTO(buf) struct buf group = BUF_INIT(1024);
    AUTO(buf) struct buf name = BUF_INIT(1024);
    char hex[ID_HEX_LEN + 1];
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    id_hex(hex, ID_HEX_LEN);

    buf_printf(&group, "/aws/lambda/%.*s", FMT(fn->name));
    struct slice other = {NULL, 0};
    if (fn->config && fn->config->LoggingConfig)
        other = fn->config->LoggingConfig->LogGroup;
    bool own = other.n && !slice_eq(other, buf_all(&group));
    logs->group = mem_str(own ? other : buf_all(&group));

    buf_printf(&name, "%04d/%02d/%02d/%.*s[%.*s]%s", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               own ? (int)fn->name.n : 0, own ? fn->name.p : "", FMT(fn->version), hex);
    logs->name = mem_str(buf_all(&name));
}

static bool make_pipe(int *out_read, int *out_write, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_os(err, errno, "log pipe");
    /* Only our end must not block; the function's end is what slows a flood down. */
    must(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    *out_read = ends[0];
    *out_write = ends[1];
    return true;
}

bool logs_make_pipes(int out_read[2], int out_write[2], struct err *err)
{
    if (!make_pipe(&out_read[OUTPUT], &out_write[OUTPUT], err))
        return false;
    if (make_pipe(&out_read[FRAMED], &out_write[FRAMED], err))
        return true;
    close(out_read[OUTPUT]);
    close(out_write[OUTPUT]);
    return false;
}

struct logs *logs_open(struct log_store *store, const struct function *fn)
{
    struct logs *logs = NEW(logs);
    choose_style(logs, fn);
    choose_names(logs, fn);
    logs->extensions_out = -1;
    logs->tail = BUF_INIT(3 * LOGS_TAIL_MAX);
    frames_init(&logs->frames, on_frame, logs);
    logs->stream =
        log_stream_open(store, fn->account, fn->region, logs_group(logs), logs_stream(logs));
    for (int i = 0; i < PIPES; i++)
        logs->pipes[i] = (struct pipe){.magic = LOGS_MAGIC,
                                       .logs = logs,
                                       .fd = -1,
                                       .ended = true,
                                       .line = BUF_INIT(LINE_MAX_)};
    return logs;
}

static void attach(struct pipe *pipe, uv_loop_t *loop, int fd)
{
    pipe->fd = fd;
    pipe->ended = false;
    must(uv_poll_init(loop, &pipe->poll, pipe->fd) == 0);
    pipe->poll.data = pipe;
    must(uv_poll_start(&pipe->poll, UV_READABLE | UV_DISCONNECT, on_readable) == 0);
}

void logs_attach(struct logs *logs, uv_loop_t *loop, int fds[2])
{
    attach(&logs->pipes[OUTPUT], loop, fds[OUTPUT]);
    attach(&logs->pipes[FRAMED], loop, fds[FRAMED]);
}

int logs_extensions_out(struct logs *logs, uv_loop_t *loop, struct err *err)
{
    int ours = -1;
    if (logs->extensions_out >= 0)
        return logs->extensions_out;
    if (!make_pipe(&ours, &logs->extensions_out, err))
        return -1;
    /* /dev/stdout is opened anew by shells, and inside its owner is nobody. */
    if (fchmod(logs->extensions_out, 0622))
        log_warn("logs.extensions", "os=%d", errno);
    attach(&logs->pipes[EXTENSIONS], loop, ours);
    return logs->extensions_out;
}

static void closed(struct logs *logs)
{
    if (--logs->closing == 0)
        free(logs);
}

static void on_closed(uv_handle_t *handle)
{
    closed(CAST(pipe, handle->data, LOGS_MAGIC)->logs);
}

void logs_close(struct logs *logs)
{
    if (!logs)
        return;
    logs_settle(logs);
    logs->closing = 1;
    for (int i = 0; i < PIPES; i++) {
        struct pipe *pipe = &logs->pipes[i];
        buf_free(&pipe->line);
        if (pipe->fd < 0)
            continue;
        logs->closing++;
        uv_close((uv_handle_t *)&pipe->poll, on_closed);
        close(pipe->fd);
    }
    if (logs->extensions_out >= 0)
        close(logs->extensions_out);
    log_stream_close(logs->stream);
    frames_reset(&logs->frames);
    buf_free(&logs->tail);
    free(logs->group);
    free(logs->name);
    closed(logs);
}

struct slice logs_group(const struct logs *logs)
{
    return slice_str(logs->group);
}

struct slice logs_stream(const struct logs *logs)
{
    return slice_str(logs->name);
}

const struct report_style *logs_style(const struct logs *logs)
{
    return &logs->style;
}

void logs_listen(struct logs *logs, struct telemetry *telemetry)
{
    logs->telemetry = telemetry;
}

struct telemetry *logs_telemetry(const struct logs *logs)
{
    return logs->telemetry;
}

void logs_system(struct logs *logs, struct slice text)
{
    event(logs, clock_wall_ms(), text);
}

void logs_tail_begin(struct logs *logs)
{
    buf_clear(&logs->tail);
    logs->tail_wanted = true;
}

void logs_tail_end(struct logs *logs, struct buf *tail)
{
    struct slice all = buf_all(&logs->tail);
    if (all.n > LOGS_TAIL_MAX)
        all = slice_sub(all, all.n - LOGS_TAIL_MAX, LOGS_TAIL_MAX);
    *tail = BUF_INIT(LOGS_TAIL_MAX);
    buf_slice(tail, all);
    logs->tail_wanted = false;
    buf_free(&logs->tail);
}

void logs_settle(struct logs *logs)
{
    /* All pipes are read, whatever epoll said so far: a socket that was reported before stays at
     * the front of its list, so the runtime's answer may come ahead of lines that were written
     * earlier. */
    for (int i = 0; i < PIPES; i++) {
        bool more = true;
        for (int turn = 0; more && turn < SETTLE_TURNS; turn++)
            more = pipe_read(&logs->pipes[i]);
        flush_line(&logs->pipes[i]);
    }
}

void logs_new_run(struct logs *logs)
{
    logs_settle(logs);
    frames_reset(&logs->frames);
}
