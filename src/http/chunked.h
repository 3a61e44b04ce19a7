/* The chunked coding (RFC 9112 7.1), read strictly: sizes are 1 to 15 hex digits followed by CR LF,
 * no extensions, every line ends in CR LF. Cut into pieces or not, the result is the same. */
#ifndef LK_HTTP_CHUNKED_H
#define LK_HTTP_CHUNKED_H

#include "base/buf.h"

enum chunked_event {
    CHUNKED_MORE, /* everything was taken, and more is needed */
    CHUNKED_DATA, /* *out_data is a piece of the body, within what was fed */
    CHUNKED_DONE, /* `trailers` holds the lines after the last chunk, each with its CR LF */
    CHUNKED_BAD,
};

struct chunked {
    struct buf trailers; /* its limit bounds them */
    uint64_t left;       /* state: bytes of this chunk to come, or its size so far */
    unsigned digits;
    size_t line; /* bytes in this line of the trailers */
    unsigned at;
};

void chunked_begin(struct chunked *chunked, size_t trailers_max);
enum chunked_event chunked_feed(struct chunked *chunked, const char *p, size_t n, size_t *used,
                                struct slice *out_data);
/* Bytes of the current chunk that are announced and have not come. */
uint64_t chunked_announced(const struct chunked *chunked);

#endif
