/* One API call: who asks for what, decoded and checked, on its way to the function that answers it.
 *
 * The front door makes it (route, caller, region, decoded input); the operation answers exactly
 * once, now or later, by call_ok(), call_fail() or call_raw(), after which the call is gone. If the
 * client goes away first, the call lives on until it is answered; the answer is then thrown away.
 */
#ifndef LK_FRONT_CALL_H
#define LK_FRONT_CALL_H

#include "aws/value.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "http/server.h"

struct aws_operation;
struct aws_service;
struct principal;

struct call {
    uint32_t magic;
    const struct aws_operation *op;
    const struct aws_service *service; /* whose form errors have; NULL: Lambda's */
    const void *input;                 /* struct <service>_<Op>Request of the operation; in arena */
    struct slice account;              /* 12 digits */
    struct slice region;               /* "us-east-1" */
    const struct principal *caller; /* whose key it is (model/credentials.h); NULL: nobody's, taken
                                       for the account's root */
    char request_id[ID_UUID_LEN + 1]; /* x-amzn-RequestId; also the function's request id */
    struct http_request *http;        /* NULL once the client is gone */
    struct arena *arena;              /* lives as long as the call */
    struct slice warning; /* one line for people, sent as x-lambkin-warning; absent: none */
    struct buf body;      /* raw body; owned, may be taken (Invoke's payload) */
    void *context;        /* what the operation was registered with */
    void (*on_client_gone)(struct call *call); /* may be set by a handler that wants to know */
    void (*on_drained)(struct call *call);     /* must be set by one that streams */
    void *user;                                /* the handler's */
};

typedef void call_handler(struct call *call);

/* Encodes `output` (the operation's output struct; NULL for none) by the operation's table and
 * answers with the modelled status, or with `status` if that is not 0 (PublishVersion-like cases,
 * DryRun's 204). */
void call_ok(struct call *call, int status, const void *output);

/* AWS's error: "ResourceNotFoundException" and its text. The generated tables know the HTTP status,
 * whether the member is called Message or message, and whether Type is sent (controlplane.md facts
 * 1-3). Unmodelled codes too (ValidationException, AccessDeniedException,
 * RequestEntityTooLargeException, ...). */
void call_fail(struct call *call, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
void call_fail_err(struct call *call,
                   const struct err *err); /* fault -> code; INTERNAL hides the text and logs it */

/* For bodies that no table describes: Invoke's result, the code download. Adds the standard headers
 * (x-amzn-RequestId, ...) to the given ones. */
void call_raw(struct call *call, int status, const struct http_header *headers, size_t header_count,
              struct slice body);
void call_file(struct call *call, const struct http_header *headers, size_t header_count,
               const struct http_file *file); /* 200 */

/* An answer in pieces instead, as http_stream_begin() and its like (http/server.h): the call lives
 * until call_stream_end(). Once the client is gone, pieces are thrown away and never too many. */
void call_stream_begin(struct call *call, int status, const struct http_header *headers,
                       size_t header_count);
bool call_stream_write(struct call *call, const struct slice *parts, size_t count);
void call_stream_end(struct call *call);

#endif
