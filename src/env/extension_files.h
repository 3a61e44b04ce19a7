/* Which external extensions a function has: the files of /opt/extensions as its layers make it
 * (dataplane.md 2.1). Looked for from outside, in the layers' unpacked trees. */
#ifndef LK_EXTENSION_FILES_H
#define LK_EXTENSION_FILES_H

#include "launch/proto.h"

#include <stddef.h>

/* One more than may run, so that too many are noticed. */
enum { EXTENSION_FILES_MAX = LAUNCH_EXTENSIONS_MAX + 1 };

struct extension_files {
    size_t n;
    char names[EXTENSION_FILES_MAX][LAUNCH_FILE_MAX + 1]; /* sorted bytewise, as AWS starts them */
};

/* To be freed. NULL: there are none. `data_dir` as in struct env_settings. */
struct extension_files *extension_files_find(const char *data_dir, const struct sandbox_spec *spec);

#endif
