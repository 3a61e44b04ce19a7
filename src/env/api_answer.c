#include "env/api_answer.h"

#include <stdio.h>

void api_respond(struct http_request *req, int status, struct slice body)
{
    static const struct http_header json[] = {{S_INIT("Content-Type"), S_INIT("application/json")}};
    http_respond(
        req, &(struct http_response){
                 .status = status, .headers = json, .header_count = body.n ? 1 : 0, .body = body});
}

void api_respond_ok(struct http_request *req)
{
    api_respond(req, 202, S("{\"status\":\"OK\"}\n"));
}

void api_respond_error(struct http_request *req, int status, const char *type, const char *message)
{
    char text[512];
    int n = snprintf(text, sizeof text, "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n", message,
                     type);
    api_respond(req, status, (struct slice){text, (size_t)n});
}
