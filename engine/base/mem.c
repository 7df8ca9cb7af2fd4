/* The allocation seam: malloc with counting, and with a failure on demand. One relaxed atomic
 * addition per allocation and per release is all that it costs when no test uses it. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Requests ever made, blocks ever given back (a failed request counts as given back): the
 * difference is live. */
static _Atomic uint64_t asked_n;
static _Atomic uint64_t returned_n;
/* The value of asked_n at which to fail; 0: never. */
static _Atomic uint64_t fail_asked;
static _Atomic int fail_sticky;
static _Atomic uint64_t asked_base;

static bool ask(void)
{
    uint64_t n = atomic_fetch_add_explicit(&asked_n, 1, memory_order_relaxed) + 1;
    uint64_t at = atomic_load_explicit(&fail_asked, memory_order_relaxed);
    if (at == 0) {
        return true;
    }
    return n < at || (n > at && !atomic_load_explicit(&fail_sticky, memory_order_relaxed));
}

static void give_back(void)
{
    atomic_fetch_add_explicit(&returned_n, 1, memory_order_relaxed);
}

void *mt_mem_alloc(size_t size)
{
    void *p = ask() ? malloc(size > 0 ? size : 1) : NULL;
    if (!p) {
        give_back();
    }
    return p;
}

void *mt_mem_calloc(size_t count, size_t size)
{
    if (count == 0 || size == 0) {
        count = size = 1;
    }
    size_t total = 0;
    void *p = NULL;
    if (ask() && !__builtin_mul_overflow(count, size, &total)) {
        p = calloc(1, total);
    }
    if (!p) {
        give_back();
    }
    return p;
}

void *mt_mem_realloc(void *p, size_t size)
{
    void *q = ask() ? realloc(p, size > 0 ? size : 1) : NULL;
    if (p || !q) {
        give_back(); /* the old block is gone, or nothing was made */
    }
    return q;
}

void mt_mem_free(void *p)
{
    if (p) {
        give_back();
        free(p);
    }
}

char *mt_mem_strdup(const char *s)
{
    return mt_mem_strndup(s, strlen(s));
}

char *mt_mem_strndup(const char *s, size_t len)
{
    size_t n = strnlen(s, len);
    char *copy = mt_mem_alloc(n + 1);
    if (copy) {
        memcpy(copy, s, n);
        copy[n] = '\0';
    }
    return copy;
}

void mt_mem_one_heap(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_ARENA_MAX, 1);
#endif
}

void mt_mem_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

void mt_mem_seam_fail_at(uint64_t n, int sticky)
{
    uint64_t now = atomic_load(&asked_n);
    atomic_store(&asked_base, now);
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_asked, n > 0 ? now + n : 0);
}

uint64_t mt_mem_seam_count(void)
{
    return atomic_load(&asked_n) - atomic_load(&asked_base);
}

int64_t mt_mem_seam_live(void)
{
    return (int64_t)(atomic_load(&asked_n) - atomic_load(&returned_n));
}
