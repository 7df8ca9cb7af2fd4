/* The tests of the room hub. */
#include "tests.h"

int main(void)
{
    return test_hub();
}
