/* The tests of the room store. */
#include "tests.h"

int main(void)
{
    return test_store();
}
