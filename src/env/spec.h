/* What a function's configuration means for its sandbox: limits, arguments and the environment
 * variables that Lambda sets (dataplane.md 2.6-2.8). */
#ifndef LK_SPEC_H
#define LK_SPEC_H

#include "env/runtime.h"
#include "env/settings.h"
#include "launch/proto.h"
#include "model/function.h"

enum { SPEC_PATH_MAX = 256 };

/* What is executed; for the words of a failure. */
struct spec_entrypoint {
    bool found;      /* provided.*: a bootstrap is there */
    bool is_wrapper; /* AWS_LAMBDA_EXEC_WRAPPER comes first */
    char path[SPEC_PATH_MAX];
    bool nearest; /* the interpreter is not of the exact version; its path then: */
    char interpreter[SPEC_PATH_MAX];
};

/* Where it runs and writes. */
struct spec_context {
    const struct env_settings *settings;
    const struct runtimes *runtimes;
    struct slice log_group;
    struct slice log_stream;
    bool endpoint;         /* functions reach lambkin's API: AWS_ENDPOINT_URL says where */
    const struct iam *iam; /* NULL: credentials are nobody's */
    bool provisioned;      /* made ahead: AWS_LAMBDA_INITIALIZATION_TYPE says so */
};

bool spec_fill(struct sandbox_spec *spec, const struct spec_context *context,
               const struct function *fn, struct spec_entrypoint *out_entrypoint,
               struct err *err) MUST_USE;

/* "python:3.13.v1" for INIT_START; absent if the function has no runtime. */
struct slice spec_runtime_version(const struct function *fn, char *to, size_t cap);
struct slice spec_runtime_version_arn(const struct function *fn);

#endif
