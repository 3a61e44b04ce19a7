/* What the operations share. Private to src/api. */
#ifndef LK_API_INTERNAL_H
#define LK_API_INTERNAL_H

#include "api/api.h"
#include "aws/codec.h"
#include "aws/target.h"
#include "lambda_api.h"
#include "store/blob.h"

call_handler api_create_function;
call_handler api_get_function;
call_handler api_get_function_configuration;
call_handler api_list_functions;
call_handler api_update_function_code;
call_handler api_update_function_configuration;
call_handler api_delete_function;
call_handler api_get_account_settings;

/* ---- answers (answer.c) ---- */

void api_fault(struct call *call, const struct aws_fault *fault);

/* A store's failure: a full disk is said, the rest is an internal error. */
void api_store_failed(struct call *call, const struct err *err);

/* ---- which function (resolve.c): false = answered ---- */

bool api_target(struct call *call, struct slice name, struct slice qualifier, struct target *out);
bool api_find(struct call *call, const struct target *target, const struct function **out);

/* Not while it is Pending or another update is InProgress; revision absent: any. */
bool api_may_update(struct call *call, const struct function *fn, struct slice revision);

/* Warns where the interpreter is not the exact version: in the log, and in the answer. */
bool api_runtime_runs(struct call *call, struct slice function, struct slice runtime);

/* ---- code (upload.c) ---- */

/* Bytes -> blob and unpacked tree. `zip` must stay until `done`. On success the digest is noted as
 * used once, for the caller to code_release(); on failure nothing is left behind. */
typedef void api_uploaded(void *arg, const char *digest, const struct err *err);
void api_upload(struct api_context *api, struct slice zip, api_uploaded *done, void *arg);
void api_upload_failed(struct call *call, const struct err *err);

/* At start: files into line with functions. */
void api_align_code(struct api_context *api);

/* ---- downloads (download.c) ---- */

struct slice api_code_url(struct call *call, const struct function *fn);
void api_register_download(struct front *front, struct api_context *api);

#endif
