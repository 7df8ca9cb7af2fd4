/* The runners of this folder. */
#ifndef MT_TESTS_UNIT_APP_H
#define MT_TESTS_UNIT_APP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_route(void);
int test_page(void);

#endif
