/* Signatures, against the answers of RFC 8032, 7.1; and that a key's file has one form. */
#include "codec/sign.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

static void bytes_of(const char *hex, uint8_t *out)
{
    for (; *hex; hex += 2) {
        const char digits[] = {hex[0], hex[1], '\0'};
        *out++ = (uint8_t)strtoul(digits, NULL, 16);
    }
}

#define KEY    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
#define PUBLIC "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
#define SIGNED                                                                                     \
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1" \
    "1d8c387b2eaeb4302aeeb00d291612bb0c00"

static void test_2_of_the_standard(void **state)
{
    uint8_t key[MT_SIGN_KEY_LEN], public_key[MT_SIGN_KEY_LEN], want[MT_SIGN_KEY_LEN];
    uint8_t signature[MT_SIGN_LEN], right[MT_SIGN_LEN];

    (void)state;
    bytes_of(KEY, key);
    bytes_of(PUBLIC, want);
    bytes_of(SIGNED, right);
    assert_int_equal(mt_sign_public(key, public_key), MT_OK);
    assert_memory_equal(public_key, want, sizeof want);
    assert_int_equal(mt_sign(key, "\x72", 1, signature), MT_OK);
    assert_memory_equal(signature, right, sizeof right);
    assert_true(mt_sign_is_right(public_key, "\x72", 1, signature));
    assert_false(mt_sign_is_right(public_key, "\x73", 1, signature));
    signature[3] ^= 1;
    assert_false(mt_sign_is_right(public_key, "\x72", 1, signature));
}

static void a_key_is_one_text(void **state)
{
    uint8_t key[MT_SIGN_KEY_LEN], back[MT_SIGN_KEY_LEN];
    struct mt_buf text;

    (void)state;
    bytes_of(PUBLIC, key);
    mt_buf_init(&text, 1024);
    assert_int_equal(mt_sign_write_public(&text, key), MT_OK);
    assert_string_equal(text.data,
                        "-----BEGIN PUBLIC KEY-----\n"
                        "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"
                        "-----END PUBLIC KEY-----\n"); /* as openssl pkey -pubout writes it */
    assert_true(mt_sign_read_public(text.data, text.len, back));
    assert_memory_equal(key, back, sizeof key);
    assert_false(mt_sign_read_key(text.data, text.len, back));
    for (size_t i = 0; i < text.len; i++) { /* any other text is another key, or none */
        for (unsigned bit = 0; bit < 8; bit++) {
            text.data[i] ^= (char)(1U << bit);
            assert_true(!mt_sign_read_public(text.data, text.len, back) ||
                        memcmp(key, back, sizeof key) != 0);
            text.data[i] ^= (char)(1U << bit);
        }
        assert_false(mt_sign_read_public(text.data, i, back));
    }
    mt_buf_reset(&text);
    assert_int_equal(mt_sign_write_key(&text, key), MT_OK);
    assert_true(mt_sign_read_key(text.data, text.len, back));
    assert_memory_equal(key, back, sizeof key);
    assert_false(mt_sign_read_public(text.data, text.len, back));
    mt_buf_deinit(&text);
}

int test_sign(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_2_of_the_standard),
        cmocka_unit_test(a_key_is_one_text),
    };
    return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
