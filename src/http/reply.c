#include "http/reply.h"

static int on_complete(llhttp_t *llhttp)
{
    struct http_reply *reply = llhttp->data;
    if (llhttp->status_code < 200)
        return 0;
    reply->done = true;
    reply->status = llhttp->status_code;
    reply->keep_alive = llhttp_should_keep_alive(llhttp);
    return HPE_PAUSED;
}

void http_reply_begin(struct http_reply *reply)
{
    static llhttp_settings_t settings;
    if (!settings.on_message_complete) {
        llhttp_settings_init(&settings);
        settings.on_message_complete = on_complete;
    }
    *reply = (struct http_reply){0};
    llhttp_init(&reply->llhttp, HTTP_RESPONSE, &settings);
    reply->llhttp.data = reply;
}

enum http_reply_event http_reply_feed(struct http_reply *reply, struct slice bytes)
{
    llhttp_errno_t got =
        bytes.n ? llhttp_execute(&reply->llhttp, bytes.p, bytes.n) : llhttp_finish(&reply->llhttp);
    if (reply->done)
        return REPLY_DONE;
    return bytes.n && got == HPE_OK ? REPLY_MORE : REPLY_BAD;
}
