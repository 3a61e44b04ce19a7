/* What the files of IAM share; STS uses the check of documents, too. Private to src/services. */
#ifndef LK_SERVICES_IAM_H
#define LK_SERVICES_IAM_H

#include "front/front.h"
#include "model/credentials.h"
#include "model/iam.h"
#include "services/iam_document.h"

/* ---- who and what ---- */

struct principal services_caller(const struct call *call); /* the account's root if unknown */

enum { IAM_ID_LETTERS = 17 }; /* of AROA..., AIDA..., ANPA..., AGPA... */

enum iam_kind { IAM_ROLE, IAM_USER, IAM_GROUP };

struct table *iam_table(const struct iam *iam, enum iam_kind kind);
const char *iam_word(enum iam_kind kind); /* "role" */

/* Of the caller's account. NULL: NoSuchEntity has been answered. Borrowed. */
const struct iam_Entity *iam_find(struct call *call, enum iam_kind kind, struct slice name);

/* The caller's own where none is given; absent: ValidationError has been answered. */
struct slice iam_user_name(struct call *call, struct slice given);

/* arn:aws:iam::ACCOUNT:KIND/PATH/NAME of the caller's account. */
struct slice iam_make_arn(struct call *call, const char *kind, struct slice path,
                          struct slice name);
struct opt_f64 iam_now(void); /* whole seconds, as answers have them */

/* False: EntityAlreadyExists has been answered. */
bool iam_is_new(struct call *call, enum iam_kind kind, struct slice name);

/* ---- changes ---- */

/* One entity is replaced; `output` (in the call's arena) is answered when that is on disk. */
void iam_put(struct call *call, enum iam_kind kind, struct slice name,
             const struct iam_Entity *entity, const void *output);
void iam_commit(struct call *call, struct table_write *write, const void *output);

/* Copies with one element more or less; items are pointers or slices, as the list has them. */
struct aws_list iam_list_add(struct arena *arena, struct aws_list list, const void *item,
                             size_t size);
struct aws_list iam_list_remove(struct arena *arena, struct aws_list list, size_t at, size_t size);

/* What names a user or group that is called otherwise now: groups or users, attachments. */
void iam_rename(struct call *call, struct table_write *write, const struct iam_Entity *entity,
                enum iam_kind kind, struct slice was, struct slice is);

/* ---- pages ---- */

struct iam_page {
    size_t from;
    size_t to;
    struct opt_bool truncated; /* IsTruncated */
    struct slice marker;       /* absent on the last page */
};

/* `names` in the order in which they are listed. False: a bad marker has been answered. */
bool iam_page(struct call *call, struct slice marker, struct opt_i64 max_items,
              const struct slice *names, size_t count, struct iam_page *out);

/* All of a kind below a path, with room for what the caller makes of them. */
struct iam_rows {
    const struct iam_Entity **entities;
    struct slice *names;
    size_t count;
};
struct iam_rows iam_rows(struct call *call, enum iam_kind kind, struct slice path_prefix);

/* ---- documents ---- */

/* False: MalformedPolicyDocument has been answered. */
bool iam_document_check(struct call *call, struct slice text, enum iam_document kind);

/* ---- tags ---- */

/* What is there and what is new, in order of keys. False: too many or twice, answered. */
bool iam_tags_merge(struct call *call, struct aws_list have, struct aws_list add,
                    struct aws_list *out);
struct aws_list iam_tags_without(struct call *call, struct aws_list have, struct aws_list keys);

/* ---- managed policies ---- */

/* What is said of an ARN that belongs to none. */
enum iam_unknown_policy { IAM_NOT_FOUND, IAM_NOT_ATTACHABLE, IAM_NO_BOUNDARY };

/* Ours or one of AWS's. NULL: NoSuchEntity or InvalidInput has been answered. Borrowed. */
const struct iam_ManagedPolicy *iam_policy_find(struct call *call, struct slice arn,
                                                enum iam_unknown_policy unknown);

/* A document for it: false if it is malformed or too large, answered. */
bool iam_policy_fits(struct call *call, struct slice document);

/* False for AWS's, which nobody changes: answered. */
bool iam_is_own_policy(struct call *call, const struct iam_ManagedPolicy *policy);

/* The ARNs of all boundaries that roles and users have, each as often as it is one: looked up once
 * for many policies. */
struct iam_boundaries {
    const struct slice *arns;
    size_t count;
};
struct iam_boundaries iam_boundaries(struct call *call);

/* A copy with what is counted: attachments and boundaries. What it points to is borrowed. */
struct iam_Policy *iam_policy_shown(struct call *call, const struct iam_Policy *policy,
                                    const struct iam_boundaries *boundaries);

/* Those that exist from the start, in the order of their names. */
const struct iam_ManagedPolicy *const *iam_aws_policies(size_t *out_count);

/* Of one policy: "account arn ", for table_count() and table_list(); and with who has it. */
struct slice iam_attachments_of(struct arena *arena, struct slice account, struct slice arn);
struct slice iam_attachment_key(struct arena *arena, struct slice account, struct slice arn,
                                enum iam_kind kind, struct slice name);

/* A policy as a boundary; absent: none. False: answered. */
bool iam_boundary(struct call *call, struct slice arn,
                  struct iam_AttachedPermissionsBoundary **out);

void iam_roles_register(struct front *front, struct iam *iam);
void iam_users_register(struct front *front, struct iam *iam);
void iam_groups_register(struct front *front, struct iam *iam);
void iam_keys_register(struct front *front, struct iam *iam);
void iam_inline_register(struct front *front, struct iam *iam);
void iam_attach_register(struct front *front, struct iam *iam);
void iam_entities_register(struct front *front, struct iam *iam);
void iam_details_register(struct front *front, struct iam *iam);
void iam_policies_register(struct front *front, struct iam *iam);
void iam_versions_register(struct front *front, struct iam *iam);
void iam_tags_register(struct front *front, struct iam *iam);

#endif
