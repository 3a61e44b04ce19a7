/* Writing log groups: the worker's half of the log store. Private to src/store. One thread at a
 * time. */
#ifndef LK_LOG_WRITE_H
#define LK_LOG_WRITE_H

#include "base/buf.h"
#include "store/log_store.h"

struct log_group;

/* path: of the group's folder; made with the first event. */
struct log_group *log_group_new(int root, const char *path, struct slice name,
                                const struct log_limits *limits);
void log_group_free(struct log_group *group);

/* Adds to what log_group_flush() writes. */
bool log_group_add(struct log_group *group, struct slice stream, uint64_t timestamp,
                   uint64_t ingestion, struct slice message, struct err *err) MUST_USE;
bool log_group_flush(struct log_group *group, struct err *err) MUST_USE;
bool log_group_remove(struct log_group *group, struct err *err) MUST_USE; /* and forget its state */

bool log_group_is_open(const struct log_group *group);
void log_group_close(struct log_group *group); /* its files; the next event opens them again */

/* Removes the segments of all groups that are older; no group may be open. 0 days: for ever. */
void log_expire(int root, uint32_t retention_days);

#endif
