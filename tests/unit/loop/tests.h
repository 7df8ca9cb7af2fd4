/* The runners of this folder. */
#ifndef MT_TESTS_UNIT_LOOP_H
#define MT_TESTS_UNIT_LOOP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"

int test_life(void);
int test_timer(void);
int test_post(void);
int test_poll(void);
int test_pool(void);
int test_fair(void);

#endif
