/* From a request to its service and operation (spec: in this order): the service it was signed for,
 * X-Amz-Target, the Action of a form, method and path. */
#ifndef LK_FRONT_ROUTE_H
#define LK_FRONT_ROUTE_H

#include "aws/codec.h"
#include "http/server.h"

enum { ROUTE_LABELS = 4 }; /* most {Labels} in one URI of a model */

struct route {
    const struct aws_service *service; /* whose protocol the answer speaks */
    const struct aws_operation *op;    /* NULL: the service has no such operation */
    bool form;                         /* which one is said in a form: route_form() */
    struct slice names[ROUTE_LABELS];  /* "FunctionName" */
    struct slice values[ROUTE_LABELS]; /* still percent-encoded */
    size_t labels;
};

/* From the head alone. `scope`: the service of the signature, absent if there is none. False:
 * nobody of these services answers to it. */
bool route_find(const struct http_request *req, struct slice scope, struct route *out);

/* Once the body is there: which operation (and which service, if the head did not say) a form asks
 * for. False: none of ours; the fault says why in the Query protocol's words. */
bool route_form(struct slice form, struct arena *arena, struct route *route,
                struct aws_fault *fault) MUST_USE;

bool route_is_form(const struct http_request *req); /* by its Content-Type */

#endif
