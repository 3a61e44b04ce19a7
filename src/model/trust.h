/* Whom a role's trust policy lets assume it. */
#ifndef LK_TRUST_H
#define LK_TRUST_H

#include "base/slice.h"

/* Some statement allows the service ("lambda.amazonaws.com") sts:AssumeRole and none denies it;
 * conditions are not looked at. False for a document that is none. */
bool trust_allows_service(struct slice document, struct slice service);

#endif
