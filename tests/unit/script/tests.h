/* The runners of this folder. */
#ifndef MT_TESTS_UNIT_SCRIPT_H
#define MT_TESTS_UNIT_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_grant(void);
int test_policy_text(void);
int test_reach(void);
int test_timers(void);

#endif
