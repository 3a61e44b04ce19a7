#include "env/frames.h"

/* No honest writer sends more at once than a response may hold. */
enum { FRAME_LENGTH_MAX = 6291556, SHORT_HEADER = 8, LONG_HEADER = 16 };

void frames_init(struct frames *frames, frames_got *got, void *arg)
{
    *frames = (struct frames){.got = got, .arg = arg, .message = BUF_INIT(FRAMES_MESSAGE_MAX)};
}

void frames_reset(struct frames *frames)
{
    frames->header_n = 0;
    frames->inside = false;
    buf_free(&frames->message);
}

static uint64_t big_endian(const char *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

/* The historic type 0xA55A0001 has no time; the others carry the bit of value 2. */
static bool type_is_known(uint32_t type)
{
    uint32_t low = type & 0xffff;
    return type >> 16 == 0xa55a && (low == 1 || ((low & 2) && low >> 2 <= FRAME_FATAL));
}

static bool header_begins_well(const char *p, size_t n)
{
    static const unsigned char magic[] = {0xa5, 0x5a, 0x00};
    if (memcmp(p, magic, n < sizeof magic ? n : sizeof magic) != 0)
        return false;
    if (n >= 4 && !type_is_known((uint32_t)big_endian(p, 4)))
        return false;
    return n < SHORT_HEADER || big_endian(p + 4, 4) <= FRAME_LENGTH_MAX;
}

static void emit(struct frames *frames)
{
    frames->frame.message = buf_all(&frames->message);
    frames->got(frames->arg, &frames->frame);
    buf_clear(&frames->message);
}

static void header_done(struct frames *frames)
{
    uint32_t type = (uint32_t)big_endian(frames->header, 4);
    frames->left = (uint32_t)big_endian(frames->header + 4, 4);
    frames->frame = (struct frame){
        .level = (type & 0xffff) == 1 ? FRAME_UNSPECIFIED : (enum frame_level)((type >> 2) & 7),
        .json = !(type & 1),
        .time_us = type & 2 ? big_endian(frames->header + 8, 8) : 0,
    };
    frames->header_n = 0;
    frames->inside = true;
    if (frames->left == 0) {
        emit(frames);
        frames->inside = false;
    }
}

/* Takes one byte of a header; a byte that cannot belong to one moves the window on. */
static void header_byte(struct frames *frames, char byte)
{
    frames->header[frames->header_n++] = byte;
    while (frames->header_n && !header_begins_well(frames->header, frames->header_n)) {
        memmove(frames->header, frames->header + 1, --frames->header_n);
        frames->skipped++;
    }
    if (frames->header_n < SHORT_HEADER)
        return;
    bool has_time = frames->header[3] & 2;
    if (frames->header_n == (has_time ? LONG_HEADER : SHORT_HEADER))
        header_done(frames);
}

void frames_feed(struct frames *frames, struct slice bytes)
{
    while (bytes.n) {
        if (!frames->inside) {
            header_byte(frames, bytes.p[0]);
            bytes = slice_sub(bytes, 1, bytes.n);
            continue;
        }
        size_t room = FRAMES_MESSAGE_MAX - frames->message.n;
        size_t take = bytes.n < frames->left ? bytes.n : frames->left;
        take = take < room ? take : room;
        buf_add(&frames->message, bytes.p, take);
        frames->left -= (uint32_t)take;
        bytes = slice_sub(bytes, take, bytes.n);
        if (frames->left == 0 || frames->message.n == FRAMES_MESSAGE_MAX)
            emit(frames);
        frames->inside = frames->left > 0;
        if (!frames->inside && frames->message.cap > 4096)
            buf_free(&frames->message); /* nobody keeps 256 KB for a line that was long once */
    }
}
