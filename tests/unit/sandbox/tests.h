/* What the tests of this folder share. */
#ifndef TESTS_UNIT_SANDBOX_TESTS_H
#define TESTS_UNIT_SANDBOX_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_fill(void);
int test_store(void);
int test_faults(void);
int test_rest(void);
int test_rest_more(void);
int test_attachments(void);
int test_msync(void);
int test_rong(void);
int test_rong_more(void);
int test_world(void);

/* A fresh directory as the test's state, and its removal with all files. */
int make_dir(void **state);
int remove_dir(void **state);

#endif
