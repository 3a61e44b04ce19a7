/* The daemon parses hostile bytes and holds the secrets: after start it needs no new program, no
 * mounts, no namespaces, no other process' memory, and only three families of sockets. */
#ifndef LK_DAEMON_FILTER_H
#define LK_DAEMON_FILTER_H

#include "base/err.h"

bool daemon_filter_load(struct err *err) MUST_USE; /* for all threads of the process */

#endif
