/* CRC-32 as in zlib, gzip and Ethernet. Pure. */
#ifndef LK_CRC32_H
#define LK_CRC32_H

#include "base/slice.h"

/* Of what was counted before (0 at first) and of s behind it. */
uint32_t crc32_add(uint32_t before, struct slice s);

#endif
