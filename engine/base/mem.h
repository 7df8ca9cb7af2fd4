/* The allocation seam: every allocation of the engine, and of the libraries that allow it, goes
 * through here, so that a test can fail allocation N and count what is live. */
#ifndef MT_BASE_MEM_H
#define MT_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* All return NULL when memory is short. Zero-size requests return a unique pointer. */
void *mt_mem_alloc(size_t size);
void *mt_mem_calloc(size_t count, size_t size); /* overflow-checked */
void *mt_mem_realloc(void *p, size_t size);
void mt_mem_free(void *p); /* NULL is fine */
char *mt_mem_strdup(const char *s);
char *mt_mem_strndup(const char *s, size_t len);

/* One heap for all threads, where the C library would begin one for each: what one thread has freed
 * another can use. To be called once, first. */
void mt_mem_one_heap(void);

/* Gives back to the system what is free in the heap: after a stage that needed much, such as an
 * export, so that the next one does not come on top of it. Costs some milliseconds; does nothing
 * where the C library cannot do it. From any thread. */
void mt_mem_trim(void);

/* Test side of the seam. fail_at(n): the n-th allocation from now (1 = the next) and, if sticky,
 * all after it fail; 0 switches failing off. count: allocations made since the last fail_at. live:
 * blocks not yet freed. */
void mt_mem_seam_fail_at(uint64_t n, int sticky);
uint64_t mt_mem_seam_count(void);
int64_t mt_mem_seam_live(void);

#endif
