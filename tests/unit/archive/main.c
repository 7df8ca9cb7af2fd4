/* Runs the tests of engine/archive. */
#include "tests.h"

#include <stdlib.h>

int main(void)
{
    int failed = 0;
    failed += test_open();
    failed += test_commit();
    failed += test_seal();
    failed += test_recover();
    failed += test_journal();
    failed += test_verify();
    failed += test_writer();
    failed += test_torture();
    failed += test_media();
    failed += test_reader();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
