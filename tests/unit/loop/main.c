/* Runs the tests of engine/loop. */
#include "tests.h"

#include <signal.h>
#include <stdlib.h>

int main(void)
{
    int failed = 0;
    signal(SIGPIPE, SIG_IGN);
    failed += test_life();
    failed += test_timer();
    failed += test_post();
    failed += test_poll();
    failed += test_pool();
    failed += test_fair();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
