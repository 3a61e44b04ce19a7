/* Embedded neighbours of Lambda. */
#ifndef LK_SERVICES_H
#define LK_SERVICES_H

#include "front/front.h"

struct iam;
struct log_store;
struct tables;

/* What they stand on; borrowed, outlives the front door. */
struct services_context {
    uv_loop_t *loop;
    struct tables *tables; /* each service opens its own */
    struct iam *iam;
    struct log_store *logs;
};

/* Opens what they keep and registers all operations. The context is copied. */
bool services_register(struct front *front, const struct services_context *context,
                       struct err *err) MUST_USE;

#endif
