/* Hashes, against the answers that their standards give. */
#include "base/mem.h"
#include "codec/hash.h"
#include "tests.h"

#include <string.h>

static void assert_digest(const uint8_t digest[MT_SHA256_LEN], const char *hex)
{
    char text[MT_SHA256_HEX];
    mt_hex(digest, MT_SHA256_LEN, text);
    assert_string_equal(text, hex);
}

#define OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OF_ABC     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OF_MILLION "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void sha256_of(void **state)
{
    (void)state;
    uint8_t digest[MT_SHA256_LEN];
    mt_sha256_of("", 0, digest);
    assert_digest(digest, OF_NOTHING);
    mt_sha256_of(NULL, 0, digest);
    assert_digest(digest, OF_NOTHING);
    mt_sha256_of("abc", 3, digest);
    assert_digest(digest, OF_ABC);
}

static void sha256_running(void **state)
{
    (void)state;
    uint8_t digest[MT_SHA256_LEN];
    struct mt_sha256 *h = mt_sha256_new();
    mt_sha256_peek(h, digest);
    assert_digest(digest, OF_NOTHING);
    mt_sha256_update(h, "a", 1);
    mt_sha256_peek(h, digest); /* does not end it */
    mt_sha256_update(h, "", 0);
    mt_sha256_update(h, "bc", 2);
    mt_sha256_peek(h, digest);
    assert_digest(digest, OF_ABC);
    mt_sha256_reset(h);
    char block[1000];
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 1000; i++) {
        mt_sha256_update(h, block, sizeof block);
    }
    mt_sha256_peek(h, digest);
    assert_digest(digest, OF_MILLION);
    mt_sha256_free(h);
    mt_sha256_free(NULL);
    mt_mem_seam_fail_at(1, 0);
    assert_null(mt_sha256_new());
    mt_mem_seam_fail_at(0, 0);
}

static void sha1_of(void **state) /* FIPS 180-4's own examples */
{
    uint8_t digest[MT_SHA1_LEN];
    char text[2 * MT_SHA1_LEN + 1];

    (void)state;
    mt_sha1_of("abc", 3, digest);
    mt_hex(digest, sizeof digest, text);
    assert_string_equal(text, "a9993e364706816aba3e25717850c26c9cd0d89d");
    mt_sha1_of("", 0, digest);
    mt_hex(digest, sizeof digest, text);
    assert_string_equal(text, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

static void hex(void **state)
{
    (void)state;
    char out[9];
    mt_hex((const uint8_t *)"\x00\x0f\xf0\xff", 4, out);
    assert_string_equal(out, "000ff0ff");
    mt_hex(NULL, 0, out);
    assert_string_equal(out, "");
}

static void crc32(void **state)
{
    (void)state;
    assert_int_equal(mt_crc32(0, "", 0), 0);
    assert_int_equal(mt_crc32(0, "123456789", 9), 0xCBF43926);
    assert_int_equal(mt_crc32(mt_crc32(0, "1234", 4), "56789", 5), 0xCBF43926);
    assert_int_equal(mt_crc32(0, "The quick brown fox jumps over the lazy dog", 43), 0x414FA339);
    assert_int_equal(mt_crc32(0, "\0\0\0\0", 4), 0x2144DF1C);
}

int test_hash(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of), cmocka_unit_test(sha256_running), cmocka_unit_test(sha1_of),
        cmocka_unit_test(hex),       cmocka_unit_test(crc32),
    };
    return cmocka_run_group_tests_name("codec/hash", tests, NULL, NULL);
}
