/* Content-addressed files: BLOBS/<hex SHA-256>. Written beside, synced, renamed; hashing and disk
 * work happen on libuv's worker threads. Who uses which blob is not known here. */
#ifndef LK_BLOB_H
#define LK_BLOB_H

#include "base/buf.h"
#include "base/err.h"

#include <uv.h>

enum { BLOB_DIGEST_LEN = 64 };

struct blobs;
struct blob_put;

/* Makes the folder if needed and removes what an earlier life left half-written. */
struct blobs *blobs_open(uv_loop_t *loop, const char *dir, struct err *err);
void blobs_stop(struct blobs *blobs);  /* no callback comes from here on */
void blobs_close(struct blobs *blobs); /* NULL is fine; stops, and runs the loop to the last work */

/* A blob comes in two steps, so that the caller can note its digest as used before the file has
 * its name: otherwise blob_forget() of the same content could slip in between.
 *
 *   1. blob_write(): hashes the bytes, which stay the caller's until `done`, and writes a file
 * beside.
 *   2. blob_keep(): gives it its name for good; or blob_drop(). Each consumes the put.
 *
 * digest: BLOB_DIGEST_LEN hex digits, zero-terminated. After a failed blob_write() there is nothing
 * to keep or drop. */
typedef void blob_written(void *arg, struct blob_put *put, const char *digest,
                          const struct err *err);
void blob_write(struct blobs *blobs, struct slice bytes, blob_written *done, void *arg);
int blob_fd(const struct blob_put *put); /* read-only; stays the put's */
typedef void blob_kept(void *arg, const struct err *err);
void blob_keep(struct blob_put *put, blob_kept *done, void *arg);
void blob_drop(struct blob_put *put); /* NULL is fine */

/* -1 on failure; FAULT_NOT_FOUND: there is none. */
int blob_open(struct blobs *blobs, const char *digest, uint64_t *out_size, struct err *err);

/* Gone when this returns; the space is given back by a worker. */
void blob_forget(struct blobs *blobs, const char *digest);

/* At start: forgets every blob for which `used` says no. */
typedef bool blob_used(void *arg, const char *digest);
void blobs_sweep(struct blobs *blobs, blob_used *used, void *arg);

bool blob_is_digest(struct slice s);
void blob_digest(struct slice bytes, char out[BLOB_DIGEST_LEN + 1]); /* on the spot */

#endif
