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

/* The layers of a function, looked up. */
struct layers {
    struct aws_list shown;   /* of lambda_Layer, as a configuration has them; absent: none */
    struct slice digests[5]; /* AWS: five layers a function */
    size_t n;
};

/* False: answered (controlplane.md fact 97). */
bool layers_find(struct call *call, const struct aws_list *arns, struct layers *out);
struct slice layers_under(const struct call *call, struct slice digest,
                          const struct layers *layers); /* struct function's made_of */

bool layer_parse(const struct call *call, struct slice given, struct layer_name *out);

/* Only the owner changes a layer and its policy, or sees all of it. False: answered. */
bool layer_is_own(struct call *call, const struct layer_name *layer);

struct slice layer_key(const struct call *call, const struct layer_name *layer);
struct slice layer_arn(const struct call *call, const struct layer_name *layer);
const struct store_LayerVersion *layer_find(const struct resources *resources,
                                            const struct call *call,
                                            const struct layer_name *layer);

#endif
