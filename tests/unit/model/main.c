/* Runs the tests of engine/model. */
#include "tests.h"

#include <stdlib.h>

int main(void)
{
    int failed = 0;
    failed += test_value();
    failed += test_conversation();
    failed += test_message();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
