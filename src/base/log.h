/* The daemon's own log: one line an event, the event's name first, then key=value, on stderr.
 * Lower folders return errors; whoever decides logs them, once. Control bytes are escaped. */
#ifndef LK_LOG_H
#define LK_LOG_H

#include "base/must.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level level); /* LOG_INFO at first */
enum log_level log_get_level(void);

void log_line(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_at(level, ...)                                                                         \
    do {                                                                                           \
        if ((level) >= log_get_level())                                                            \
            log_line((level), __VA_ARGS__);                                                        \
    } while (0)
#define log_trace(...) log_at(LOG_TRACE, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

#endif
