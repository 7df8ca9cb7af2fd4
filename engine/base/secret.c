/* The registry of living secrets, and the search for them in text. A text is compared through one
 * of three readings (as it stands, percent-decoded, JSON-unescaped) rather than with a list of
 * encoded forms, because encoders differ in what they escape. */
#include "base/secret.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define MIN_SEARCHED 4

/* What is searched for: the bytes, and the base64 characters that they alone decide, at each of the
 * three places where they may begin within a group. */
enum { FORM_PLAIN, FORM_BASE64_0, FORM_BASE64_1, FORM_BASE64_2, FORM_N };

struct form {
    unsigned char *p; /* within struct mt_secret */
    size_t len;
};

struct mt_secret {
    struct mt_secret *next;
    struct mt_secret *prev;
    size_t size; /* of the whole allocation */
    struct form forms[FORM_N];
    unsigned char bytes[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mt_secret *first;

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

/* Longest first: where one secret begins with another, the whole must go before its beginning does.
 */
static void enlist(struct mt_secret *secret)
{
    size_t len = secret->forms[FORM_PLAIN].len;
    struct mt_secret *before = NULL;
    pthread_mutex_lock(&lock);
    struct mt_secret *after = first;
    while (after && after->forms[FORM_PLAIN].len > len) {
        before = after;
        after = after->next;
    }
    secret->prev = before;
    secret->next = after;
    if (after) {
        after->prev = secret;
    }
    if (before) {
        before->next = secret;
    } else {
        first = secret;
    }
    pthread_mutex_unlock(&lock);
}

struct mt_secret *mt_secret_new(const char *bytes, size_t len)
{
    if (len > SIZE_MAX / 8) {
        return NULL;
    }
    size_t base64_max = len * 8 / 6 + 1;
    size_t size = sizeof(struct mt_secret) + len + 1 + 3 * base64_max;
    struct mt_secret *secret = mt_mem_calloc(1, size);
    if (!secret) {
        return NULL;
    }
    secret->size = size;
    if (len > 0) {
        memcpy(secret->bytes, bytes, len);
    }
    secret->forms[FORM_PLAIN] = (struct form){secret->bytes, len};
    for (size_t before = 0; before < 3; before++) {
        struct form *form = &secret->forms[FORM_BASE64_0 + before];
        form->p = secret->bytes + len + 1 + before * base64_max;
        make_base64(form, secret->bytes, len, before);
    }
    enlist(secret);
    return secret;
}

void mt_secret_free(struct mt_secret *secret)
{
    if (!secret) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (secret->prev) {
        secret->prev->next = secret->next;
    } else {
        first = secret->next;
    }
    if (secret->next) {
        secret->next->prev = secret->prev;
    }
    pthread_mutex_unlock(&lock);
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

enum reading { READ_PLAIN, READ_PERCENT, READ_JSON, READ_N };

static void read_unit(enum reading reading, bool base64, const unsigned char *t, size_t left,
                      struct unit *unit)
{
    *unit = (struct unit){.bytes = {t[0]}, .n = 1, .width = 1};
    if (reading == READ_PERCENT) {
        read_percent(t, left, unit);
    } else if (reading == READ_JSON) {
        read_json(t, left, unit);
    }
    if (base64 && unit->bytes[0] == '-') { /* the URL-safe alphabet */
        unit->bytes[0] = '+';
    } else if (base64 && unit->bytes[0] == '_') {
        unit->bytes[0] = '/';
    } else if (!base64 && reading == READ_PERCENT && unit->width == 1 && t[0] == '+') {
        unit->bytes[0] = ' '; /* form encoding */
    }
}

/* How many characters of text the form covers from its first one on; 0 if it does not stand there.
 */
static size_t match(const struct form *form, bool base64, enum reading reading,
                    const unsigned char *text, size_t left)
{
    size_t at = 0;
    size_t done = 0;
    while (done < form->len) {
        struct unit unit;
        if (at >= left) {
            return 0;
        }
        read_unit(reading, base64, text + at, left - at, &unit);
        bool form_plus = reading == READ_PERCENT && !base64 && text[at] == '+' &&
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

static bool redact_form(const struct form *form, bool base64, enum reading reading,
                        unsigned char *text, size_t len)
{
    bool found = false;
    for (size_t at = 0; at < len;) {
        size_t n = match(form, base64, reading, text + at, len - at);
        if (n > 0) {
            memset(text + at, '*', n);
            found = true;
        }
        at += n > 0 ? n : 1;
    }
    return found;
}

static bool redact_secret(const struct mt_secret *secret, const bool readings[READ_N],
                          unsigned char *text, size_t len)
{
    bool found = false;
    if (secret->forms[FORM_PLAIN].len < MIN_SEARCHED) {
        return false;
    }
    for (int f = 0; f < FORM_N; f++) {
        for (int r = 0; r < READ_N; r++) {
            if (readings[r] &&
                redact_form(&secret->forms[f], f != FORM_PLAIN, (enum reading)r, text, len)) {
                found = true;
            }
        }
    }
    return found;
}

bool mt_secret_redact(char *text, size_t len)
{
    bool found = false;
    bool readings[READ_N] = {
        [READ_PLAIN] = true,
        [READ_PERCENT] = memchr(text, '%', len) || memchr(text, '+', len),
        [READ_JSON] = memchr(text, '\\', len) != NULL,
    };
    pthread_mutex_lock(&lock);
    for (const struct mt_secret *s = first; s; s = s->next) {
        if (redact_secret(s, readings, (unsigned char *)text, len)) {
            found = true;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}
