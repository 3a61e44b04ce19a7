/* Resource policies of functions and layers as documents: statements in their order. Pure. */
#ifndef LK_API_POLICY_H
#define LK_API_POLICY_H

#include "base/arena.h"
#include "store_api.h"

enum { POLICY_MAX = 20480 }; /* AWS: bytes of a whole policy */

/* What a statement says; absent members are left out. */
struct policy_grant {
    struct slice sid;
    struct slice principal; /* as the caller gave it */
    struct slice action;
    struct slice resource;
    struct slice source_arn; /* conditions */
    struct slice source_account;
    struct slice organization;
    struct slice url_auth_type;
    struct slice event_source_token;
    bool via_url_set, via_url;
};

/* Accounts, ARNs of IAM and STS, services, "*" (controlplane.md facts 79 and 83). */
bool policy_knows(struct slice principal);

/* One statement as JSON, as AddPermission answers it. */
struct slice policy_statement(struct arena *arena, const struct policy_grant *grant);

/* The whole policy as JSON, as GetPolicy answers it. */
struct slice policy_render(struct arena *arena, const struct store_Policy *policy);

/* Position of a statement; policy->Statements.n if there is none. NULL policies have none. */
size_t policy_find(const struct store_Policy *policy, struct slice sid);

/* New policies; RevisionId is the caller's to set. `policy` may be NULL for the first statement. */
struct store_Policy *policy_with(struct arena *arena, const struct store_Policy *policy,
                                 struct slice sid, struct slice statement);
struct store_Policy *policy_without(struct arena *arena, const struct store_Policy *policy,
                                    size_t at);

#endif
