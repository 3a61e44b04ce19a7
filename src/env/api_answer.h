/* Answers of a sandbox's own APIs, in the shapes that AWS's core has (dataplane.md 1.8). */
#ifndef LK_API_ANSWER_H
#define LK_API_ANSWER_H

#include "http/server.h"

/* The body is JSON; an empty one has no type. */
void api_respond(struct http_request *req, int status, struct slice body);
void api_respond_ok(struct http_request *req); /* 202 {"status":"OK"} */
/* {"errorMessage":...,"errorType":...}; both as JSON has them between its quotes. */
void api_respond_error(struct http_request *req, int status, const char *type, const char *message);

#endif
