/* One change of one function, from the moment it is accepted until it is on disk. Meanwhile nobody
 * else changes the function: who tries gets AWS's conflict. */
#ifndef LK_CHANGE_H
#define LK_CHANGE_H

#include "model/function.h"

struct function_change;

/* FAULT_CONFLICT: another change is being written (err.msg is AWS's text for an update). Whether a
 * Pending function or one whose update is InProgress may be changed is the operation's to say. */
struct function_change *change_begin(struct functions *functions, struct slice account,
                                     struct slice region, struct slice name, struct err *err);

/* $LATEST as it is now; NULL if it is to be created. Borrowed, valid while the change lasts. */
const struct function *change_before(const struct function_change *change);

/* The version that was published from $LATEST as it is now; NULL if there is none (controlplane.md
 * fact 48). */
const struct function *change_published(const struct function_change *change);
void change_abort(struct function_change *change); /* NULL is fine */

/* The function as it shall be. The model adds name, ARN, version, times, states and revision. */
struct function_draft {
    const struct lambda_FunctionConfiguration *config; /* copied */
    struct aws_map tags;                               /* of strings; copied */
    struct slice made_of;                              /* digests, as in struct function */
    bool publish;                                      /* a version of it, too */
    struct slice signing; /* ARN of its code signing configuration; absent: as it was */
};

/* All of these consume the change. `now`: the $LATEST that everybody sees from here on (Pending
 * after a creation, InProgress after an update; NULL after a deletion). `version`: what was
 * published, or NULL. On failure nothing has changed. */
typedef void change_done(void *arg, const struct function *now, const struct function *version,
                         const struct err *err);
void change_save(struct function_change *change, const struct function_draft *draft,
                 change_done *done, void *arg);
/* $LATEST as it is becomes a version. description absent: its own. */
void change_publish(struct function_change *change, struct slice description, change_done *done,
                    void *arg);
void change_tags(struct function_change *change, const struct aws_map *tags, change_done *done,
                 void *arg);
/* From here on nobody finds it, though it may come back: if the deletion cannot be written. */
void change_delete(struct function_change *change, change_done *done, void *arg);
/* One version, which must be there, and what belongs to it. */
void change_delete_version(struct function_change *change, uint64_t number, change_done *done,
                           void *arg);

#endif
