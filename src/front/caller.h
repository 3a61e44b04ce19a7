/* Who calls, and from which region, as the request itself says (signatures are not checked yet). */
#ifndef LK_FRONT_CALLER_H
#define LK_FRONT_CALLER_H

#include "http/server.h"

struct caller {
    struct slice key;     /* the access key's id; absent if there is none */
    struct slice account; /* an access key of 12 digits is the account; absent otherwise */
    struct slice region;  /* of the credential scope; absent if there is none */
    struct slice service; /* of the credential scope */
};

/* From the Authorization header or the X-Amz-Credential of a presigned request. Slices into it. */
struct caller caller_of(struct http_request *req);

#endif
