/* The tests of the room script that need no script. */
#include "tests.h"

int main(void)
{
    return test_hub();
}
