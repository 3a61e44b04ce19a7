/* The strict look at raw lines, before any parser that might be kinder sees them. */
#ifndef LK_HTTP_STRICT_H
#define LK_HTTP_STRICT_H

#include "base/slice.h"

/* A line that ends in CR LF off the front of *rest; false for anything else. */
bool strict_line(struct slice *rest, struct slice *out_line) MUST_USE;

/* token ":" value, without control bytes other than tab; not folded. Value is trimmed. */
bool strict_header(struct slice line, struct slice *out_name, struct slice *out_value) MUST_USE;

/* "METHOD target HTTP/d.d", one blank each. Returns 0 or the status to refuse it with. */
int strict_request_line(struct slice line) MUST_USE;

/* A whole head that ends in CR LF CR LF. Returns 0 or the status to refuse it with. */
int strict_head(struct slice head) MUST_USE;

bool strict_is_token(char c);

#endif
