/* Lambda's control plane: the operations on functions. */
#ifndef LK_API_H
#define LK_API_H

#include "front/front.h"
#include "model/function.h"

struct blobs;
struct iam;
struct pool;

/* Filled in by whoever wires the program; everything is borrowed and outlives the front door. */
struct api_context {
    uv_loop_t *loop;
    const char *data_dir; /* DATA: unpacked code lies in DATA/code/<digest> */
    struct functions *functions;
    struct blobs *blobs; /* blobs_open(loop, DATA/blobs) */
    struct pool *pool;
    uint32_t account_concurrency; /* what GetAccountSettings shows */
    const struct iam *iam;
    bool check_roles; /* roles must exist and trust Lambda */
    bool retired;     /* runtimes that AWS creates no functions with any more will do, too */
    bool exact;       /* refuse what this host cannot run, or runs by the nearest version only */
};

/* Registers all operations and the download of code. Also brings the files into line with the
 * functions: what nobody uses is removed, trees that are missing are unpacked again. The context is
 * kept. Connect pool_function_changed() to functions_on_change() before. */
void api_register(struct front *front, struct api_context *context);

/* The first step of shutting down: the pool is not called any more, by nothing that is still under
 * way. Calls that have not been answered never will be. */
void api_stop(struct api_context *context);

#endif
