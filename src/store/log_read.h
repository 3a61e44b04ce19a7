/* Reading the events of a log group: runs on worker threads, beside the writer. Private to
 * src/store. */
#ifndef LK_LOG_READ_H
#define LK_LOG_READ_H

#include "store/log_group.h"

/* What was on disk when the view was taken is in it; what came since may be. */
void log_read_events(int group_dir, struct arena *arena, const struct log_view *view,
                     const struct log_query *query, struct log_page *out);

#endif
