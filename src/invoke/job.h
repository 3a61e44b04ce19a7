/* One invocation on its way, whichever operation asked for it. Private to src/invoke. */
#ifndef LK_JOB_H
#define LK_JOB_H

#include "env/pool.h"
#include "invoke/admit.h"
#include "invoke/check.h"
#include "invoke/trace.h"

struct job;

enum { JOB_MAGIC = 0x494e564a };

/* What an operation does with the outcome. */
struct job_way {
    void (*done)(struct job *job); /* answers, and then job_rest_free() */
    const struct invocation_stream *stream;
};

/* Lives in the call's arena, hence until the call is answered. */
struct job {
    uint32_t magic;
    struct call *call;
    const struct job_way *way;
    struct invocation inv;
    struct admission admission;
    struct slice executed_version;
    char trace[TRACE_MAX];
    bool begun;  /* streaming: the head is out ... */
    bool done;   /* ... no more comes from the function ... */
    size_t sent; /* ... and so much of its payload is out */
};

/* Checks, admits and runs it, or answers why not. */
void job_start(struct call *call, const struct order *order, const struct job_way *way);

/* Why it was not run at all. */
void job_refused(struct call *call, const struct err *err);

/* What must outlive the answer, and with it the job. */
struct job_rest {
    const struct function *fn;
    struct buf event;
    struct buf payload;
    struct buf tail;
};
struct job_rest job_rest(const struct job *job);
void job_rest_free(struct job_rest *rest);

#endif
