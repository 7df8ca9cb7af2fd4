/* The runners of this folder. */
#ifndef MT_TESTS_UNIT_SCRIPT_H
#define MT_TESTS_UNIT_SCRIPT_H

int test_hub(void);

#endif
