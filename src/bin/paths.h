/* Where the other parts of the installation are, found from where this program lies: the build
 * folder, or PREFIX/bin with PREFIX/libexec/lambkin and PREFIX/share/lambkin. */
#ifndef LK_PATHS_H
#define LK_PATHS_H

#include "base/err.h"
#include "bin/settings.h"

/* Fills libexec_dir and runtimes_dir where they are empty. */
bool paths_find(struct settings *settings, struct err *err) MUST_USE;

/* data_dir (and the others) as absolute paths. */
bool paths_absolute(struct settings *settings, struct err *err) MUST_USE;

#endif
