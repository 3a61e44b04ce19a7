#include "api/internal.h"

#include "base/log.h"

#include <errno.h>

void api_fault(struct call *call, const struct aws_fault *fault)
{
    call_fail(call, fault->code, "%.*s", FMT(fault->message));
}

void api_store_failed(struct call *call, const struct err *err)
{
    if (err->os != ENOSPC && err->os != EDQUOT && err->os != EFBIG) {
        call_fail_err(call, err);
        return;
    }
    log_error("store.full", "request=%s err=%s", call->request_id, err->msg);
    call_fail(call, "ServiceException",
              "The disk that holds lambkin's data is full. Nothing was changed.");
}
