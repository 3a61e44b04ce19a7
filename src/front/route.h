/* From method, path and target header to an operation. */
#ifndef LK_FRONT_ROUTE_H
#define LK_FRONT_ROUTE_H

#include "aws/shape.h"
#include "http/server.h"

enum { ROUTE_LABELS = 4 }; /* most {Labels} in one URI of a model */

struct route {
    const struct aws_service *service; /* whose protocol the answer speaks */
    const struct aws_operation *op;    /* NULL: the service has no such operation */
    struct slice names[ROUTE_LABELS];  /* "FunctionName" */
    struct slice values[ROUTE_LABELS]; /* still percent-encoded */
    size_t labels;
};

/* All that are routed to. */
const struct aws_service *const *route_services(size_t *out_count);

/* False: nobody of these services answers to it. */
bool route_find(const struct http_request *req, struct route *out);

#endif
