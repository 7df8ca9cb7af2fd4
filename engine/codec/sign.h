/* Signatures: Ed25519 (OpenSSL). A key is its 32 bytes, and its file is what `openssl pkey` reads,
 * so that a signature can be checked without us. */
#ifndef MT_CODEC_SIGN_H
#define MT_CODEC_SIGN_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

#define MT_SIGN_KEY_LEN 32
#define MT_SIGN_LEN     64

/* NOMEM is the only failure. */
enum mt_rc mt_sign_public(const uint8_t key[MT_SIGN_KEY_LEN],
                          uint8_t public_key[MT_SIGN_KEY_LEN]) MT_CHECKED;
enum mt_rc mt_sign(const uint8_t key[MT_SIGN_KEY_LEN], const void *p, size_t len,
                   uint8_t signature[MT_SIGN_LEN]) MT_CHECKED;
/* Not right is also the answer when memory is short. */
bool mt_sign_is_right(const uint8_t public_key[MT_SIGN_KEY_LEN], const void *p, size_t len,
                      const uint8_t signature[MT_SIGN_LEN]);

/* PEM: RFC 8410. The text of a private key is secret; whoever holds it wipes it. */
enum mt_rc mt_sign_write_key(struct mt_buf *out, const uint8_t key[MT_SIGN_KEY_LEN]) MT_CHECKED;
enum mt_rc mt_sign_write_public(struct mt_buf *out,
                                const uint8_t public_key[MT_SIGN_KEY_LEN]) MT_CHECKED;
bool mt_sign_read_key(const char *text, size_t len, uint8_t key[MT_SIGN_KEY_LEN]);
bool mt_sign_read_public(const char *text, size_t len, uint8_t public_key[MT_SIGN_KEY_LEN]);

#endif
