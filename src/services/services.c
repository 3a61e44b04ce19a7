#include "services/internal.h"

bool services_register(struct front *front, const struct services_context *context, struct err *err)
{
    (void)err;
    iam_register(front, context->iam);
    sts_register(front, context->iam);
    logs_register(front, context->logs);
    return true;
}
