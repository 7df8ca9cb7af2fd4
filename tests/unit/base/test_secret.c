/* Redaction: no form of a living secret survives in text. The encoders here are this file's own. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/secret.h"
#include "tests.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void to_base64(const unsigned char *p, size_t n, char *out, bool url_safe)
{
    size_t o = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t g = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);
        for (size_t k = 0; k < 4; k++) {
            out[o] = o < (n * 8 + 5) / 6 ? base64[g >> (18 - 6 * k) & 63] : '=';
            o++;
        }
    }
    out[o] = '\0';
    for (size_t i = 0; url_safe && i < o; i++) {
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    }
}

static void assert_redacted(const char *text, const char *expected)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%s", text);
    bool changed = mt_secret_redact(copy, strlen(copy));
    assert_string_equal(copy, expected);
    assert_int_equal(changed, strcmp(text, expected) != 0);
}

static void keeps_the_bytes(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    struct mt_secret *secret = mt_secret_new("a\0b", 3);
    assert_int_equal(mt_secret_len(secret), 3);
    assert_memory_equal(mt_secret_bytes(secret), "a\0b", 4);
    struct mt_secret *empty = mt_secret_new("", 0);
    assert_string_equal(mt_secret_bytes(empty), "");
    mt_secret_free(secret);
    mt_secret_free(empty);
    mt_secret_free(NULL);
    assert_null(mt_secret_new("", SIZE_MAX));
    mt_mem_seam_fail_at(1, 0);
    assert_null(mt_secret_new("abc", 3));
    mt_mem_seam_fail_at(0, 0);
    assert_int_equal(mt_mem_seam_live(), live);
}

static void replaces_every_form(void **state)
{
    (void)state;
    struct mt_secret *secret = mt_secret_new("p a/s+s\"w\\d", 11);
    assert_redacted("say p a/s+s\"w\\d!", "say ***********!");
    assert_redacted("p a/s+s\"w\\dp a/s+s\"w\\d", "**********************");
    assert_redacted("u=p%20a%2Fs%2Bs%22w%5Cd&x", "u=*********************&x");
    assert_redacted("u=p%20a%2fs%2bs%22w%5cd&x", "u=*********************&x");
    assert_redacted("u=p+a/s%2Bs%22w%5cd&x", "u=*****************&x");
    assert_redacted("u=%70%20%61%2f%73%2b%73%22%77%5c%64", "u=*********************************");
    assert_redacted("{\"p\":\"p a/s+s\\\"w\\\\d\"}", "{\"p\":\"*************\"}");
    assert_redacted("{\"p\":\"p a\\/s+s\\\"w\\\\d\"}", "{\"p\":\"**************\"}");
    assert_redacted("\"\\u0070 a\\u002Fs+s\\u0022w\\u005cd\"",
                    "\"*******************************\"");
    assert_redacted("\"{\\\"p\\\":\\\"p a\\\\/s+s\\\\\\\"w\\\\\\\\d\\\"}\"",
                    "\"{\\\"p\\\":\\\"*******************\\\"}\""); /* JSON within JSON */
    assert_redacted("\\\\u0070 a\\\\u002fs\\u005cu002bs\\\\\\u0022w\\\\\\\\d.",
                    "*******************************************.");
    assert_redacted("x=7020612f732b7322775c64.", "x=**********************.");
    assert_redacted("x=7020612F732b7322775C64.", "x=**********************.");
    assert_redacted("p a/s+s\"w\\", "p a/s+s\"w\\"); /* not whole */
    assert_redacted("", "");
    mt_secret_free(secret);
    assert_redacted("say p a/s+s\"w\\d!", "say p a/s+s\"w\\d!"); /* forgotten when freed */
}

static void is_not_cut_before_it_is_seen(void **state)
{
    (void)state;
    char out[12];
    struct mt_secret *secret = mt_secret_new("canary-4711", 11);
    assert_string_equal(mt_secret_shown("say canary-4711 now", out, sizeof out), "say *******");
    assert_string_equal(mt_secret_shown("say 密码密码", out, sizeof out), "say 密码");
    assert_string_equal(mt_secret_shown("", out, sizeof out), "");
    mt_secret_free(secret);
}

static void replaces_text_beyond_ascii(void **state)
{
    (void)state;
    struct mt_secret *secret = mt_secret_new("密码😀é", strlen("密码😀é"));
    assert_redacted("x密码😀éy", "x************y");
    assert_redacted("\"\\u5bc6\\u7801\\ud83d\\ude00\\u00e9\"",
                    "\"******************************\"");
    assert_redacted("%E5%AF%86%E7%A0%81%F0%9F%98%80%C3%A9", "************************************");
    mt_secret_free(secret);
}

static void leaves_short_secrets_and_others_alone(void **state)
{
    (void)state;
    struct mt_secret *secret = mt_secret_new("abc", 3);
    assert_redacted("abc abc", "abc abc");
    mt_secret_free(secret);
    secret = mt_secret_new("abcd", 4);
    assert_redacted("abc abcd% %6 \\u12 \\", "abc ****% %6 \\u12 \\");
    mt_secret_free(secret);
}

static void the_longer_secret_goes_first(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct mt_secret *a = mt_secret_new(order ? "token" : "token-rest", order ? 5 : 10);
        struct mt_secret *b = mt_secret_new(order ? "token-rest" : "token", order ? 10 : 5);
        assert_redacted("token-rest token", "********** *****");
        mt_secret_free(a);
        mt_secret_free(b);
    }
}

static void of_secrets_that_overlap_nothing_is_left(void **state)
{
    (void)state;
    struct mt_secret *a = mt_secret_new("keys-of", 7);
    struct mt_secret *b = mt_secret_new("of-the-house", 12);
    assert_redacted("the keys-of-the-house", "the *****************");
    mt_secret_free(a);
    assert_redacted("the keys-of-the-house", "the keys-************");
    mt_secret_free(b);
}

/* A fault is told for each of ten thousand accounts when the network fails: what a text costs must
 * not grow with them. All begin alike, as a cloud's tokens do. */
static void ten_thousand_cost_as_much_as_one(void **state)
{
    enum { SECRETS = 20000, TEXTS = 20000 };
    (void)state;
    struct mt_secret **secrets = mt_mem_calloc(SECRETS, sizeof(struct mt_secret *));
    char text[128];
    for (int i = 0; i < SECRETS; i++) {
        snprintf(text, sizeof text, "YWMt-token-%d", i);
        secrets[i] = mt_secret_new(text, strlen(text));
    }
    int64_t cpu_us = mt_clock_cpu_us();
    for (int i = 0; i < TEXTS; i++) {
        snprintf(text, sizeof text, "account%d: the connection was lost", i);
        assert_false(mt_secret_redact(text, strlen(text)));
    }
    cpu_us = mt_clock_cpu_us() - cpu_us;
    if (cpu_us > 4000000) {
        fail_msg("%d texts took %lld us", TEXTS, (long long)cpu_us); /* 40 ms; before 60 s */
    }
    assert_redacted("it is YWMt-token-12345!", "it is ****************!");
    for (int i = 0; i < SECRETS; i++) {
        mt_secret_free(secrets[i]);
    }
    assert_redacted("it is YWMt-token-12345!", "it is YWMt-token-12345!");
    mt_mem_free(secrets);
}

/* Random secrets at every place within random base64 text: what is left holds no group of theirs.
 */
static void replaces_base64_at_each_alignment(void **state)
{
    (void)state;
    mt_rand_seed(tests_seed("secret base64"));
    for (int round = 0; round < 3000; round++) {
        unsigned char bytes[64];
        char text[128], whole[128];
        size_t before = (size_t)mt_rand_below(10);
        size_t len = 8 + (size_t)mt_rand_below(20);
        size_t after = (size_t)mt_rand_below(10);
        bool url_safe = mt_rand_below(2);
        mt_rand_bytes(bytes, sizeof bytes);
        struct mt_secret *secret = mt_secret_new((const char *)bytes + before, len);
        to_base64(bytes, before + len + after, text, url_safe);
        memcpy(whole, text, sizeof whole);
        assert_true(mt_secret_redact(text, strlen(text)));
        size_t from = (before * 8 + 5) / 6; /* the first group that the secret alone decides */
        size_t to = (before + len) * 8 / 6;
        for (size_t i = 0; i < strlen(whole); i++) {
            assert_int_equal(text[i], i >= from && i < to ? '*' : whole[i]);
        }
        mt_secret_free(secret);
    }
    mt_rand_seed(0);
}

static void *churn(void *ud)
{
    char name[32];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "secret-%d-%d", *(int *)ud, i);
        struct mt_secret *secret = mt_secret_new(name, strlen(name));
        char text[64];
        snprintf(text, sizeof text, "x %s", name);
        if (!secret || !mt_secret_redact(text, strlen(text)) || strstr(text, "secret")) {
            mt_secret_free(secret);
            return "failed";
        }
        mt_secret_free(secret);
    }
    return NULL;
}

static void is_safe_from_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    int ids[4] = {0, 1, 2, 3};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &ids[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
}

int test_secret(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_bytes),
        cmocka_unit_test(replaces_every_form),
        cmocka_unit_test(is_not_cut_before_it_is_seen),
        cmocka_unit_test(replaces_text_beyond_ascii),
        cmocka_unit_test(leaves_short_secrets_and_others_alone),
        cmocka_unit_test(the_longer_secret_goes_first),
        cmocka_unit_test(of_secrets_that_overlap_nothing_is_left),
        cmocka_unit_test(ten_thousand_cost_as_much_as_one),
        cmocka_unit_test(replaces_base64_at_each_alignment),
        cmocka_unit_test(is_safe_from_threads),
    };
    return cmocka_run_group_tests_name("base/secret", tests, NULL, NULL);
}
