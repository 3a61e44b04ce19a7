/* Random identifiers. The bytes come from getrandom(2) in batches, so an id costs no system call.
 */
#ifndef LK_ID_H
#define LK_ID_H

#include "base/slice.h"

enum { ID_UUID_LEN = 36, ID_HEX_LEN = 32 };

void id_random(void *to, size_t n);
void id_uuid(char out[ID_UUID_LEN + 1]); /* version 4, lower case, zero-terminated */
void id_hex(char *out, size_t digits);   /* lower-case hex digits; zero-terminated: out[digits] */
bool id_is_uuid(struct slice s);         /* 8-4-4-4-12 hex digits, either case */

#endif
