/* Two shapes in which runtimes wrap their error documents (dataplane.md 1.5, 1.6). */
#ifndef LK_ERROR_CAUSE_H
#define LK_ERROR_CAUSE_H

#include "base/buf.h"

/* application/vnd.aws.lambda.error.cause+json: the trace's part is taken out, errorMessage,
 * errorType and stackTrace stay. What cannot be read becomes "Invalid error body". */
void error_cause_strip(struct buf *body);

/* The trailer Lambda-Runtime-Function-Error-Body: base64. What is none leaves `out` empty. */
void error_body_decode(struct buf *out, struct slice encoded);

#endif
