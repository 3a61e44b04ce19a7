/* Which function a call names: what all operations refuse alike. */
#ifndef LK_FRONT_ADDRESSED_H
#define LK_FRONT_ADDRESSED_H

#include "aws/target.h"
#include "front/call.h"

enum addressed {
    ADDRESSED_OK,
    ADDRESSED_REFUSED,  /* the call is answered */
    ADDRESSED_BAD_NAME, /* for the operation to answer: each has words of its own */
    ADDRESSED_FOREIGN,  /* of another account; likewise */
};

enum addressed call_addressed(struct call *call, struct slice name, struct slice qualifier,
                              struct target *out);

#endif
