/* Random numbers: from the kernel, or from a seed while a test has set one. */
#ifndef MT_BASE_RAND_H
#define MT_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void mt_rand_bytes(void *p, size_t len);
uint64_t mt_rand_below(uint64_t n); /* 0 … n-1, unbiased; 0 for n = 0 */
void mt_rand_seed(uint64_t seed);   /* repeatable from here on; 0 returns to the kernel */

#endif
