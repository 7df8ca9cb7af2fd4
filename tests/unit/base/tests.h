/* The runners of this folder, and what its tests share. */
#ifndef MT_TESTS_UNIT_BASE_H
#define MT_TESTS_UNIT_BASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_mem(void);
int test_buf(void);
int test_arena(void);
int test_str(void);
int test_map(void);
int test_rc(void);
int test_secret(void);
int test_confine(void);
int test_exec(void);
int test_log(void);
int test_metrics(void);
int test_clock(void);
int test_rand(void);
int test_fs(void);
int test_fs_seam(void);

/* The seed of this run's random tests: $MT_TEST_SEED, or a fresh one; printed, so that a failure
 * can be repeated. */
uint64_t tests_seed(const char *test);

#endif
