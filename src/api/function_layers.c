/* The layers that a function asks for (controlplane.md fact 97). */
#include "api/layers.h"

static const struct store_LayerVersion *find(struct call *call, struct slice arn,
                                             struct layer_name *layer)
{
    const struct store_LayerVersion *version = NULL;
    if (layer_parse(call, arn, layer) && layer->version > 0)
        version = layer_find(api_resources(call), call, layer);
    if (!slice_eq(layer->account, call->account) && !version) {
        call_fail(call, "AccessDeniedException",
                  "User: arn:aws:iam::%.*s:root is not authorized to perform: "
                  "lambda:GetLayerVersion on resource: %.*s because no resource-based policy "
                  "allows the lambda:GetLayerVersion action",
                  FMT(call->account), FMT(arn));
    } else if (!slice_eq(layer->region, call->region)) {
        call_fail(call, "InvalidParameterValueException",
                  "Layers are not in the same region as the function. Layers are expected to be "
                  "in region %.*s.",
                  FMT(call->region));
        version = NULL;
    } else if (!version) {
        call_fail(call, "InvalidParameterValueException", "Layer version %.*s does not exist.",
                  FMT(arn));
    }
    return version;
}

/* Two versions of one layer, or one twice. */
static bool comes_again(struct call *call, const struct aws_list *arns,
                        const struct layer_name *layers, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (!slice_eq(layers[i].name, layers[at].name) ||
            !slice_eq(layers[i].account, layers[at].account))
            continue;
        call_fail(call, "InvalidParameterValueException",
                  "Two different versions of the same layer are not allowed to be referenced in "
                  "the same function. %.*s and %.*s are versions of the same layer.",
                  FMT(*AWS_ITEM(*arns, struct slice, i)), FMT(*AWS_ITEM(*arns, struct slice, at)));
        return true;
    }
    return false;
}

bool layers_find(struct call *call, const struct aws_list *arns, struct layers *out)
{
    struct layer_name names[COUNT_OF(out->digests)];
    *out = (struct layers){.n = 0};
    if (arns->n > COUNT_OF(out->digests)) {
        call_fail(call, "InvalidParameterValueException", "Cannot reference more than 5 layers.");
        return false;
    }
    struct lambda_Layer *shown = arena_array(call->arena, COUNT_OF(out->digests), sizeof *shown);
    for (size_t i = 0; i < arns->n; i++) {
        struct slice arn = *AWS_ITEM(*arns, struct slice, i);
        const struct store_LayerVersion *version = find(call, arn, &names[i]);
        if (!version || comes_again(call, arns, names, i))
            return false;
        shown[i] = (struct lambda_Layer){.Arn = arn, .CodeSize = version->CodeSize};
        out->digests[i] = arena_dup(call->arena, version->Code);
    }
    out->n = arns->n;
    if (out->n)
        out->shown = aws_list_of(call->arena, shown, out->n, sizeof *shown);
    return true;
}

struct slice layers_under(const struct call *call, struct slice digest, const struct layers *layers)
{
    struct slice made_of = digest;
    for (size_t i = 0; i < layers->n; i++)
        made_of = arena_printf(call->arena, "%.*s %.*s", FMT(made_of), FMT(layers->digests[i]));
    return made_of;
}
