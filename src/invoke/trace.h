/* The X-Ray header of an invocation: "Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0". */
#ifndef LK_TRACE_H
#define LK_TRACE_H

#include "base/slice.h"

enum { TRACE_MAX = 256 };

/* Keeps what the caller sent as far as it is well-formed (controlplane.md fact 125), makes up the
 * rest. Lives in `to`. */
struct slice trace_header(char to[TRACE_MAX], struct slice sent);

#endif
