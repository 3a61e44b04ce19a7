/* Each runtime identifier of AWS with what it means on this host: for `lambkin runtimes` and
 * `lambkin doctor`. */
#ifndef LK_RUNTIME_ROWS_H
#define LK_RUNTIME_ROWS_H

#include "bin/settings.h"
#include "env/runtime.h"
#include "env/runtime_names.h"

struct runtime_row {
    const struct runtime_name *id;
    struct runtime_choice choice; /* if it runs */
    struct slice rootfs;          /* folder of its root file system; empty: the host's */
    char version[24];             /* of the interpreter, "3.11"; empty: it needs none */
    bool runs;
    char why_not[240]; /* what creating a function would warn of */
};

/* By language and version, those that are retired behind the others. Folders of the installation
 * have been found (paths.h). What the rows point to lives as long as the program. */
bool runtime_rows(const struct settings *settings, struct runtime_row out[RUNTIME_NAMES],
                  struct err *err) MUST_USE;

const char *runtime_row_state(const struct runtime_row *row); /* "exact", "nearest", "missing" */
struct slice runtime_row_language(const struct runtime_row *row); /* the letters: "python" */

#endif
