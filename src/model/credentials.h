/* Access keys that lambkin gave out, and whose they are: long ones of users (AKIA..., in IAM's
 * table) and session keys (ASIA...), which nothing is stored for. Their session token holds what
 * they stand for, sealed with the key of the data folder, so they live through a restart and cost
 * no write.
 *
 * Any other key is nobody's here. Each key id holds its account as AWS's do (GetAccessKeyInfo). */
#ifndef LK_CREDENTIALS_H
#define LK_CREDENTIALS_H

#include "base/arena.h"
#include "base/err.h"

struct iam;

enum principal_kind { PRINCIPAL_ROOT, PRINCIPAL_USER, PRINCIPAL_ROLE };

/* Who calls. */
struct principal {
    enum principal_kind kind;
    struct slice account; /* whose resources are meant where a request names none */
    struct slice arn; /* arn:aws:iam::A:root, :user/PATH/NAME, arn:aws:sts::A:assumed-role/R/S */
    struct slice user_id;   /* the account, AIDA..., AROA...:SESSION */
    struct slice user_name; /* PRINCIPAL_USER */
    bool session;           /* by temporary credentials */
    bool expired;
    bool inactive; /* by a long key that is switched off */
};

struct session_keys {
    struct slice access_key_id;
    struct slice secret_access_key;
    struct slice session_token;
};

/* Whose key it is; `token` is absent for long ones. False: nobody's, or the token is another's. */
bool credentials_find(const struct iam *iam, struct arena *arena, struct slice key,
                      struct slice token, struct principal *out) MUST_USE;

/* New keys that stand for this principal until then (Unix milliseconds). */
struct session_keys credentials_issue(const struct iam *iam, struct arena *arena,
                                      const struct principal *principal, uint64_t expires_ms);

/* Those of one environment: assumed-role/ROLE/FUNCTION of the execution role, which need not exist
 * (controlplane.md fact 121). They address the function's own account. Different at each call.
 * False if `role_arn` is none of a role. */
bool credentials_for_function(const struct iam *iam, struct arena *arena, struct slice role_arn,
                              struct slice account, struct slice function, uint64_t expires_ms,
                              struct session_keys *out) MUST_USE;

/* The root of an account. */
struct principal credentials_root(struct arena *arena, struct slice account);

/* A session of a role, which is called by its own id if it exists. */
struct principal credentials_role(const struct iam *iam, struct arena *arena, struct slice role_arn,
                                  struct slice account, struct slice session);

/* New key ids and secrets. */
struct slice credentials_key_id(struct arena *arena, const char *prefix, struct slice account);
struct slice credentials_secret(struct arena *arena);

/* The account that is written in a key id; absent: there is none. */
struct slice credentials_account_of(struct arena *arena, struct slice key_id);

#endif
