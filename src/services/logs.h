/* What the operations of CloudWatch Logs have in common. Private to src/services. */
#ifndef LK_LOGS_SERVICE_H
#define LK_LOGS_SERVICE_H

#include "aws/codec.h"
#include "front/front.h"
#include "logs_api.h"
#include "store/log_store.h"

/* The store's errors in the service's words. */
void log_api_fail(struct call *call, const struct err *err);
void log_api_bad_token(struct call *call);
void log_api_bad_parameter(struct call *call, const char *text);

/* The plain answer of operations that change something: a log_done. */
void log_api_done(void *arg, const struct err *err);

struct log_where log_api_where(const struct call *call, struct slice group);
/* A name, or arn:aws:logs:R:A:log-group:NAME[:*]; one of the two must be given. False: answered. */
bool log_api_group(struct call *call, struct slice name, struct slice identifier,
                   struct log_where *out);
/* The name in an ARN of a group of this account and region. */
bool log_api_arn_group(const struct call *call, struct slice arn, struct slice *out);
struct slice log_api_arn(const struct call *call, struct slice group);

void log_api_groups_register(struct front *front, struct log_store *logs);
void log_api_tags_register(struct front *front, struct log_store *logs);
void log_api_streams_register(struct front *front, struct log_store *logs);
void log_api_events_register(struct front *front, struct log_store *logs);

#endif
