/* An answer on its way in pieces (dataplane.md 1.6): from the runtime's post to whoever invoked it,
 * no faster than they take it and than the settings allow. Holds no bytes: while it waits, the
 * runtime is not read from, and in the end the function waits in its write. */
#ifndef LK_STREAM_H
#define LK_STREAM_H

#include "env/pool.h"
#include "env/runtime_api.h"

struct stream;

/* Tells inv->stream that it begins. Lives until stream_free(), which lets go of all it was given.
 */
struct stream *stream_new(uv_loop_t *loop, const struct env_settings *settings,
                          struct runtime_api *api, struct invocation *inv,
                          struct slice content_type);
void stream_free(struct stream *stream); /* NULL is fine */

void stream_piece(struct stream *stream, struct slice bytes);
uint64_t stream_bytes(const struct stream *stream); /* so far; NULL: 0 */

#endif
