/* Unpacks zips inside sandboxes that see nothing but the zips and their targets. Small ones of the
 * same owner share one when many come at a time: making a sandbox is most of the work then. What
 * goes wrong in such a batch is tried again one by one, so nobody pays for somebody else's zip. */
#ifndef LK_UNPACK_H
#define LK_UNPACK_H

#include "env/pool.h"

struct launcher;
struct unpacker;

struct unpacker *unpacker_new(uv_loop_t *loop, struct launcher *launcher,
                              const struct env_settings *settings);
void unpacker_free(struct unpacker *unpacker); /* jobs under way fail now; NULL is fine */
void unpacker_run(struct unpacker *unpacker, const struct pool_zip *zip, pool_unpacked *done,
                  void *arg);

#endif
