/* One subscriber's way out: events wait in a bounded buffer and go in batches over a connection
 * into the sandbox, which its owner opens (dataplane.md 3.8). By HTTP a batch is a JSON array in
 * one request, over a connection that is kept; any 2xx takes it. By TCP it is a line an event.
 *
 * One batch is under way at a time. It is sent when it has max_items, max_bytes or is timeout_ms
 * old, or by delivery_flush(). Up to 2 x max_bytes wait meanwhile, which is what a body may have;
 * what does not fit is dropped and counted, and so is a batch that was sent five times in vain. The
 * counts follow as platform.logsDropped, if the subscriber wants platform events. */
#ifndef LK_DELIVERY_H
#define LK_DELIVERY_H

#include "base/sm.h"
#include "env/subscription.h"

#include <uv.h>

struct delivery;

/* A connection to that port of the sandbox is wanted: delivery_connected() follows, never before
 * this has returned, or delivery_hang_up(). */
typedef void delivery_connect(void *arg, struct delivery *delivery, uint16_t port);

struct delivery *delivery_new(uv_loop_t *loop, delivery_connect *connect, void *arg);
void delivery_free(struct delivery *delivery); /* what waits is thrown away; NULL is fine */

/* Begins, again after a hang-up or with another subscription. What waits is kept if it has the form
 * that is wanted now. */
void delivery_open(struct delivery *delivery, const struct subscription *subscription);
/* The subscriber's process is gone: nothing is sent until it is opened again, what waits stays. */
void delivery_hang_up(struct delivery *delivery);

/* Its connect(2) has begun; -1: there is none. The descriptor is the delivery's. */
void delivery_connected(struct delivery *delivery, int fd);

void delivery_add(struct delivery *delivery, struct slice event); /* JSON without a newline */
void delivery_flush(struct delivery *delivery);                   /* all that is there, now */
bool delivery_idle(const struct delivery *delivery);              /* nothing waits or is out */

/* The sandbox is frozen, or runs again: no time passes for the subscriber meanwhile. */
void delivery_pause(struct delivery *delivery, bool on);

extern const struct sm_state delivery_states[]; /* docs/states/delivery.md; the last is nameless */

#endif
