/* Runs the tests of engine/script. What needs no moved clock is in tests/script. */
#include "tests.h"

#include <stdlib.h>

int main(void)
{
    return test_timers() ? EXIT_FAILURE : EXIT_SUCCESS;
}
