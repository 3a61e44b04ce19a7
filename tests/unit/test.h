/* What every unit test includes first: cmocka wants these headers before its own. */
#ifndef LK_TEST_H
#define LK_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
