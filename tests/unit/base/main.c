/* Runs the tests of engine/base. */
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
    failed += test_mem();
    failed += test_buf();
    failed += test_arena();
    failed += test_str();
    failed += test_map();
    failed += test_rc();
    failed += test_secret();
    failed += test_confine();
    failed += test_exec();
    failed += test_log();
    failed += test_metrics();
    failed += test_clock();
    failed += test_rand();
    failed += test_fs();
    failed += test_fs_seam();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
