/* Reading log groups: runs on worker threads, beside the writer. Private to src/store. */
#ifndef LK_LOG_READ_H
#define LK_LOG_READ_H

#include "store/log_store.h"

bool log_read_events(int group_dir, struct arena *arena, const struct log_query *query,
                     struct log_page *out, struct err *err) MUST_USE;
size_t log_read_streams(int group_dir, struct arena *arena, struct log_name **out);
size_t log_read_groups(int region_dir, struct arena *arena, struct log_name **out);

#endif
