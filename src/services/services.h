/* Embedded neighbours of Lambda. */
#ifndef LK_SERVICES_H
#define LK_SERVICES_H

#include "front/front.h"

struct log_store;

/* CloudWatch Logs: the reading half, on the log store. */
void services_register(struct front *front, struct log_store *logs);

#endif
