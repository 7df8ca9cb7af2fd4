/* Runs the tests of engine/script. What needs no moved clock is in tests/script. */
#include "tests.h"

#include <stdlib.h>

int main(void)
{
    int failed = test_timers();

    failed += test_grant();
    failed += test_policy_text();
    failed += test_reach();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
