/* Base64. */
#include "base/mem.h"
#include "base/rand.h"
#include "codec/base64.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

static void known_answers(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {/* RFC 4648 §10 */
                                           {"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xFB\xFF\xBF", "+/+/"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct mt_buf b;
        mt_buf_init(&b, 100);
        assert_int_equal(mt_base64_encode(&b, pairs[i][0], strlen(pairs[i][0])), MT_OK);
        assert_string_equal(b.data, pairs[i][1]);
        uint8_t out[100];
        size_t len = 0;
        assert_int_equal(mt_base64_decode(b.data, b.len, out, &len), MT_OK);
        assert_int_equal(len, strlen(pairs[i][0]));
        assert_memory_equal(out, pairs[i][0], len);
        /* and without the padding */
        assert_int_equal(mt_base64_decode(b.data, strcspn(b.data, "="), out, &len), MT_OK);
        assert_memory_equal(out, pairs[i][0], strlen(pairs[i][0]));
        mt_buf_deinit(&b);
    }
    uint8_t out[8];
    size_t len = 0;
    assert_int_equal(mt_base64_decode("-_-_", 4, out, &len), MT_OK);
    assert_memory_equal(out, "\xFB\xFF\xBF", 3);
}

static void refuses_everything_else(void **state)
{
    (void)state;
    static const char *const bad[] = {"A",
                                      "AAAAA",
                                      "=",
                                      "==",
                                      "===",
                                      "====",
                                      "A=",
                                      "A==",
                                      "A===",
                                      "AA=",
                                      "AAA==",
                                      "AAAA=",
                                      "AAAA====",
                                      "AA==AAAA",
                                      "AAA=A",
                                      "AA A",
                                      "AAA\n",
                                      "AA.A",
                                      "AA\x80"
                                      "A",
                                      "AA\xFF"
                                      "A",
                                      "=AAA",
                                      "A=AA",
                                      "AA=A",
                                      "AAA*",
                                      "AA*",
                                      "A*"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t out[16];
        size_t len = 9;
        assert_int_equal(mt_base64_decode(bad[i], strlen(bad[i]), out, &len), MT_ERR_PROTOCOL);
        assert_int_equal(len, 0);
    }
    uint8_t out[4];
    size_t len = 0;
    assert_int_equal(mt_base64_decode("AA\0A", 4, out, &len), MT_ERR_PROTOCOL);
    /* one character too many, whatever follows in memory */
    assert_int_equal(mt_base64_decode("AAAA", 1, out, &len), MT_ERR_PROTOCOL);
}

static void every_byte_is_in_the_alphabet_or_refused(void **state)
{
    (void)state;
    int good = 0;
    for (int c = 0; c < 256; c++) {
        const char text[4] = {'A', 'A', 'A', (char)c};
        uint8_t out[8];
        size_t len = 0;
        good += mt_base64_decode(text, 4, out, &len) == MT_OK;
    }
    assert_int_equal(good, 64 + 2 + 1); /* both alphabets and the padding */
}

/* Exactly sized heap blocks, so that the address sanitizer sees a byte too much. */
static void round_trips(void **state)
{
    (void)state;
    mt_rand_seed(tests_seed("base64"));
    for (size_t len = 0; len < 600; len++) {
        uint8_t *in = malloc(len + 1);
        mt_rand_bytes(in, len);
        struct mt_buf b;
        mt_buf_init(&b, MT_BASE64_ENCODED_LEN(len));
        assert_int_equal(mt_base64_encode(&b, in, len), MT_OK);
        assert_int_equal(b.len, MT_BASE64_ENCODED_LEN(len));
        assert_int_equal(strlen(b.data), b.len);
        char *text = malloc(b.len + 1);
        memcpy(text, b.data, b.len + 1);
        for (size_t i = 0; len % 2 && i < b.len; i++) { /* the URL-safe form half of the time */
            text[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
        }
        uint8_t *out = malloc(MT_BASE64_DECODED_MAX(b.len));
        size_t got = 0;
        assert_int_equal(mt_base64_decode(text, b.len, out, &got), MT_OK);
        assert_int_equal(got, len);
        assert_memory_equal(out, in, len);
        mt_buf_deinit(&b);
        free(in);
        free(text);
        free(out);
    }
    mt_rand_seed(0);
}

static void appends_and_holds_the_limit(void **state)
{
    (void)state;
    struct mt_buf b;
    mt_buf_init(&b, 6);
    mt_buf_append_str(&b, "x:");
    assert_int_equal(mt_base64_encode(&b, "abc", 3), MT_OK);
    assert_string_equal(b.data, "x:YWJj");
    assert_int_equal(mt_base64_encode(&b, "abc", 3), MT_ERR_LIMIT);
    mt_buf_reset(&b);
    assert_int_equal(mt_base64_encode(&b, "abc", SIZE_MAX - 1), MT_ERR_LIMIT);
    mt_buf_reset(&b);
    mt_mem_seam_fail_at(1, 0);
    assert_int_equal(mt_base64_encode(&b, "abc", 3), MT_ERR_NOMEM);
    mt_mem_seam_fail_at(0, 0);
    mt_buf_deinit(&b);
}

int test_base64(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(every_byte_is_in_the_alphabet_or_refused),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(appends_and_holds_the_limit),
    };
    return cmocka_run_group_tests_name("codec/base64", tests, NULL, NULL);
}
