#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void must_fail(const char *cond, const char *file, int line, const char *func)
{
    fprintf(stderr, "lambkin: must(%s) failed in %s, %s:%d\n", cond, func, file, line);
    abort();
}
