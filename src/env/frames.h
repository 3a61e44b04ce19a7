/* The framed log pipe (dataplane.md 3.6): type, length, time, message. One frame is one log event,
 * whatever bytes it holds. The writer is the function, so every header is checked; what is no frame
 * is skipped up to the next thing that looks like one. */
#ifndef LK_FRAMES_H
#define LK_FRAMES_H

#include "base/buf.h"

enum { FRAMES_MESSAGE_MAX = 262118 }; /* 256 KB - 26; longer messages arrive in pieces */

enum frame_level { /* as in the frame's type */
                   FRAME_UNSPECIFIED,
                   FRAME_TRACE,
                   FRAME_DEBUG,
                   FRAME_INFO,
                   FRAME_WARN,
                   FRAME_ERROR,
                   FRAME_FATAL,
};

struct frame {
    enum frame_level level;
    bool json;
    uint64_t time_us; /* Unix; 0 = the frame has none */
    struct slice message;
};

typedef void frames_got(void *arg, const struct frame *frame);

struct frames {
    frames_got *got; /* configuration */
    void *arg;
    char header[16]; /* state */
    size_t header_n;
    struct frame frame; /* the one being read, once its header is complete */
    uint32_t left;      /* bytes of its message still to come */
    bool inside;
    struct buf message;
    uint64_t skipped; /* bytes that belonged to no frame */
};

void frames_init(struct frames *frames, frames_got *got, void *arg);
void frames_feed(struct frames *frames, struct slice bytes);
void frames_reset(struct frames *frames); /* the writer is gone: half a frame is thrown away */

#endif
