/* Which function, and which of its versions, an Invoke addresses (dataplane.md 4.1). */
#ifndef LK_TARGET_H
#define LK_TARGET_H

#include "base/arena.h"
#include "base/err.h"

struct target {
    struct slice account; /* the caller's where the name gives none */
    struct slice region;
    struct slice name;
    struct slice qualifier; /* as given; absent if none was */
};

enum target_fault {
    TARGET_OK,
    TARGET_CONFLICT, /* the name's qualifier and the parameter differ */
    TARGET_REGION,   /* an ARN of another region; out->region is that one */
    TARGET_BAD_NAME,
};

/* name, name:qualifier, A:function:name, function:name, ARN, each with or without qualifier. */
enum target_fault target_parse(struct slice name, struct slice qualifier, struct slice account,
                               struct slice region, struct target *out);

/* arn:aws:lambda:R:A:function:NAME, with `:qualifier` unless it is absent. */
struct slice target_arn(struct arena *arena, const struct target *target, struct slice qualifier);

#endif
