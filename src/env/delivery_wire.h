/* One connection to a subscriber: sends a batch and says what came of it. */
#ifndef LK_DELIVERY_WIRE_H
#define LK_DELIVERY_WIRE_H

#include "env/subscription.h"

#include <uv.h>

struct delivery_wire;

enum delivery_wire_end {
    WIRE_TAKEN,      /* the next batch may follow */
    WIRE_TAKEN_LAST, /* the subscriber wants a new connection for the next one */
    WIRE_FAILED,     /* also while no batch is out: the subscriber has closed it */
};

/* From the loop, never from within a call; the wire is closed by its owner only. */
typedef void delivery_wire_done(void *arg, enum delivery_wire_end end);

/* The descriptor, whose connect(2) may not have ended, becomes the wire's. */
struct delivery_wire *delivery_wire_new(uv_loop_t *loop, int fd, delivery_wire_done *done,
                                        void *arg);
void delivery_wire_close(struct delivery_wire *wire); /* NULL is fine */

/* The body stays the caller's, until done or closed. */
void delivery_wire_send(struct delivery_wire *wire, const struct subscription *how,
                        struct slice body);

/* While it is on nothing is sent, read or said, and nothing is missed: it is all there later. */
void delivery_wire_pause(struct delivery_wire *wire, bool on);

#endif
