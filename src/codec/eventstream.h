/* Messages of application/vnd.amazon.eventstream (dataplane.md 4.7): a prelude of lengths, headers,
 * a payload, and a checksum behind the prelude and behind it all. Pure; headers are strings. */
#ifndef LK_EVENTSTREAM_H
#define LK_EVENTSTREAM_H

#include "base/slice.h"

struct eventstream_header {
    struct slice name;  /* up to 255 bytes */
    struct slice value; /* up to 65535 */
};

enum {
    EVENTSTREAM_FRONT_MAX = 256,
    EVENTSTREAM_HEADERS_MAX = 16,
    EVENTSTREAM_PAYLOAD_MAX = 16 << 20, /* AWS */
};

/* ---- out: front, the payload as it is, and end are the message ---- */

struct eventstream_frame {
    char front[EVENTSTREAM_FRONT_MAX];
    size_t front_n;
    char end[4];
};

/* The headers fit, as they are ours. */
void eventstream_frame(struct eventstream_frame *out, const struct eventstream_header *headers,
                       size_t count, struct slice payload);

/* ---- in ---- */

struct eventstream_message {
    struct eventstream_header headers[EVENTSTREAM_HEADERS_MAX];
    size_t header_count;
    struct slice payload;
    size_t size; /* of all of it */
};

enum eventstream_read {
    EVENTSTREAM_MORE, /* it is not complete yet */
    EVENTSTREAM_MESSAGE,
    EVENTSTREAM_BAD,
};

/* The first message in `in`, which it points into. */
enum eventstream_read eventstream_read(struct slice in, struct eventstream_message *out);
struct slice eventstream_get(const struct eventstream_message *message,
                             struct slice name); /* absent if none */

#endif
