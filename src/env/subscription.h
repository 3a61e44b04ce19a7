/* What an extension asks of the Telemetry API or of its predecessor, the Logs API: which events, in
 * which shape, how bundled, where to (dataplane.md 3.8). The document comes from the function's
 * side: each member is checked, and all that is wrong is said at once. */
#ifndef LK_SUBSCRIPTION_H
#define LK_SUBSCRIPTION_H

#include "base/buf.h"
#include "env/report.h"

enum subscription_api { API_TELEMETRY, API_LOGS };

enum subscription_types { /* bits */
                          TYPE_PLATFORM = 1,
                          TYPE_FUNCTION = 2,
                          TYPE_EXTENSION = 4,
};

enum { SUBSCRIPTION_PATH_MAX = 1024, SUBSCRIPTION_FAULTS_MAX = 1024 };

struct subscription {
    enum subscription_api api;
    enum report_form form; /* of the events, as schemaVersion says */
    unsigned types;
    bool http; /* else TCP: one event a line */
    bool put;  /* HTTP: the method is PUT, not POST */
    uint16_t port;
    char path[SUBSCRIPTION_PATH_MAX + 1]; /* HTTP: "/", "/x?y" */
    uint32_t max_items;                   /* a batch is sent when it has so many events, ... */
    uint32_t max_bytes;                   /* ... so many bytes, ... */
    uint32_t timeout_ms;                  /* ... or when its first event is so old */
};

/* False: `faults`, of SUBSCRIPTION_FAULTS_MAX, has what is wrong, "; " in between; *out is
 * untouched. */
bool subscription_parse(struct slice document, enum subscription_api api, struct subscription *out,
                        struct buf *faults) MUST_USE;

/* "platform", "function", ...: how many. */
size_t subscription_type_names(unsigned types, struct slice out[REPORT_ITEMS_MAX]);

#endif
