/* What belongs to functions beside their versions, and what stands beside functions: a table each
 * (table.h). Rows of a function have the key "account region name", those of a qualifier "account
 * region name qualifier"
 * ("$LATEST" where the API says so); a deleted function takes all of them with it. */
#ifndef LK_RESOURCES_H
#define LK_RESOURCES_H

#include "model/table.h"

struct resources {
    struct tables *tables;
    /* per function */
    struct table *states;      /* store_FunctionState: counts versions */
    struct table *concurrency; /* lambda_Concurrency: reserved */
    struct table *recursion;   /* lambda_GetFunctionRecursionConfigResponse */
    struct table *signing;     /* store_Reference: ARN of the code signing configuration */
    /* per qualifier */
    struct table *aliases;     /* lambda_AliasConfiguration; the qualifier is its name */
    struct table *policies;    /* store_Policy; without a qualifier in the key: the function's */
    struct table *urls;        /* lambda_FunctionUrlConfig; likewise */
    struct table *async;       /* lambda_FunctionEventInvokeConfig */
    struct table *provisioned; /* lambda_ProvisionedConcurrencyConfigListItem: what was asked for */
    struct table *management;  /* lambda_GetRuntimeManagementConfigResponse */
    struct table *scaling;     /* lambda_FunctionScalingConfig */
    /* beside functions; "account region ..." */
    struct table *signing_configs; /* lambda_CodeSigningConfig; id */
    struct table *layers;          /* store_Counter; name */
    struct table *layer_versions;  /* store_LayerVersion; name, version of 10 digits */
    struct table *layer_policies;  /* store_Policy; likewise */
    struct table *tags;            /* lambda_ListTagsResponse; ARN: of all but functions */
};

bool resources_open(struct resources *resources, struct tables *tables, struct err *err) MUST_USE;

/* All rows of a function, or of one qualifier of it ("account region name qualifier"). */
void resources_forget(const struct resources *resources, struct table_write *write,
                      struct slice key);

#endif
