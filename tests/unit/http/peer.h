/* A client that shares the loop with the server under test, and waits for events, not for time. */
#ifndef LK_HTTP_PEER_H
#define LK_HTTP_PEER_H

#include "base/buf.h"

#include <uv.h>

struct peer {
    int fd;
    uv_poll_t poll;
    struct buf got;
    bool ended;   /* the server closed; got is complete */
    bool reset;   /* and it was a reset */
    bool stalled; /* does not read */
};

void peer_open(struct peer *peer, uv_loop_t *loop, uint16_t port);
void peer_close(struct peer *peer);
void peer_stall(struct peer *peer);
void peer_read_on(struct peer *peer);
/* Sends all of it, turning the loop while the socket is full. */
void peer_send(struct peer *peer, struct slice bytes);
void peer_end(struct peer *peer); /* FIN */

/* Turns the loop until *what is not 0 (or at least n), fails the test after 20 s. */
void turn_until(uv_loop_t *loop, const size_t *what, size_t n);
void turn_until_got(struct peer *peer, size_t n);
void turn_until_ended(struct peer *peer);
/* Turns it as long as something is ready now. */
void turn_while_busy(uv_loop_t *loop);

/* Cuts the next answer off peer->got: its status, and head and body if asked for. Turns the loop
 * until it is there. */
int peer_answer(struct peer *peer, struct buf *head, struct buf *body);

#endif
