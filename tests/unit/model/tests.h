/* The runners of this folder. */
#ifndef MT_TESTS_UNIT_MODEL_H
#define MT_TESTS_UNIT_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_value(void);
int test_conversation(void);
int test_message(void);

#endif
