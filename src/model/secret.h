/* Secrets at rest: AES-256-GCM with the key in DIR/secret.key (0600, made at first use). */
#ifndef LK_SECRET_H
#define LK_SECRET_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct secret;

struct secret *secret_open(const char *dir, struct err *err);
void secret_free(struct secret *secret); /* wipes the key; NULL is fine */

/* Text for a column. `owner` is bound in: what is sealed for one opens for no other. */
struct slice secret_seal(const struct secret *secret, struct arena *arena, struct slice owner,
                         struct slice plain);
bool secret_unseal(const struct secret *secret, struct arena *arena, struct slice owner,
                   struct slice sealed, struct slice *out_plain, struct err *err) MUST_USE;

#endif
