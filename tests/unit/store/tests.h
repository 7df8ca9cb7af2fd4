/* The runners of this folder. */
#ifndef MT_TESTS_UNIT_STORE_H
#define MT_TESTS_UNIT_STORE_H

int test_store(void);

#endif
