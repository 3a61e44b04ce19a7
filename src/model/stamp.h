/* Lambda's times as text: "2026-01-31T12:00:00.123+0000" (controlplane.md fact 28). */
#ifndef LK_STAMP_H
#define LK_STAMP_H

#include "base/arena.h"

struct slice stamp_now(struct arena *arena);
struct slice stamp_now_seconds(struct arena *arena); /* without the milliseconds */

#endif
