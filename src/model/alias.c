#include "model/alias.h"

#include "lambda_api.h"
#include "model/function.h"

#include <stdio.h>

bool alias_is_name(struct slice qualifier)
{
    uint64_t number = 0;
    return qualifier.n && slice_find(qualifier, '$') == SIZE_MAX && !slice_u64(qualifier, &number);
}

const struct lambda_AliasConfiguration *alias_find(const struct resources *resources,
                                                   struct slice function, struct slice name)
{
    char key[FUNCTION_KEY_MAX];
    int n = snprintf(key, sizeof key, "%.*s %.*s", FMT(function), FMT(name));
    if ((size_t)n >= sizeof key)
        return NULL;
    return table_get(resources->aliases, (struct slice){key, (size_t)n});
}

struct slice alias_pick(const struct lambda_AliasConfiguration *alias, double draw)
{
    const struct lambda_AliasRoutingConfiguration *routing = alias->RoutingConfig;
    if (!routing)
        return alias->FunctionVersion;
    const struct aws_map *weights = &routing->AdditionalVersionWeights;
    for (size_t i = 0; i < weights->n; i++) {
        double weight = ((const struct opt_f64 *)weights->values)[i].v;
        if (draw < weight)
            return weights->keys[i];
        draw -= weight;
    }
    return alias->FunctionVersion;
}
