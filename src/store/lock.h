/* One daemon a data folder. */
#ifndef LK_LOCK_H
#define LK_LOCK_H

#include "base/err.h"

/* Makes the folder if it is missing and takes it. A descriptor that holds the lock until it is
 * closed, or -1; FAULT_CONFLICT: another process has it. */
int store_lock(const char *dir, struct err *err);

#endif
