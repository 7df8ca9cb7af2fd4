/* Ed25519 by OpenSSL. The PEM of such a key is a fixed head of DER and the 32 bytes (RFC 8410, 7):
 * written and read here, so that nothing else can stand in the file. */
#include "codec/sign.h"

#include "codec/base64.h"

#include <openssl/evp.h>
#include <string.h>

static const uint8_t private_head[16] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                         0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
static const uint8_t public_head[12] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                        0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

#define DER_MAX 64

enum mt_rc mt_sign_public(const uint8_t key[MT_SIGN_KEY_LEN], uint8_t public_key[MT_SIGN_KEY_LEN])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key, MT_SIGN_KEY_LEN);
    size_t len = MT_SIGN_KEY_LEN;
    enum mt_rc rc =
        pkey && EVP_PKEY_get_raw_public_key(pkey, public_key, &len) == 1 && len == MT_SIGN_KEY_LEN
            ? MT_OK
            : MT_ERR_NOMEM;

    EVP_PKEY_free(pkey);
    return rc;
}

enum mt_rc mt_sign(const uint8_t key[MT_SIGN_KEY_LEN], const void *p, size_t len,
                   uint8_t signature[MT_SIGN_LEN])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key, MT_SIGN_KEY_LEN);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t made = MT_SIGN_LEN;
    enum mt_rc rc = pkey && context && EVP_DigestSignInit(context, NULL, NULL, NULL, pkey) == 1 &&
                            EVP_DigestSign(context, signature, &made, p, len) == 1 &&
                            made == MT_SIGN_LEN
                        ? MT_OK
                        : MT_ERR_NOMEM;

    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pkey);
    return rc;
}

bool mt_sign_is_right(const uint8_t public_key[MT_SIGN_KEY_LEN], const void *p, size_t len,
                      const uint8_t signature[MT_SIGN_LEN])
{
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, MT_SIGN_KEY_LEN);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool right = pkey && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
                 EVP_DigestVerify(context, signature, MT_SIGN_LEN, p, len) == 1;

    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pkey);
    return right;
}

/* ---------------------------------------------------------------- PEM */

static enum mt_rc write_pem(struct mt_buf *out, const char *what, const uint8_t *head,
                            size_t head_len, const uint8_t key[MT_SIGN_KEY_LEN])
{
    uint8_t der[DER_MAX];

    memcpy(der, head, head_len);
    memcpy(der + head_len, key, MT_SIGN_KEY_LEN);
    (void)mt_buf_appendf(out, "-----BEGIN %s KEY-----\n", what);
    (void)mt_base64_encode(out, der, head_len + MT_SIGN_KEY_LEN);
    (void)mt_buf_appendf(out, "\n-----END %s KEY-----\n", what);
    explicit_bzero(der, sizeof der);
    return out->failed;
}

static bool skip(const char **at, const char *end, const char *what)
{
    size_t len = strlen(what);

    if ((size_t)(end - *at) < len || memcmp(*at, what, len) != 0)
        return false;
    *at += len;
    return true;
}

static bool read_pem(const char *text, size_t len, const char *what, const uint8_t *head,
                     size_t head_len, uint8_t key[MT_SIGN_KEY_LEN])
{
    const char *at = text;
    const char *end = text + len;
    uint8_t der[MT_BASE64_DECODED_MAX(MT_BASE64_ENCODED_LEN(DER_MAX))];
    size_t chars = MT_BASE64_ENCODED_LEN(head_len + MT_SIGN_KEY_LEN);
    size_t der_len = 0;
    struct mt_buf again;
    bool fine = skip(&at, end, "-----BEGIN ") && skip(&at, end, what) &&
                skip(&at, end, " KEY-----\n") && (size_t)(end - at) > chars &&
                !mt_base64_decode(at, chars, der, &der_len) &&
                der_len == head_len + MT_SIGN_KEY_LEN && !memcmp(der, head, head_len);

    if (fine) {
        at += chars;
        fine = skip(&at, end, "\n-----END ") && skip(&at, end, what) &&
               skip(&at, end, " KEY-----\n") && at == end;
    }
    mt_buf_init(&again, 1024); /* one text for one key: base64 has bits that say nothing */
    fine = fine && !write_pem(&again, what, head, head_len, der + head_len) && again.len == len &&
           !memcmp(again.data, text, len);
    if (fine)
        memcpy(key, der + head_len, MT_SIGN_KEY_LEN);
    if (again.data)
        explicit_bzero(again.data, again.cap);
    mt_buf_deinit(&again);
    explicit_bzero(der, sizeof der);
    return fine;
}

enum mt_rc mt_sign_write_key(struct mt_buf *out, const uint8_t key[MT_SIGN_KEY_LEN])
{
    return write_pem(out, "PRIVATE", private_head, sizeof private_head, key);
}

enum mt_rc mt_sign_write_public(struct mt_buf *out, const uint8_t public_key[MT_SIGN_KEY_LEN])
{
    return write_pem(out, "PUBLIC", public_head, sizeof public_head, public_key);
}

bool mt_sign_read_key(const char *text, size_t len, uint8_t key[MT_SIGN_KEY_LEN])
{
    return read_pem(text, len, "PRIVATE", private_head, sizeof private_head, key);
}

bool mt_sign_read_public(const char *text, size_t len, uint8_t public_key[MT_SIGN_KEY_LEN])
{
    return read_pem(text, len, "PUBLIC", public_head, sizeof public_head, public_key);
}
