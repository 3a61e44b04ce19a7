/* Places in the logs, as clients carry them about. Digits that are not ours, or too many of them,
 * are no token. Pure. */
#ifndef LK_LOG_TOKEN_H
#define LK_LOG_TOKEN_H

#include "base/arena.h"
#include "store/log_store.h"

/* 56 digits, as AWS's event ids: rising with time, unique in a group. Also FilterLogEvents' pages.
 */
struct slice log_token_key(struct arena *arena, struct log_key key);
bool log_token_read_key(struct slice token, struct log_key *out) MUST_USE;

/* "f/<56 digits>/s" and "b/...": GetLogEvents. */
struct slice log_token_page(struct arena *arena, bool backward, struct log_key key);
bool log_token_read_page(struct slice token, bool *out_backward, struct log_key *out) MUST_USE;

/* "a/<creation of the group>/<position>": lambkin's own, for `lambkin logs`. FilterLogEvents then
 * goes by arrival and always has a token, so a reader who follows misses nothing, whatever times
 * the writers gave; "a/0/0" begins. With another creation the group is another one: from its first
 * event on. */
struct slice log_token_arrival(struct arena *arena, uint64_t created_ms, uint64_t position);
bool log_token_read_arrival(struct slice token, uint64_t *out_created_ms,
                            uint64_t *out_position) MUST_USE;

#endif
