/* The Query protocol of AWS's older services: requests are forms, answers are XML.
 *
 * A form names each member by its path: RoleName=x, Tags.member.2.Key=x (lists count from 1, in any
 * order), Attributes.entry.1.key=x and .value=y (maps), Outer.Inner=x (structures). */
#ifndef LK_AWS_QUERY_H
#define LK_AWS_QUERY_H

#include "aws/codec.h"

enum { QUERY_PAIRS_MAX = 10000 };

/* The members of a structure out of a form; not validated. */
bool aws_query_decode(const struct aws_shape *shape, struct slice form, struct arena *arena,
                      void *to, struct aws_fault *fault) MUST_USE;

/* <ActionResponse><ActionResult>...; no result element if the operation has no output. */
void aws_query_answer(const struct aws_operation *op, const void *output, struct slice request_id,
                      struct buf *out);

/* <ErrorResponse>...; `service` NULL: of nobody's namespace. */
void aws_query_error(const struct aws_service *service, const char *code, int status,
                     struct slice message, struct slice request_id, struct buf *out);

/* Text between tags; what XML cannot hold becomes U+FFFD. */
void aws_xml_text(struct buf *out, struct slice text);

#endif
