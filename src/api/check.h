/* What Lambda checks beyond the constraints of its model. Pure: no state, no files. */
#ifndef LK_CHECK_H
#define LK_CHECK_H

#include "aws/codec.h"
#include "lambda_api.h"

enum {
    CHECK_ZIP_MAX = 52428800,
    CHECK_VARIABLES_MAX = 4096,
    CHECK_NAME_MAX = 64,
    CHECK_TAGS_MAX = 50,
};

/* Each returns false and fills the fault (texts in the arena). */

/* `retired`: those that AWS creates no functions with any more will do, too. */
bool check_runtime(struct arena *arena, struct slice runtime, bool retired,
                   struct aws_fault *fault) MUST_USE;
bool check_environment(struct arena *arena, const struct lambda_Environment *environment,
                       struct aws_fault *fault) MUST_USE;
bool check_name_length(struct arena *arena, struct slice given, struct slice name,
                       struct aws_fault *fault) MUST_USE;
bool check_logging(struct arena *arena, const struct lambda_LoggingConfig *given,
                   struct slice format_before, struct aws_fault *fault) MUST_USE;
bool check_zip_size(struct arena *arena, struct slice zip, struct aws_fault *fault) MUST_USE;

/* Members that ask for what is not built yet. Silence would be a lie: the function would run
 * without its layers, its network, its dead-letter queue. */
bool check_create_built(struct arena *arena, const struct lambda_CreateFunctionRequest *input,
                        struct aws_fault *fault) MUST_USE;
bool check_update_code_built(struct arena *arena,
                             const struct lambda_UpdateFunctionCodeRequest *input,
                             struct aws_fault *fault) MUST_USE;
bool check_update_config_built(struct arena *arena,
                               const struct lambda_UpdateFunctionConfigurationRequest *input,
                               struct aws_fault *fault) MUST_USE;

struct slice check_host_architecture(void); /* "x86_64" or "arm64" */

#endif
