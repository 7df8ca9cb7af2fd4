/* The registry of living secrets, and the search for them in text. A text is compared through one
 * of several readings (as it stands, percent-decoded, JSON-unescaped once or twice) rather than
 * with a list of encoded forms, because encoders differ in what they escape. */
#include "base/secret.h"

#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Every form is at least so long: shorter secrets are not searched for. */
#define MIN_SEARCHED 4
#define HEADS        65536u
#define SHOWN_FROM   4096 /* so much is looked at before it is cut */

/* What is searched for: the bytes, their hexadecimal digits, and the base64 characters that they
 * alone decide, at each of the three places where they may begin within a group. */
enum { FORM_PLAIN, FORM_BASE64_0, FORM_BASE64_1, FORM_BASE64_2, FORM_HEX, FORM_N };

/* How the characters of a form are compared. */
enum letters { LETTERS_PLAIN, LETTERS_BASE64, LETTERS_HEX };

struct form {
    struct form *next, *prev; /* of the same head */
    unsigned char *p;         /* within struct mt_secret */
    size_t len;
    uint32_t key;
    enum letters letters;
};

struct mt_secret {
    size_t size; /* of the whole allocation */
    struct form forms[FORM_N];
    unsigned char bytes[];
};

/* All forms by how they begin, so that a text costs the same with ten thousand accounts as with
 * one: a fault is told for each of them when a network fails. full says which heads are not
 * empty, in what fits a processor's cache. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct form *heads[HEADS];
static uint64_t full[HEADS / 64];
static size_t listed_n;

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The 6 bits of group i when `before` unknown bytes stand in front of the secret. */
static char base64_char(const unsigned char *p, size_t len, size_t before, size_t i)
{
    unsigned bits = 0;
    for (size_t k = 0; k < 6; k++) {
        size_t bit = i * 6 + k - before * 8;
        bits = bits << 1 | (bit < len * 8 ? (p[bit / 8] >> (7 - bit % 8)) & 1u : 0);
    }
    return alphabet[bits];
}

static void make_base64(struct form *form, const unsigned char *p, size_t len, size_t before)
{
    size_t from = (before * 8 + 5) / 6;
    size_t to = (before * 8 + len * 8) / 6;
    form->len = 0;
    for (size_t i = from; i < to; i++) {
        form->p[form->len++] = (unsigned char)base64_char(p, len, before, i);
    }
}

static void make_hex(struct form *form, const unsigned char *p, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        form->p[form->len++] = (unsigned char)digits[p[i] >> 4];
        form->p[form->len++] = (unsigned char)digits[p[i] & 15];
    }
}

/* What some encoder writes for another is the same here; match() looks closer. */
static uint32_t key_byte(unsigned char c)
{
    if (c >= 'A' && c <= 'F') {
        return c | 0x20u;
    }
    if (c == '+' || c == '-') {
        return ' ';
    }
    return c == '_' ? '/' : c;
}

static uint32_t key_of(const unsigned char *p)
{
    return key_byte(p[0]) | key_byte(p[1]) << 8 | key_byte(p[2]) << 16 | key_byte(p[3]) << 24;
}

static uint32_t head_of(uint32_t key)
{
    return (uint32_t)(key * UINT32_C(2654435761)) >> 16;
}

static void enlist(struct mt_secret *secret)
{
    if (secret->forms[FORM_PLAIN].len < MIN_SEARCHED) {
        return;
    }
    pthread_mutex_lock(&lock);
    for (int i = 0; i < FORM_N; i++) {
        struct form *form = &secret->forms[i];
        form->key = key_of(form->p);
        uint32_t at = head_of(form->key);
        form->next = heads[at];
        if (form->next) {
            form->next->prev = form;
        }
        heads[at] = form;
        full[at / 64] |= UINT64_C(1) << at % 64;
    }
    listed_n++;
    pthread_mutex_unlock(&lock);
}

static void delist(struct mt_secret *secret)
{
    if (secret->forms[FORM_PLAIN].len < MIN_SEARCHED) {
        return;
    }
    pthread_mutex_lock(&lock);
    for (int i = 0; i < FORM_N; i++) {
        struct form *form = &secret->forms[i];
        uint32_t at = head_of(form->key);
        if (form->prev) {
            form->prev->next = form->next;
        } else {
            heads[at] = form->next;
        }
        if (form->next) {
            form->next->prev = form->prev;
        }
        if (!heads[at]) {
            full[at / 64] &= ~(UINT64_C(1) << at % 64);
        }
    }
    listed_n--;
    pthread_mutex_unlock(&lock);
}

struct mt_secret *mt_secret_new(const char *bytes, size_t len)
{
    if (len > SIZE_MAX / 8) {
        return NULL;
    }
    size_t base64_max = len * 8 / 6 + 1;
    size_t size = sizeof(struct mt_secret) + len + 1 + 3 * base64_max + 2 * len;
    struct mt_secret *secret = mt_mem_calloc(1, size);
    if (!secret) {
        return NULL;
    }
    secret->size = size;
    if (len > 0) {
        memcpy(secret->bytes, bytes, len);
    }
    secret->forms[FORM_PLAIN] = (struct form){.p = secret->bytes, .len = len};
    for (size_t before = 0; before < 3; before++) {
        struct form *form = &secret->forms[FORM_BASE64_0 + before];
        form->p = secret->bytes + len + 1 + before * base64_max;
        form->letters = LETTERS_BASE64;
        make_base64(form, secret->bytes, len, before);
    }
    struct form *hex = &secret->forms[FORM_HEX];
    hex->p = secret->bytes + len + 1 + 3 * base64_max;
    hex->letters = LETTERS_HEX;
    make_hex(hex, secret->bytes, len);
    enlist(secret);
    return secret;
}

void mt_secret_free(struct mt_secret *secret)
{
    if (!secret) {
        return;
    }
    delist(secret);
    explicit_bzero(secret, secret->size);
    mt_mem_free(secret);
}

const char *mt_secret_bytes(const struct mt_secret *secret)
{
    return (const char *)secret->bytes;
}

size_t mt_secret_len(const struct mt_secret *secret)
{
    return secret->forms[FORM_PLAIN].len;
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What one unit of the text stands for in a reading: n bytes, written in width characters. */
struct unit {
    unsigned char bytes[4];
    size_t n;
    size_t width;
};

static void read_percent(const unsigned char *t, size_t left, struct unit *unit)
{
    if (t[0] == '%' && left >= 3 && hex_value(t[1]) >= 0 && hex_value(t[2]) >= 0) {
        unit->bytes[0] = (unsigned char)(hex_value(t[1]) << 4 | hex_value(t[2]));
        unit->width = 3;
    }
}

static bool read_hex4(const unsigned char *t, size_t left, uint32_t *out)
{
    if (left < 6 || t[0] != '\\' || t[1] != 'u') {
        return false;
    }
    *out = 0;
    for (size_t i = 2; i < 6; i++) {
        int v = hex_value(t[i]);
        if (v < 0) {
            return false;
        }
        *out = *out << 4 | (uint32_t)v;
    }
    return true;
}

static void put_utf8(struct unit *unit, uint32_t c)
{
    if (c < 0x80) {
        unit->bytes[0] = (unsigned char)c;
        unit->n = 1;
    } else if (c < 0x800) {
        unit->bytes[0] = (unsigned char)(0xC0 | c >> 6);
        unit->bytes[1] = (unsigned char)(0x80 | (c & 0x3F));
        unit->n = 2;
    } else if (c < 0x10000) {
        unit->bytes[0] = (unsigned char)(0xE0 | c >> 12);
        unit->bytes[1] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
        unit->bytes[2] = (unsigned char)(0x80 | (c & 0x3F));
        unit->n = 3;
    } else {
        unit->bytes[0] = (unsigned char)(0xF0 | c >> 18);
        unit->bytes[1] = (unsigned char)(0x80 | (c >> 12 & 0x3F));
        unit->bytes[2] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
        unit->bytes[3] = (unsigned char)(0x80 | (c & 0x3F));
        unit->n = 4;
    }
}

static void read_json(const unsigned char *t, size_t left, struct unit *unit)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    uint32_t c = 0;
    if (t[0] != '\\' || left < 2) {
        return;
    }
    if (read_hex4(t, left, &c)) {
        uint32_t low = 0;
        unit->width = 6;
        if (c >= 0xD800 && c < 0xDC00 && read_hex4(t + 6, left - 6, &low) && low >= 0xDC00 &&
            low < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            unit->width = 12;
        }
        put_utf8(unit, c);
        return;
    }
    const char *name = memchr(names, t[1], sizeof names - 1);
    if (name) {
        unit->bytes[0] = (unsigned char)values[name - names];
        unit->width = 2;
    }
}

/* JSON within JSON: a server that echoes a request in the text of its error. What a backslash of
 * the outer one stands for may begin an escape of the inner one. */
static void read_json_twice(const unsigned char *t, size_t left, struct unit *unit)
{
    unsigned char inner[12] = {0}; /* the longest escape */
    size_t ends[sizeof inner] = {0};
    size_t n = 0;
    size_t at = 0;
    read_json(t, left, unit);
    if (unit->width == 1 || unit->n != 1 || unit->bytes[0] != '\\') {
        return;
    }
    while (n < sizeof inner && at < left) {
        struct unit one = {.bytes = {t[at]}, .n = 1, .width = 1};
        read_json(t + at, left - at, &one);
        if (one.n != 1) {
            break;
        }
        at += one.width;
        inner[n] = one.bytes[0];
        ends[n++] = at;
    }
    struct unit two = {.bytes = {inner[0]}, .n = 1, .width = 1};
    read_json(inner, n, &two);
    *unit = two;
    unit->width = ends[two.width - 1];
}

enum reading { READ_PLAIN, READ_PERCENT, READ_JSON, READ_JSON_TWICE, READ_N };

static void read_unit(enum reading reading, const unsigned char *t, size_t left, struct unit *unit)
{
    *unit = (struct unit){.bytes = {t[0]}, .n = 1, .width = 1};
    if (reading == READ_PERCENT) {
        read_percent(t, left, unit);
    } else if (reading == READ_JSON) {
        read_json(t, left, unit);
    } else if (reading == READ_JSON_TWICE) {
        read_json_twice(t, left, unit);
    }
}

/* As read_unit, with what different encoders write for the same. */
static void read_letter(enum reading reading, enum letters letters, const unsigned char *t,
                        size_t left, struct unit *unit)
{
    read_unit(reading, t, left, unit);
    unsigned char c = unit->bytes[0];
    if (letters == LETTERS_BASE64) { /* the URL-safe alphabet */
        unit->bytes[0] = c == '-' ? '+' : c == '_' ? '/' : c;
    } else if (letters == LETTERS_HEX && c >= 'A' && c <= 'F') {
        unit->bytes[0] = c | 0x20;
    } else if (letters == LETTERS_PLAIN && reading == READ_PERCENT && unit->width == 1 &&
               t[0] == '+') {
        unit->bytes[0] = ' '; /* form encoding */
    }
}

/* How many characters of text the form covers from its first one on; 0 if it does not stand there.
 */
static size_t match(const struct form *form, enum reading reading, const unsigned char *text,
                    size_t left)
{
    size_t at = 0;
    size_t done = 0;
    while (done < form->len) {
        struct unit unit;
        if (at >= left) {
            return 0;
        }
        read_letter(reading, form->letters, text + at, left - at, &unit);
        bool form_plus = reading == READ_PERCENT && form->letters == LETTERS_PLAIN &&
                         text[at] == '+' &&
                         form->p[done] == '+'; /* encoders that leave '+' alone */
        if (!form_plus &&
            (unit.n > form->len - done || memcmp(unit.bytes, form->p + done, unit.n) != 0)) {
            return 0;
        }
        at += unit.width;
        done += unit.n;
    }
    return at;
}

/* The key of what stands at text in a reading; false if less than a whole key does. */
static bool read_key(enum reading reading, const unsigned char *text, size_t left, uint32_t *key)
{
    unsigned char bytes[MIN_SEARCHED + 4];
    size_t at = 0;
    size_t n = 0;
    while (n < MIN_SEARCHED) {
        struct unit unit;
        if (at >= left) {
            return false;
        }
        read_unit(reading, text + at, left - at, &unit);
        memcpy(bytes + n, unit.bytes, unit.n);
        n += unit.n;
        at += unit.width;
    }
    *key = key_of(bytes);
    return true;
}

/* How far the longest secret reaches that begins at text, in any reading; 0: none does. */
static size_t longest(const bool readings[READ_N], const unsigned char *text, size_t left)
{
    size_t most = 0;
    for (int r = 0; r < READ_N; r++) {
        uint32_t key = 0;
        if (!readings[r] || !read_key((enum reading)r, text, left, &key)) {
            continue;
        }
        uint32_t at = head_of(key);
        if (!(full[at / 64] >> at % 64 & 1)) {
            continue;
        }
        for (const struct form *form = heads[at]; form; form = form->next) {
            size_t n = form->key == key ? match(form, (enum reading)r, text, left) : 0;
            most = n > most ? n : most;
        }
    }
    return most;
}

/* Each place is looked at before it is covered, so that of secrets that overlap nothing is left. */
bool mt_secret_redact(char *text, size_t len)
{
    unsigned char *t = (unsigned char *)text;
    size_t until = 0;
    bool readings[READ_N] = {
        [READ_PLAIN] = true,
        [READ_PERCENT] = memchr(text, '%', len) || memchr(text, '+', len),
        [READ_JSON] = memchr(text, '\\', len) != NULL,
        [READ_JSON_TWICE] = memchr(text, '\\', len) != NULL,
    };
    pthread_mutex_lock(&lock);
    for (size_t at = 0; listed_n > 0 && at < len; at++) {
        size_t n = longest(readings, t + at, len - at);
        until = n > 0 && at + n > until ? at + n : until;
        if (at < until) {
            t[at] = '*';
        }
    }
    pthread_mutex_unlock(&lock);
    return until > 0;
}

const char *mt_secret_shown(const char *text, char *out, size_t cap)
{
    char whole[SHOWN_FROM];
    snprintf(whole, sizeof whole, "%s", text);
    size_t len = strlen(whole);
    mt_secret_redact(whole, len);
    size_t n = mt_str_utf8_cut(whole, len, cap - 1);
    memcpy(out, whole, n);
    out[n] = '\0';
    explicit_bzero(whole, sizeof whole);
    return out;
}
