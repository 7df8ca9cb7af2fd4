/* Small text helpers that libc lacks. */
#ifndef MT_BASE_STR_H
#define MT_BASE_STR_H

#include "base/rc.h"

#include <stddef.h>

bool mt_str_starts(const char *s, const char *prefix);
bool mt_str_ends(const char *s, const char *suffix);
/* Decimal, whole string, no sign (u64) or optional '-' (i64), no overflow. */
bool mt_str_u64(const char *s, uint64_t *out);
bool mt_str_i64(const char *s, int64_t *out);
/* ASCII lower case in place; returns whether anything changed. */
bool mt_str_fold(char *s);
/* Length of the longest valid UTF-8 prefix of s that is at most max bytes and ends at a character.
 */
size_t mt_str_utf8_cut(const char *s, size_t len, size_t max);
bool mt_str_utf8_valid(const char *s, size_t len);
/* Bytes of the valid UTF-8 character at s (1–4), 0 if there is none (invalid, cut off, or len 0).
 */
size_t mt_str_utf8_step(const char *s, size_t len);
/* The candidate nearest to word by edit distance, or NULL if none is near enough to suggest. */
const char *mt_str_nearest(const char *word, const char *const *candidates, size_t n);
/* Whether the pattern describes the whole text: * stands for any run of characters, with one also ?
 * for exactly one character. Without ? the time is linear in both. */
bool mt_str_glob(const char *pattern, const char *text, size_t len, bool one);
/* A path component that cannot leave its directory: everything but [0-9A-Za-z._-] becomes %XX, a
 * leading dot too; beyond 200 bytes cut and completed by a 64-bit hash. out needs MT_STR_SAFE_MAX
 * bytes. */
#define MT_STR_SAFE_MAX 240
void mt_str_safe_name(const char *s, char *out);

#endif
