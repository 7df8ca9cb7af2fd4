/* The bump allocator: a chain of blocks, each twice the last. With the address sanitizer the unused
 * part of a block is poisoned, so that reading past an allocation is found as it would be with
 * malloc. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdint.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#endif
#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define ALIGN           ((size_t)16)
#define FIRST_BYTES     ((size_t)4096)
#define MAX_BLOCK_BYTES ((size_t)256 * 1024)

struct block {
    struct block *before;
    size_t size; /* of data */
    _Alignas(16) unsigned char data[];
};

struct mt_arena {
    struct block *top;
    size_t at;   /* first free byte of top */
    size_t used; /* in all blocks, rounded up to ALIGN */
    size_t max_bytes;
};

struct mt_arena *mt_arena_new(size_t max_bytes)
{
    struct mt_arena *arena = mt_mem_calloc(1, sizeof *arena);
    if (arena) {
        arena->max_bytes = max_bytes;
    }
    return arena;
}

static void free_block(struct block *b)
{
    ASAN_UNPOISON_MEMORY_REGION(b->data, b->size);
    mt_mem_free(b);
}

void mt_arena_release(struct mt_arena *arena)
{
    for (struct block *b = arena->top; b;) {
        struct block *before = b->before;
        free_block(b);
        b = before;
    }
    arena->top = NULL;
    arena->at = 0;
    arena->used = 0;
}

void mt_arena_free(struct mt_arena *arena)
{
    if (!arena) {
        return;
    }
    mt_arena_release(arena);
    mt_mem_free(arena);
}

void mt_arena_reset(struct mt_arena *arena)
{
    while (arena->top && arena->top->before) {
        struct block *before = arena->top->before;
        arena->top->before =
            before->before; /* the newest block is the one to keep: it is the largest */
        free_block(before);
    }
    arena->at = 0;
    arena->used = 0;
    if (arena->top) {
        ASAN_POISON_MEMORY_REGION(arena->top->data, arena->top->size);
    }
}

static struct block *add_block(struct mt_arena *arena, size_t need)
{
    size_t size = arena->top ? arena->top->size * 2 : FIRST_BYTES;
    if (size > MAX_BLOCK_BYTES) {
        size = MAX_BLOCK_BYTES;
    }
    if (size < need) {
        size = need;
    }
    struct block *b = mt_mem_alloc(sizeof *b + size);
    if (b) {
        b->before = arena->top;
        b->size = size;
        arena->top = b;
        arena->at = 0;
        ASAN_POISON_MEMORY_REGION(b->data, b->size);
    }
    return b;
}

void *mt_arena_alloc(struct mt_arena *arena, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct block) - ALIGN) {
        return NULL;
    }
    size_t take = size > 0 ? (size + ALIGN - 1) & ~(ALIGN - 1) : ALIGN;
    if (take > arena->max_bytes || arena->used > arena->max_bytes - take) {
        return NULL;
    }
    if (!arena->top || take > arena->top->size - arena->at) {
        if (!add_block(arena, take)) {
            return NULL;
        }
    }
    void *p = arena->top->data + arena->at;
    arena->at += take;
    arena->used += take;
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    return p;
}

void *mt_arena_calloc(struct mt_arena *arena, size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    void *p = mt_arena_alloc(arena, count * size);
    if (p) {
        memset(p, 0, count * size);
    }
    return p;
}

char *mt_arena_strndup(struct mt_arena *arena, const char *s, size_t len)
{
    if (len == SIZE_MAX) {
        return NULL;
    }
    char *copy = mt_arena_alloc(arena, len + 1);
    if (copy) {
        memcpy(copy, s, len);
        copy[len] = '\0';
    }
    return copy;
}

char *mt_arena_strdup(struct mt_arena *arena, const char *s)
{
    return mt_arena_strndup(arena, s, strlen(s));
}

size_t mt_arena_used(const struct mt_arena *arena)
{
    return arena->used;
}
