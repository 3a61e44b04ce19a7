/* Where the next page of a list begins, as callers of Lambda see it: opaque, and refused unless
 * this operation gave it out. Handlers read and write plain keys; front unwraps and wraps them. */
#ifndef LK_FRONT_MARKER_H
#define LK_FRONT_MARKER_H

#include "aws/shape.h"
#include "base/arena.h"

/* Replaces the Marker in an operation's input, if it has one. False: nobody gave that out. */
bool marker_unwrap(const struct aws_operation *op, void *input, struct arena *arena);

/* The output with its NextMarker wrapped, a copy in the arena; itself if there is none. */
const void *marker_wrap(const struct aws_operation *op, const void *output, struct arena *arena);

#endif
