/* A bump allocator for things that die together: the messages of one page, one decoded frame. */
#ifndef MT_BASE_ARENA_H
#define MT_BASE_ARENA_H

#include <stddef.h>

struct mt_arena;

/* max_bytes bounds everything the arena may hold; beyond it allocations return NULL. */
struct mt_arena *mt_arena_new(size_t max_bytes);
void mt_arena_free(struct mt_arena *arena);
/* Forgets all contents, keeps one block for the next use. */
void mt_arena_reset(struct mt_arena *arena);
/* As reset, and gives all of its memory back: for an arena that lives long and is rarely used. */
void mt_arena_release(struct mt_arena *arena);
/* 16-byte aligned, uninitialised; NULL when memory or the bound is reached. */
void *mt_arena_alloc(struct mt_arena *arena, size_t size);
void *mt_arena_calloc(struct mt_arena *arena, size_t count, size_t size);
char *mt_arena_strndup(struct mt_arena *arena, const char *s, size_t len);
char *mt_arena_strdup(struct mt_arena *arena, const char *s);
size_t mt_arena_used(const struct mt_arena *arena);

#endif
