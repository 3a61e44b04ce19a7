/* What CloudWatch Logs keeps with a group, as one document. Pure. */
#ifndef LK_LOG_SETTINGS_H
#define LK_LOG_SETTINGS_H

#include "base/arena.h"
#include "store_api.h"

/* Of an empty document: all defaults. Never NULL; what is damaged counts as empty. */
struct store_LogGroupSettings *log_settings_read(struct arena *arena, struct slice document);
struct slice log_settings_write(struct arena *arena, const struct store_LogGroupSettings *settings);

/* Adds and replaces; removes. */
void log_settings_tag(struct arena *arena, struct store_LogGroupSettings *settings,
                      const struct aws_map *tags);
void log_settings_untag(struct store_LogGroupSettings *settings, const struct aws_list *keys);

#endif
