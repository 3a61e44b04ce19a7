/* One register function a service. Private to src/services. */
#ifndef LK_SERVICES_INTERNAL_H
#define LK_SERVICES_INTERNAL_H

#include "services/services.h"

void iam_register(struct front *front, struct iam *iam);
void logs_register(struct front *front, struct log_store *logs);
void sts_register(struct front *front, struct iam *iam);

#endif
