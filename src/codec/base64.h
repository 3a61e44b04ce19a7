/* Base64 with the standard alphabet and padding (RFC 4648). */
#ifndef LK_BASE64_H
#define LK_BASE64_H

#include "base/buf.h"

size_t base64_length(size_t n); /* characters that n bytes become */
bool base64_encode(struct buf *out, struct slice bytes);

/* Strict: no blanks, padding where it belongs, no stray bits. False leaves `out` as it was. */
bool base64_decode(struct buf *out, struct slice text) MUST_USE;

#endif
