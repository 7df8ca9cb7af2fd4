/* Text helpers. */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

bool mt_str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool mt_str_ends(const char *s, const char *suffix)
{
    size_t len = strlen(s);
    size_t n = strlen(suffix);
    return n <= len && memcmp(s + len - n, suffix, n) == 0;
}

bool mt_str_u64(const char *s, uint64_t *out)
{
    uint64_t n = 0;
    if (*s == '\0') {
        return false;
    }
    for (; *s; s++) {
        unsigned digit = (unsigned)(unsigned char)*s - '0';
        if (digit > 9 || __builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, digit, &n)) {
            return false;
        }
    }
    *out = n;
    return true;
}

bool mt_str_i64(const char *s, int64_t *out)
{
    bool negative = *s == '-';
    uint64_t n = 0;
    if (!mt_str_u64(s + negative, &n) || n > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *out = (int64_t)(negative ? 0 - n : n);
    return true;
}

bool mt_str_fold(char *s)
{
    bool changed = false;
    for (; *s; s++) {
        if (*s >= 'A' && *s <= 'Z') {
            *s = (char)(*s - 'A' + 'a');
            changed = true;
        }
    }
    return changed;
}

static bool continues(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

static bool is_three(const unsigned char *p)
{
    bool over_long = p[0] == 0xE0 && p[1] < 0xA0;
    bool surrogate = p[0] == 0xED && p[1] >= 0xA0;
    return continues(p[1]) && continues(p[2]) && !over_long && !surrogate;
}

static bool is_four(const unsigned char *p)
{
    bool over_long = p[0] == 0xF0 && p[1] < 0x90;
    bool too_high = p[0] == 0xF4 && p[1] >= 0x90;
    return continues(p[1]) && continues(p[2]) && continues(p[3]) && !over_long && !too_high;
}

size_t mt_str_utf8_step(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    if (len == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] < 0xC2 || p[0] > 0xF4) { /* a continuation byte, an over-long form, or none at all */
        return 0;
    }
    if (p[0] < 0xE0) {
        return len >= 2 && continues(p[1]) ? 2 : 0;
    }
    if (p[0] < 0xF0) {
        return len >= 3 && is_three(p) ? 3 : 0;
    }
    return len >= 4 && is_four(p) ? 4 : 0;
}

size_t mt_str_utf8_cut(const char *s, size_t len, size_t max)
{
    size_t limit = len < max ? len : max;
    size_t at = 0;
    while (at < limit) {
        size_t step = mt_str_utf8_step(s + at, limit - at);
        if (step == 0) {
            break;
        }
        at += step;
    }
    return at;
}

bool mt_str_utf8_valid(const char *s, size_t len)
{
    return mt_str_utf8_cut(s, len, len) == len;
}

#define NEAREST_MAX 64

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edit distance, a swap of neighbours counting once; both at most NEAREST_MAX long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NEAREST_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_len; j++) {
        last[j] = j;
        before[j] = j; /* not read before it has been a row */
    }
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replace = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = min3(last[j] + 1, row[j - 1] + 1, replace);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j]) {
                row[j] = before[j - 2] + 1;
            }
        }
        size_t *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[b_len];
}

const char *mt_str_nearest(const char *word, const char *const *candidates, size_t n)
{
    size_t len = strlen(word);
    if (len > NEAREST_MAX) {
        return NULL;
    }
    const char *best = NULL;
    size_t best_distance = len / 3 + 1; /* further than this is another word, not a slip */
    for (size_t i = 0; i < n; i++) {
        size_t candidate_len = strlen(candidates[i]);
        if (candidate_len > NEAREST_MAX) {
            continue;
        }
        size_t d = distance(word, len, candidates[i], candidate_len);
        if (d < candidate_len && (d < best_distance || (!best && d == best_distance))) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}

/* A byte that begins no character is one of its own. */
static size_t one_character(const char *s, size_t len)
{
    size_t step = mt_str_utf8_step(s, len);
    return step ? step : 1;
}

/* How much of the text a piece of n bytes without * takes; SIZE_MAX: the text begins otherwise. */
static size_t piece_takes(const char *piece, size_t n, const char *text, size_t len, bool one)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        if (at == len || (text[at] != piece[i] && !(one && piece[i] == '?'))) {
            return SIZE_MAX;
        }
        at += one && piece[i] == '?' ? one_character(text + at, len - at) : 1;
    }
    return at;
}

/* Finds a piece in the text from *at on, the first one, and puts *at behind it; last: the one that
 * ends with the text. */
static bool piece_find(const char *piece, size_t n, const char *text, size_t len, bool one,
                       bool last, size_t *at)
{
    if (!one || !memchr(piece, '?', n)) {
        size_t left = len - *at;
        const char *found = last ? text + len - n : NULL;

        if (n > left) {
            return false;
        }
        found =
            last ? (memcmp(found, piece, n) ? NULL : found) : memmem(text + *at, left, piece, n);
        *at = found ? (size_t)(found - text) + n : *at;
        return found != NULL;
    }
    for (size_t from = *at; from <= len;
         from += from < len ? one_character(text + from, len - from) : 1) {
        size_t takes = piece_takes(piece, n, text + from, len - from, one);
        if (takes != SIZE_MAX && (!last || from + takes == len)) {
            *at = from + takes;
            return true;
        }
    }
    return false;
}

bool mt_str_glob(const char *pattern, const char *text, size_t len, bool one)
{
    size_t n = strcspn(pattern, "*");
    size_t at = piece_takes(pattern, n, text, len, one);

    if (at == SIZE_MAX || !pattern[n]) {
        return at == len;
    }
    while (pattern[n]) {
        pattern += n + 1;
        n = strcspn(pattern, "*");
        if (!piece_find(pattern, n, text, len, one, !pattern[n], &at)) {
            return false;
        }
    }
    return true;
}

/* FNV-1a, 64 bit. */
static uint64_t hash(const char *s)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (; *s; s++) {
        h = (h ^ (unsigned char)*s) * 0x100000001B3u;
    }
    return h;
}

static bool is_safe(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '_' || c == '-';
}

void mt_str_safe_name(const char *s, char *out)
{
    static const char hex[] = "0123456789ABCDEF";
    const size_t max = 200;
    size_t at = 0;
    for (const char *p = s; *p; p++) {
        bool plain = is_safe(*p) && !(p == s && *p == '.');
        if (at + (plain ? 1 : 3) > max) {
            /* '~' never comes from a character, so a cut name equals no whole one */
            snprintf(out + at, MT_STR_SAFE_MAX - at, "~%016llx", (unsigned long long)hash(s));
            return;
        }
        if (plain) {
            out[at++] = *p;
        } else {
            out[at++] = '%';
            out[at++] = hex[(unsigned char)*p >> 4];
            out[at++] = hex[(unsigned char)*p & 15];
        }
    }
    if (at == 0) {
        out[at++] = '%'; /* the empty text has a name too, and no other text has this one */
    }
    out[at] = '\0';
}
