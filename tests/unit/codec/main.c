/* Runs the tests of engine/codec. */
#include "base/rand.h"
#include "tests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t tests_seed(const char *test)
{
    const char *given = getenv("MT_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1 + mt_rand_below(UINT64_MAX - 1);
    printf("# %s: MT_TEST_SEED=%" PRIu64 "\n", test, seed);
    return seed;
}

int main(void)
{
    int failed = 0;
    failed += test_base64();
    failed += test_gzip();
    failed += test_hash();
    failed += test_json();
    failed += test_json_property();
    failed += test_json_write();
    failed += test_sign();
    failed += test_time();
    failed += test_zone();
    failed += test_zstd();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
