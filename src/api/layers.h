/* Layers as other operations need them. Private to src/api. */
#ifndef LK_API_LAYERS_H
#define LK_API_LAYERS_H

#include "api/internal.h"

struct layer_name {
    struct slice account;
    struct slice region;
    struct slice name;
    int64_t version; /* 0: none was given */
};

bool layer_parse(const struct call *call, struct slice given, struct layer_name *out);
struct slice layer_key(const struct call *call, const struct layer_name *layer);
struct slice layer_arn(const struct call *call, const struct layer_name *layer);
const struct store_LayerVersion *layer_find(const struct resources *resources,
                                            const struct call *call,
                                            const struct layer_name *layer);

#endif
