/* Invoke and InvokeWithResponseStream: checks in Lambda's order, admission, an environment, the
 * answer.
 *
 * A warm call touches no database, no lock, no thread and no other process than the function's; its
 * payload is moved, not copied. It takes seven system calls: epoll_wait, read the request, write
 * the event; epoll_wait, read response and poll (one write of the runtime's), write the answer,
 * write 202. */
#ifndef LK_INVOKE_H
#define LK_INVOKE_H

#include "env/pool.h"
#include "front/call.h"

struct invoker;

struct invoker *invoker_new(struct pool *pool, const struct functions *functions,
                            const struct env_settings *settings);
void invoker_free(struct invoker *invoker); /* after pool_free(); NULL is fine */

/* The handlers of lambda's operations; registered with the invoker as context. */
void invoke_handle(struct call *call);
void invoke_stream_handle(struct call *call);

#endif
