/* The grammar of policy documents, in IAM's words for what is wrong (events.md 4.3). */
#ifndef LK_IAM_DOCUMENT_H
#define LK_IAM_DOCUMENT_H

#include "base/arena.h"

enum iam_document {
    IAM_IDENTITY_POLICY, /* of a role, user, group or on its own: resources, no principals */
    IAM_TRUST_POLICY,    /* who may assume a role: principals, no resources */
};

/* What MalformedPolicyDocument says (in the arena, or a literal); absent: it is good. */
struct slice iam_document_fault(struct slice text, enum iam_document kind, struct arena *arena);

size_t iam_document_size(struct slice text); /* without white space, as quotas count */

/* Percent-encoded, as IAM's answers have documents. */
struct slice iam_document_encode(struct arena *arena, struct slice text);

#endif
