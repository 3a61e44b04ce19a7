/* Why something failed: what the caller may see, and the story. Lives in the caller's frame. */
#ifndef LK_ERR_H
#define LK_ERR_H

#include "base/must.h"

#include <stdbool.h>

/* Few on purpose: the protocol layer alone turns them into status codes and AWS error names. */
enum fault {
    FAULT_NONE,
    FAULT_INTERNAL, /* our own failure, or the machine's */
    FAULT_INVALID,  /* the caller's input is wrong */
    FAULT_NOT_FOUND,
    FAULT_CONFLICT, /* exists already, or busy with another change */
    FAULT_LIMIT,    /* too large, too many */
    FAULT_DENIED,
    FAULT_UNAVAILABLE, /* this host or build cannot do it */
};

struct err {
    enum fault fault;
    int os; /* errno, or 0 */
    char msg[240];
};

/* All return false, so that a failing function can `return err_set(...)`. */
bool err_set(struct err *err, enum fault fault, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool err_os(struct err *err, int os, const char *fmt, ...) PRINTF_LIKE(3, 4); /* adds errno text */
bool err_add(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);        /* puts in front */

#endif
