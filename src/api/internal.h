/* What the operations share. Private to src/api. */
#ifndef LK_API_INTERNAL_H
#define LK_API_INTERNAL_H

#include "api/api.h"
#include "aws/codec.h"
#include "aws/target.h"
#include "base/mem.h"
#include "lambda_api.h"
#include "model/change.h"
#include "model/resources.h"
#include "store/blob.h"
#include "store_api.h"

call_handler api_create_function;
call_handler api_get_function;
call_handler api_get_function_configuration;
call_handler api_list_functions;
call_handler api_update_function_code;
call_handler api_update_function_configuration;
call_handler api_delete_function;
call_handler api_get_account_settings;
call_handler api_publish_version;
call_handler api_list_versions;
call_handler api_create_alias;
call_handler api_update_alias;
call_handler api_get_alias;
call_handler api_list_aliases;
call_handler api_delete_alias;
call_handler api_add_permission;
call_handler api_get_policy;
call_handler api_remove_permission;
call_handler api_put_concurrency;
call_handler api_get_concurrency;
call_handler api_delete_concurrency;
call_handler api_put_provisioned;
call_handler api_get_provisioned;
call_handler api_list_provisioned;
call_handler api_delete_provisioned;
call_handler api_tag_resource;
call_handler api_untag_resource;
call_handler api_list_tags;
call_handler api_create_url;
call_handler api_update_url;
call_handler api_get_url;
call_handler api_delete_url;
call_handler api_list_urls;
call_handler api_put_event_invoke;
call_handler api_update_event_invoke;
call_handler api_get_event_invoke;
call_handler api_delete_event_invoke;
call_handler api_list_event_invoke;
call_handler api_create_signing;
call_handler api_update_signing;
call_handler api_get_signing;
call_handler api_list_signing;
call_handler api_delete_signing;
call_handler api_list_functions_by_signing;
call_handler api_put_function_signing;
call_handler api_get_function_signing;
call_handler api_delete_function_signing;
call_handler api_put_recursion;
call_handler api_get_recursion;
call_handler api_put_management;
call_handler api_get_management;
call_handler api_put_scaling;
call_handler api_get_scaling;
call_handler api_publish_layer;
call_handler api_get_layer;
call_handler api_get_layer_by_arn;
call_handler api_list_layers;
call_handler api_list_layer_versions;
call_handler api_delete_layer;
call_handler api_add_layer_permission;
call_handler api_get_layer_policy;
call_handler api_remove_layer_permission;

/* ---- answers (answer.c) ---- */

void api_fault(struct call *call, const struct aws_fault *fault);

/* The few errors without a Type member (controlplane.md fact 3). */
void api_fail_untyped(struct call *call, const char *code, struct slice message);
void api_deny(struct call *call);                        /* 403 without a text */
void api_not_built(struct call *call, const char *what); /* "Not implemented by lambkin yet: ..." */

/* A store's failure: a full disk is said, the rest is an internal error. */
void api_store_failed(struct call *call, const struct err *err);

/* The end of a change that answers nothing; `arg` is the call. */
change_done api_changed;

/* ---- which function (resolve.c): false = answered ---- */

enum { API_PAGE_MAX = 50 }; /* AWS answers no more, whatever MaxItems says */

bool api_target(struct call *call, struct slice name, struct slice qualifier, struct target *out);
/* By $LATEST, version or alias. */
bool api_find(struct call *call, const struct target *target, const struct function **out);
const struct function *api_lookup(const struct call *call,
                                  const struct target *target); /* NULL: none */

/* $LATEST of the function, about to be changed; whatever qualifier the name had is put aside. NULL:
 * answered. */
struct function_change *api_begin_change(struct call *call, struct slice name,
                                         struct target *out_target);

/* Reduced configurations of a page, from the marker of the page before on. */
struct function_page;
struct aws_list api_function_page(struct call *call, const struct function_page *page,
                                  struct slice marker, struct slice *out_next);

/* Not while it is Pending or another update is InProgress; revision absent: any. */
bool api_may_update(struct call *call, const struct function *fn, struct slice revision);

/* Only where the setting asks for it; in AWS's words. */
bool api_role_trusts(struct call *call, struct slice role);

/* Says in the answer what of a configuration has no effect here. */
void api_warn_unserved(struct call *call, const struct lambda_FunctionConfiguration *config);

/* Warns, in the log and in the answer, where this host has no such runtime, another version of it
 * or another architecture; with the setting `runtime-exact` that is an error. Runtime and
 * architectures may be absent. False: answered. */
bool api_host_runs(struct call *call, struct slice function, struct slice runtime,
                   const struct aws_list *architectures);

/* Code and layers (struct function's made_of) stay below what AWS allows unpacked. False: answered.
 */
bool api_sizes_fit(struct call *call, struct slice made_of); /* unpacked.c */

/* ---- rows (write.c): what belongs to functions ---- */

const struct resources *api_resources(const struct call *call);
struct slice api_key(const struct call *call, const struct target *target, struct slice qualifier);
struct slice api_revision(const struct call *call); /* a new one */
bool api_revision_matches(
    struct call *call, struct slice given, struct slice actual,
    const char *reader); /* false: answered; `reader`: the API to look it up */
size_t api_limit(struct opt_i64 max_items, size_t most);

/* Commits and answers: with `output` (in the call's arena or the table) when it is on disk. */
struct table_write *api_write(const struct call *call);
void api_commit(struct call *call, struct table_write *write, int status, const void *output);

/* One page of what lies under `key` itself and below it; `next` is the last one's qualifier, if
 * there is more. What has no qualifier comes first and pages as "$LATEST". */
size_t api_rows(struct call *call, const struct table *table, struct slice key, struct slice marker,
                size_t limit, const struct table_row **out, struct slice *next);
struct aws_list api_values(const struct call *call, const struct table_row *rows, size_t n);

/* ---- concurrency.c ---- */

enum { API_UNRESERVED_MIN = 100 }; /* AWS: what stays for functions without a reservation */

int64_t api_provisioned_sum(const struct call *call, struct slice key);

/* What the account has left for functions without reservation and provision. */
int64_t api_unreserved(const struct call *call);

/* ---- provisioned.c ---- */

/* At start: from here on the pool provisions what the tables say. */
void api_align_provisioned(struct api_context *api);

/* ---- policies (permissions.c) ---- */

struct store_Policy;
/* May a statement of this name be added? `reader`: the API to look up the revision. False:
 * answered. */
bool api_policy_accepts(struct call *call, const struct store_Policy *policy, struct slice sid,
                        struct slice revision, const char *reader);
bool api_policy_fits(struct call *call, const struct store_Policy *policy); /* false: answered */
void api_policy_remove(struct call *call, struct table *table, struct slice key, size_t at);

/* ---- code signing (signing.c): NULL, false = answered, as configurations or functions do ---- */

const struct lambda_CodeSigningConfig *api_find_signing(struct call *call, struct slice arn);
bool api_signing_exists(struct call *call, struct slice arn);

bool api_layer_exists(struct call *call, struct slice arn); /* layers.c */

/* ---- code (upload.c) ---- */

/* Bytes -> blob and unpacked tree. `call` and `zip` must stay until `done`. On success the digest
 * is noted as used once, for the caller to code_release(); on failure nothing is left behind. */
typedef void api_uploaded(void *arg, const char *digest, const struct err *err);
void api_upload(struct call *call, struct slice zip, api_uploaded *done, void *arg);
void api_upload_failed(struct call *call, const struct err *err);

/* At start: files into line with functions. */
void api_align_code(struct api_context *api);

/* ---- downloads (download.c) ---- */

struct slice api_code_url(struct call *call, struct slice digest);
void api_register_download(struct front *front, struct api_context *api);
void api_register_urls(struct front *front, struct api_context *api);     /* urls.c */
void api_register_mappings(struct front *front, struct api_context *api); /* mappings.c */

#endif
