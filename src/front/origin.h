/* Whether a web page may call. Without signatures to check, a browser on the same machine would let
 * any page on the internet send requests to lambkin on loopback. Browsers name the page in Origin;
 * AWS's clients never send it. */
#ifndef LK_FRONT_ORIGIN_H
#define LK_FRONT_ORIGIN_H

#include "http/server.h"

/* True without Origin, and for pages of this machine: localhost, names that end in .localhost
 * (RFC 6761: always loopback), 127.0.0.0/8 and [::1], over http or https, at any port. */
bool origin_may_call(const struct http_request *req);

/* Whether lambkin may be called by the name in Host. A page's own name can be made to lead to
 * loopback (DNS rebinding), and then a browser sends no Origin when the page reads. True for
 * addresses, for what no page's name can be in the public DNS (one label; .localhost, .local,
 * .internal and .test), for names of AWS, and without Host. */
bool origin_is_addressed(const struct http_request *req);

#endif
