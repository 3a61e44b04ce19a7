#include "front/addressed.h"

enum addressed call_addressed(struct call *call, struct slice name, struct slice qualifier,
                              struct target *out)
{
    switch (target_parse(name, qualifier, call->account, call->region, out)) {
    case TARGET_OK:
        return slice_eq(out->account, call->account) ? ADDRESSED_OK : ADDRESSED_FOREIGN;
    case TARGET_REGION:
        call_fail(call, "ResourceNotFoundException",
                  "Functions from '%.*s' are not reachable in this region ('%.*s')",
                  FMT(out->region), FMT(call->region));
        return ADDRESSED_REFUSED;
    case TARGET_CONFLICT:
        call_fail(call, "InvalidParameterValueException",
                  "The derived qualifier from the function name does not match the specified "
                  "qualifier.");
        return ADDRESSED_REFUSED;
    case TARGET_BAD_NAME:
        break;
    }
    return ADDRESSED_BAD_NAME;
}
