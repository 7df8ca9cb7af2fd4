/* The tests of the room app. */
#include "tests.h"

int main(void)
{
    int failed = 0;

    failed += test_route();
    failed += test_page();
    return failed;
}
