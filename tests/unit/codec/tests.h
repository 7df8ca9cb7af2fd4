/* The runners of this folder, and what its tests share. */
#ifndef MT_TESTS_UNIT_CODEC_H
#define MT_TESTS_UNIT_CODEC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_base64(void);
int test_gzip(void);
int test_hash(void);
int test_json(void);
int test_json_property(void);
int test_json_write(void);
int test_sign(void);
int test_time(void);
int test_zone(void);
int test_zstd(void);

/* The seed of this run's random tests: $MT_TEST_SEED, or a fresh one; printed, so that a failure
 * can be repeated. */
uint64_t tests_seed(const char *test);

#endif
