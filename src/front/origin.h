/* Whether a web page may call. Without signatures to check, a browser on the same machine would let
 * any page on the internet send requests to lambkin on loopback. Browsers name the page in Origin;
 * AWS's clients never send it. */
#ifndef LK_FRONT_ORIGIN_H
#define LK_FRONT_ORIGIN_H

#include "http/server.h"

/* True without Origin, and for pages of this machine: localhost, names that end in .localhost
 * (RFC 6761: always loopback), 127.0.0.0/8 and [::1], over http or https, at any port. */
bool origin_may_call(const struct http_request *req);

#endif
