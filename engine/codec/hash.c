/* SHA-256 by OpenSSL's direct interface: its state is a plain struct, so a digest of all so far is
 * a copy of the state and cannot fail, where the EVP interface allocates for every copy. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "codec/hash.h"

#include "base/mem.h"

#include <openssl/sha.h>

struct mt_sha256 {
    SHA256_CTX state;
};

struct mt_sha256 *mt_sha256_new(void)
{
    struct mt_sha256 *h = mt_mem_alloc(sizeof *h);
    if (h) {
        mt_sha256_reset(h);
    }
    return h;
}

void mt_sha256_free(struct mt_sha256 *h)
{
    mt_mem_free(h);
}

void mt_sha256_reset(struct mt_sha256 *h)
{
    SHA256_Init(&h->state);
}

void mt_sha256_update(struct mt_sha256 *h, const void *p, size_t len)
{
    if (len > 0) {
        SHA256_Update(&h->state, p, len);
    }
}

void mt_sha256_peek(const struct mt_sha256 *h, uint8_t out[MT_SHA256_LEN])
{
    SHA256_CTX copy = h->state;
    SHA256_Final(out, &copy);
}

void mt_sha256_of(const void *p, size_t len, uint8_t out[MT_SHA256_LEN])
{
    struct mt_sha256 h;
    mt_sha256_reset(&h);
    mt_sha256_update(&h, p, len);
    mt_sha256_peek(&h, out);
}

void mt_sha1_of(const void *p, size_t len, uint8_t out[MT_SHA1_LEN])
{
    SHA1(p, len, out);
}

void mt_hex(const uint8_t *p, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
}

uint32_t mt_crc32(uint32_t crc, const void *p, size_t len)
{
    /* four bits at a time: checkpoint records are short, so a small table is the better cache
     * neighbour */
    static const uint32_t nibble[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
        0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
        0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    const uint8_t *in = p;
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= in[i];
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return ~crc;
}
