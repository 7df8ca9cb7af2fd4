/* Hashes (OpenSSL). */
#ifndef MT_CODEC_HASH_H
#define MT_CODEC_HASH_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

#define MT_SHA256_LEN 32
#define MT_SHA256_HEX 65 /* with NUL */

struct mt_sha256; /* running state */

struct mt_sha256 *mt_sha256_new(void); /* NULL when memory is short */
void mt_sha256_free(struct mt_sha256 *h);
void mt_sha256_reset(struct mt_sha256 *h);
void mt_sha256_update(struct mt_sha256 *h, const void *p, size_t len);
/* The digest of all so far, without ending the run: more may be added after. */
void mt_sha256_peek(const struct mt_sha256 *h, uint8_t out[MT_SHA256_LEN]);
void mt_sha256_of(const void *p, size_t len, uint8_t out[MT_SHA256_LEN]);
/* For signatures that a cloud wants so; nothing of ours rests on it. */
#define MT_SHA1_LEN 20
void mt_sha1_of(const void *p, size_t len, uint8_t out[MT_SHA1_LEN]);
void mt_hex(const uint8_t *p, size_t len, char *out);       /* lower case, 2 len + 1 bytes */
uint32_t mt_crc32(uint32_t crc, const void *p, size_t len); /* IEEE; start with 0 */

#endif
