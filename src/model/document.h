/* One stored document: its JSON, decoded when somebody first asks. Immutable but for that; shared
 * by a table and by the writes under way. Private to src/model. */
#ifndef LK_DOCUMENT_H
#define LK_DOCUMENT_H

#include "aws/shape.h"
#include "base/err.h"

struct document;

struct document *document_new(struct slice json);         /* a copy; one reference */
struct document *document_ref(struct document *document); /* NULL is fine */
void document_unref(struct document *document);           /* NULL is fine */

struct slice document_json(const struct document *document);

/* The shape's generated struct; lives as long as the document. NULL: it is damaged. */
const void *document_value(struct document *document, const struct aws_shape *shape,
                           struct err *err);

#endif
