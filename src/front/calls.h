/* The life of calls, as the front door sees it. Private to src/front; handlers use call.h. */
#ifndef LK_FRONT_CALLS_H
#define LK_FRONT_CALLS_H

#include "front/call.h"

struct calls;

struct calls *calls_new(void);
/* Calls that are not answered yet live on and are freed by their answer. */
void calls_free(struct calls *calls);

/* A call for this request, with a fresh request id and the request's body. */
struct call *calls_take(struct calls *calls, struct http_request *req);
void calls_client_gone(struct http_request *req);
void calls_drained(struct http_request *req);

#endif
