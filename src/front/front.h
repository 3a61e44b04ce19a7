/* The door: which service, which operation, who is calling, may they -> the operation's handler. */
#ifndef LK_FRONT_H
#define LK_FRONT_H

#include "base/buf.h"
#include "front/call.h"

struct front;
struct iam;

struct front_config {
    const char *host;     /* "127.0.0.1" */
    uint16_t port;        /* 0 = any */
    struct slice region;  /* default where the request's credential scope names none: "us-east-1" */
    struct slice account; /* default unless the access key is itself 12 digits: "000000000000" */
    const struct http_limits *limits; /* NULL = http_limits_public */
    const struct iam *iam;            /* whose keys tell callers; NULL: nobody's */
};

struct front *front_new(uv_loop_t *loop, const struct front_config *config, struct err *err);
void front_free(struct front *front);
/* For servers of other listeners, with the front as `arg`: environments' own (pool_set_endpoint).
 */
extern const struct http_handler front_http_handler;
uint16_t front_port(const struct front *front);
/* Before the end: see http_server_drain(). */
bool front_drain(struct front *front);

/* Operations without a handler answer "not implemented" in their protocol's own form. */
void front_handle(struct front *front, const struct aws_operation *op, call_handler *handler,
                  void *context);

/* For an operation without a handler: what its service would say is wrong with the request comes
 * before "not implemented". True: nothing; false: it has answered. */
typedef bool call_check(struct call *call);
void front_check(struct front *front, const struct aws_operation *op, call_check *check,
                 void *context);

/* Which operations have a handler, as JSON: {"lambda":["CreateFunction",...],"logs":[...]}. */
void front_print_handled(const struct front *front, struct buf *out);

/* Paths outside every API (GET /_lambkin/health, code downloads), before API routing: exactly this
 * one, or all below one that ends in a slash. The call has op NULL and input NULL; handlers answer
 * by call_raw() or call_fail(). */
void front_handle_path(struct front *front, const char *method, const char *path,
                       call_handler *handler, void *context);

/* Requests to function URLs, which their Host tells (ID.lambda-url.REGION.on.aws, or another domain
 * of one's own behind it), whatever method and path; otherwise as front_handle_path(). */
void front_handle_urls(struct front *front, call_handler *handler, void *context);

#endif
