/* What IAM keeps: roles, users, groups, managed policies and access keys of each account. IAM is
 * global, so keys have no region. Names differ by more than case, so keys hold them in lower case.
 *
 * The documents are the API's own structs (iam_api.h); src/services changes them, everybody else
 * asks the functions below. */
#ifndef LK_IAM_H
#define LK_IAM_H

#include "iam_api.h"
#include "model/table.h"

struct secret;

struct iam {
    struct tables *tables;
    struct secret *secret;
    struct table *roles;       /* "account name": iam_Entity */
    struct table *users;       /* the same */
    struct table *groups;      /* the same */
    struct table *policies;    /* "account name": iam_ManagedPolicy */
    struct table *attachments; /* "account policy-arn kind/name": iam_Attachment */
    struct table *keys;        /* access key id: iam_Key */
};

/* Opens the tables, at start; `dir` holds the key that secrets are sealed with. NULL and err. */
struct iam *iam_open(struct tables *tables, const char *dir, struct err *err);
void iam_close(struct iam *iam); /* NULL is fine; the tables stay their owner's */

struct slice iam_key(struct arena *arena, struct slice account, struct slice name);

/* arn:aws:iam::ACCOUNT:KIND[/PATH]/NAME: its parts, slices into it. */
struct iam_arn {
    struct slice partition;
    struct slice account;
    struct slice kind; /* "role", "user", "policy", "root" */
    struct slice path; /* "/", "/service-role/" */
    struct slice name;
};
bool iam_arn_parse(struct slice arn, struct iam_arn *out) MUST_USE;

/* The role that has exactly this ARN. Borrowed, as of table_get(); NULL: there is none. */
const struct iam_Role *iam_role_of(const struct iam *iam, struct arena *arena, struct slice arn);

/* Random ids as AWS has them: "AROA" and `n` more of A-Z2-7. */
struct slice iam_id(struct arena *arena, const char *prefix, size_t n);

#endif
