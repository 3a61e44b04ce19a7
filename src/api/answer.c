#include "api/internal.h"

#include "base/log.h"

#include <errno.h>

void api_fault(struct call *call, const struct aws_fault *fault)
{
    call_fail(call, fault->code, "%.*s", FMT(fault->message));
}

void api_fail_untyped(struct call *call, const char *code, struct slice message)
{
    const struct aws_error_row *row = aws_error_find(&lambda_service, code);
    AUTO(buf) struct buf body = BUF_INIT(16384);
    const struct http_header headers[] = {
        {S("Content-Type"), S("application/json")},
        {S("x-amzn-ErrorType"), slice_str(code)},
    };
    buf_printf(&body, "{\"%s\":", row->message_member);
    aws_json_string(&body, message);
    buf_char(&body, '}');
    call_raw(call, row->status, headers, COUNT_OF(headers), buf_all(&body));
}

/* AWS says nothing to strangers. */
void api_deny(struct call *call)
{
    static const struct http_header headers[] = {
        {S_INIT("Content-Type"), S_INIT("application/json")},
        {S_INIT("x-amzn-ErrorType"), S_INIT("AccessDeniedException")},
    };
    call_raw(call, 403, headers, COUNT_OF(headers), S("{\"Message\":null}"));
}

void api_not_built(struct call *call, const char *what)
{
    call_fail(call, "NotImplementedException", "Not implemented by lambkin yet: %s", what);
}

void api_changed(void *arg, const struct function *now, const struct function *version,
                 const struct err *err)
{
    struct call *call = arg;
    if (err)
        api_store_failed(call, err);
    else
        call_ok(call, 204, NULL);
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
