/* Packets that carry descriptors, over a SOCK_SEQPACKET socket. Never blocks: wait with uv_poll. */
#ifndef LK_FDPASS_H
#define LK_FDPASS_H

#include "base/slice.h"

enum { FDPASS_MAX = 8 }; /* descriptors in one packet */

enum fdpass {
    FDPASS_DONE,
    FDPASS_WAIT,   /* the socket is full or empty: poll and try again */
    FDPASS_END,    /* the peer has closed its end */
    FDPASS_CUT,    /* received: more bytes or descriptors than there was room for; all dropped */
    FDPASS_FAILED, /* errno says why */
};

/* The descriptors stay the caller's. */
enum fdpass fdpass_send(int socket, struct slice packet, const int *fds, size_t fd_count);

/* One packet of up to `max` bytes. The descriptors are close-on-exec, and the caller's from now on.
 * The results are written only with FDPASS_DONE. */
enum fdpass fdpass_receive(int socket, void *packet, size_t max, size_t *out_n,
                           int out_fds[FDPASS_MAX], size_t *out_fd_count);

#endif
