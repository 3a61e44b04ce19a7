/* Runs a libuv loop until something happened; scratch folders. */
#ifndef LK_TEST_LOOP_H
#define LK_TEST_LOOP_H

#include "base/must.h"

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static inline void run_until(uv_loop_t *loop, const bool *flag)
{
    while (!*flag)
        uv_run(loop, UV_RUN_ONCE);
}

static inline void drain(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    must(uv_loop_close(loop) == 0);
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void make_scratch(char path[64])
{
    strcpy(path, "/tmp/lambkin-test-XXXXXX");
    must(mkdtemp(path) != NULL);
}

#endif
