/* Writing into log groups: the worker's half of the log store. Private to src/store. One thread at
 * a time. */
#ifndef LK_LOG_WRITE_H
#define LK_LOG_WRITE_H

#include "store/log_group.h"

/* Adds to what log_group_flush() writes; group and stream come into being. */
bool log_group_add(struct log_group *group, struct slice stream, uint64_t timestamp,
                   uint64_t ingestion, struct slice message, struct err *err) MUST_USE;
bool log_group_flush(struct log_group *group, struct err *err) MUST_USE;

/* Written when they return. FAULT_NOT_FOUND "group" or "stream"; FAULT_CONFLICT. */
bool log_group_put(struct log_group *group, struct slice stream, const struct log_event *events,
                   size_t count, size_t *out_expired, struct err *err) MUST_USE;
bool log_stream_make(struct log_group *group, struct slice stream, struct err *err) MUST_USE;
bool log_stream_remove(struct log_group *group, struct slice stream, struct err *err) MUST_USE;

bool log_group_is_open(struct log_group *group);
void log_group_close(struct log_group *group);    /* its files; the next event opens them again */
uint64_t log_group_lost(struct log_group *group); /* events, since it was last asked */

/* Removes the segments that hold nothing that is young enough. */
void log_group_expire(struct log_group *group);

/* Under the lock: the index, from the saved one and the segments behind it. */
bool log_group_load(struct log_group *group, struct err *err) MUST_USE;

#endif
