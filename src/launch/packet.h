/* Whole packets over a SOCK_SEQPACKET pair, with descriptors. Used by the launcher and by init. */
#ifndef LK_LAUNCH_PACKET_H
#define LK_LAUNCH_PACKET_H

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PACKET_FDS_MAX = 12 };

/* False: errno says why; nothing was sent. The descriptors stay the caller's. */
bool packet_send(int socket, const void *p, size_t n, const int *fds, size_t fd_count) MUST_USE;
/* The same, but EAGAIN where the receiver's queue is full. */
bool packet_send_now(int socket, const void *p, size_t n, const int *fds, size_t fd_count) MUST_USE;

/* Size of the packet, 0 at the end, -1 with errno. A packet that was cut off counts as EMSGSIZE.
 * Descriptors come close-on-exec and are the caller's; *fd_count is their number. */
ssize_t packet_receive(int socket, void *p, size_t cap, int fds[PACKET_FDS_MAX], size_t *fd_count);

void packet_close_fds(const int *fds, size_t fd_count);

#endif
