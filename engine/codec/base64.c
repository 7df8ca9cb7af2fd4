/* Base64 by table. EVP_DecodeBlock would count padding as output and refuses the URL-safe alphabet.
 */
#include "codec/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits of a character of either alphabet; 0xFF: none. */
static const uint8_t bits_of[256] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 62,  255, 62,  255, 63,  52,  53,  54,  55,  56,  57,  58,  59,  60,
    61,  255, 255, 255, 255, 255, 255, 255, 0,   1,   2,   3,   4,   5,   6,   7,   8,   9,   10,
    11,  12,  13,  14,  15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25,  255, 255, 255, 255,
    63,  255, 26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,  41,  42,
    43,  44,  45,  46,  47,  48,  49,  50,  51,  255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255,
};

enum mt_rc mt_base64_encode(struct mt_buf *out, const void *p, size_t len)
{
    if (len > SIZE_MAX / 4 * 3 - 3) {
        return mt_buf_reserve(out, SIZE_MAX); /* fails the buffer with LIMIT */
    }
    enum mt_rc rc = mt_buf_reserve(out, MT_BASE64_ENCODED_LEN(len));
    if (rc != MT_OK) {
        return rc;
    }
    const uint8_t *in = p;
    char *at = out->data + out->len;
    size_t left = len;
    for (; left >= 3; left -= 3, in += 3) {
        uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        at[0] = alphabet[group >> 18];
        at[1] = alphabet[group >> 12 & 63];
        at[2] = alphabet[group >> 6 & 63];
        at[3] = alphabet[group & 63];
        at += 4;
    }
    if (left > 0) {
        uint32_t group = (uint32_t)in[0] << 16 | (left > 1 ? (uint32_t)in[1] << 8 : 0);
        at[0] = alphabet[group >> 18];
        at[1] = alphabet[group >> 12 & 63];
        at[2] = left > 1 ? alphabet[group >> 6 & 63] : '=';
        at[3] = '=';
        at += 4;
    }
    *at = '\0';
    out->len = (size_t)(at - out->data);
    return MT_OK;
}

/* Text length without padding; SIZE_MAX if the padding is wrong. */
static size_t unpadded(const char *text, size_t len)
{
    if (len == 0 || text[len - 1] != '=') {
        return len;
    }
    if (len % 4 != 0) { /* padding is either complete or absent */
        return SIZE_MAX;
    }
    return text[len - 2] == '=' ? len - 2 : len - 1;
}

enum mt_rc mt_base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
    *out_len = 0;
    len = unpadded(text, len);
    if (len == SIZE_MAX || len % 4 == 1) {
        return MT_ERR_PROTOCOL;
    }
    const uint8_t *in = (const uint8_t *)text;
    uint8_t *at = out;
    size_t left = len;
    for (; left >= 4; left -= 4, in += 4) {
        uint32_t a = bits_of[in[0]], b = bits_of[in[1]], c = bits_of[in[2]], d = bits_of[in[3]];
        if ((a | b | c | d) & 0x80) {
            return MT_ERR_PROTOCOL;
        }
        uint32_t group = a << 18 | b << 12 | c << 6 | d;
        at[0] = (uint8_t)(group >> 16);
        at[1] = (uint8_t)(group >> 8);
        at[2] = (uint8_t)group;
        at += 3;
    }
    if (left > 0) { /* 2 or 3 characters: 1 or 2 bytes; the bits left over are not looked at */
        uint32_t a = bits_of[in[0]], b = bits_of[in[1]], c = left > 2 ? bits_of[in[2]] : 0;
        if ((a | b | c) & 0x80) {
            return MT_ERR_PROTOCOL;
        }
        *at++ = (uint8_t)(a << 2 | b >> 4);
        if (left > 2) {
            *at++ = (uint8_t)(b << 4 | c >> 2);
        }
    }
    *out_len = (size_t)(at - out);
    return MT_OK;
}
