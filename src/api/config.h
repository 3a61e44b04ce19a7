/* The configuration of a function: from a creation, and merged with an update. Pure. */
#ifndef LK_CONFIG_H
#define LK_CONFIG_H

#include "base/arena.h"
#include "lambda_api.h"

/* With AWS's defaults (controlplane.md fact 23). `name`: the bare one. */
struct lambda_FunctionConfiguration *config_create(struct arena *arena,
                                                   const struct lambda_CreateFunctionRequest *input,
                                                   struct slice name, struct slice region);

/* What is given replaces, the rest stays. */
struct lambda_FunctionConfiguration *
config_update(struct arena *arena, const struct lambda_FunctionConfiguration *before,
              const struct lambda_UpdateFunctionConfigurationRequest *input, struct slice region);

/* digest: hex SHA-256 of the zip. */
void config_set_code(struct arena *arena, struct lambda_FunctionConfiguration *config,
                     const char *digest, size_t size);

/* As in listings: without states (fact 29). */
struct lambda_FunctionConfiguration
config_reduced(const struct lambda_FunctionConfiguration *config);

#endif
