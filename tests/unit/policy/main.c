/* Runs the tests of engine/policy. */
#include "tests.h"

#include <stdlib.h>

int main(void)
{
    int failed = 0;

    failed += test_audit();
    failed += test_audit_old();
    failed += test_policy();
    failed += test_policy_property();
    failed += test_hold();
    failed += test_plan();
    failed += test_gate();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
