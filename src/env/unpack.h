/* Unpacks zips, each in a sandbox of its own that sees nothing but the zip and its target. */
#ifndef LK_UNPACK_H
#define LK_UNPACK_H

#include "env/pool.h"

struct launcher;
struct unpacker;

struct unpacker *unpacker_new(uv_loop_t *loop, struct launcher *launcher,
                              const struct env_settings *settings);
void unpacker_free(struct unpacker *unpacker); /* jobs under way fail now; NULL is fine */
void unpacker_run(struct unpacker *unpacker, const char *digest, int zip_fd, pool_unpacked *done,
                  void *arg);

#endif
