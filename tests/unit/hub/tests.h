/* The runners of this folder. */
#ifndef MT_TESTS_UNIT_HUB_H
#define MT_TESTS_UNIT_HUB_H

int test_hub(void);

#endif
