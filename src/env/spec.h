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

/* What a runtime of this function's kind is booted with before it has one (LAUNCH_PARKED), all but
 * the memory. `path` is its interpreter on the host. False: such functions start the ordinary way.
 */
bool spec_fill_parked(struct sandbox_spec *spec, const struct env_settings *settings,
                      const struct runtimes *runtimes, const struct function *fn,
                      char path[SPEC_PATH_MAX]);

/* Names of variables that this parked runtime's interpreter has read, blank-separated; '*' at the
 * end of one stands for anything. */
struct slice spec_start_variables(const struct runtimes *runtimes,
                                  const struct sandbox_spec *parked);

/* Whether a runtime that was booted as `parked` says can go on as `wanted`: same root file system,
 * runtime and arguments, and the same values of those variables. */
bool spec_serves(const struct sandbox_spec *parked, const struct sandbox_spec *wanted,
                 struct slice start_variables);

/* "python:3.13.v1" for INIT_START; absent if the function has no runtime. */
struct slice spec_runtime_version(const struct function *fn, char *to, size_t cap);
struct slice spec_runtime_version_arn(const struct function *fn);

#endif
