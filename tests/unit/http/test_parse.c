/* Addresses, Retry-After, dates, escapes, the back-off's range. */
#include "base/buf.h"
#include "base/rand.h"
#include "http/http_int.h"
#include "tests.h"

#include <string.h>
#include <time.h>

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool ok;
        bool tls;
        bool loopback;
    } rows[] = {
        {"https://a1.easemob.com/x/y?z=1#f", true, true, false},
        {"HTTPS://A1.easemob.com", true, true, false},
        {"http://127.0.0.1:8790/a", true, false, true},
        {"http://127.255.0.9/", true, false, true},
        {"http://localhost:1", true, false, true},
        {"http://LOCALHOST?x", true, false, true},
        {"http://[::1]:80/", true, false, true},
        {"http://[::2]/", true, false, false},
        {"http://128.0.0.1/", true, false, false},
        {"http://localhost.example.com/", true, false, false},
        {"http://127.0.0.1.example.com/", true, false, false},
        {"http://127.1/", true, false, false}, /* only the plain spelling counts */
        {"http://0x7f000001/", true, false, false},
        {"http://user@127.0.0.1/", false, false, false},
        {"http://127.0.0.1\\@evil.com/", false, false, false},
        {"http://127.0.0.1%2f@evil.com/", false, false, false},
        {"http://127.0.0.1:80@evil.com/", false, false, false},
        {"http://:80/", false, false, false},
        {"http:///x", false, false, false},
        {"http://h:0/", false, false, false},
        {"http://h:/", false, false, false},
        {"http://h:65536/", false, false, false},
        {"http://h:1:2/", false, false, false},
        {"ftp://h/", false, false, false},
        {"file:///etc/passwd", false, false, false},
        {"//h/", false, false, false},
        {"", false, false, false},
        {"https://h/a b", false, false, false},
        {"https://h/a\r\nX: y", false, false, false},
        {"https://h/\x7f", false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct url_parts parts = {0};
        struct mt_fault fault = {0};
        print_message("# %s\n", rows[i].url);
        assert_int_equal(url_split(rows[i].url, &parts, &fault) == MT_OK, rows[i].ok);
        if (rows[i].ok) {
            assert_int_equal(parts.tls, rows[i].tls);
            assert_int_equal(parts.loopback, rows[i].loopback);
        } else {
            assert_string_equal(fault.code, "http.url");
        }
    }
}

static void same_place(void **state)
{
    (void)state;
    assert_true(url_same_place("https://h/a", "https://H:443/b"));
    assert_true(url_same_place("http://h/a", "https://h/a"));
    assert_true(url_same_place("http://[::1]:8/a", "http://[::1]:8/"));
    assert_false(url_same_place("https://h/a", "http://h/a"));
    assert_false(url_same_place("http://h:8080/a", "https://h/a"));
    assert_false(url_same_place("https://h/a", "https://h:444/a"));
    assert_false(url_same_place("https://h/a", "https://h.evil/a"));
    assert_false(url_same_place("https://h/a", "ftp://h/a"));
    assert_false(url_same_place("https://h/a", "https://u@h/a"));
}

static void retry_after(void **state)
{
    (void)state;
    const int64_t now_ms = INT64_C(1700000000000); /* Tue, 14 Nov 2023 22:13:20 GMT */
    static const struct {
        const char *value;
        int64_t ms;
    } rows[] = {
        {"1", 1000},
        {"2.5", 2500},
        {" 7 ", 7000},
        {"300", 300000},
        {"301", 300000},
        {"99999999999999999999999999", 300000},
        {"0", 1000},
        {"-5", 1000},
        {"NaN", 1000},
        {"inf", 1000},
        {"1e9", 1000},
        {"soon", 1000},
        {"", 1000},
        {"12abc", 1000},
        {"Tue, 14 Nov 2023 22:13:50 GMT", 30000},
        {"Tue, 14 Nov 2023 22:13:10 GMT", 1000},
        {"Tue, 14 Nov 2043 22:13:10 GMT", 300000},
        {"Tuesday, 14-Nov-23 22:14:20 GMT", 60000},
        {"Tue, 99 Nov 2023 99:99:99 GMT", 1000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("# %s\n", rows[i].value);
        assert_int_equal(retry_after_ms(rows[i].value, now_ms), rows[i].ms);
    }
    assert_int_equal(http_date_ms("Tue, 14 Nov 2023 22:13:20 GMT"), now_ms);
    assert_int_equal(http_date_ms("yesterday"), 0);
    assert_int_equal(http_date_ms(NULL), 0);
}

/* The quick reader of dates against the C library, over 130 years. */
static void dates(void **state)
{
    (void)state;
    char text[64];
    for (int64_t s = 1; s < INT64_C(4102444800); s += 86400 * 3 + 3607) {
        time_t t = (time_t)s;
        struct tm tm;
        assert_true(strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm)) >
                    0);
        assert_int_equal(http_date_ms(text), s * 1000);
    }
    static const char *const odd[] = {"Tue, 14 Foo 2023 22:13:20 GMT",
                                      "Tue, 14 anF 2023 22:13:20 GMT",
                                      "Tue, 1x Nov 2023 22:13:20 GMT",
                                      "Tue, 14 Nov 2023 25:13:20 GMT",
                                      "Tue, 14 Nov 20x3 22:13:20 GMT",
                                      "",
                                      "GMT"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        time_t t = curl_getdate(odd[i], NULL); /* left to curl, which forgives more */
        assert_int_equal(http_date_ms(odd[i]), t > 0 ? (int64_t)t * 1000 : 0);
    }
    /* Other ways to write it are still understood. */
    assert_int_equal(http_date_ms("Tuesday, 14-Nov-23 22:13:20 GMT"), 1700000000000);
    assert_int_equal(http_date_ms("Tue Nov 14 22:13:20 2023"), 1700000000000);
}

static void escapes(void **state)
{
    (void)state;
    struct mt_buf buf;
    mt_buf_init(&buf, 1024);
    assert_int_equal(mt_http_escape(&buf, "aZ09-._~ /?&=%+#\xe4\xbd\xa0"), MT_OK);
    assert_string_equal(buf.data, "aZ09-._~%20%2F%3F%26%3D%25%2B%23%E4%BD%A0");
    mt_buf_reset(&buf);
    assert_int_equal(mt_http_escape(&buf, ""), MT_OK);
    assert_string_equal(buf.data, "");
    mt_buf_deinit(&buf);
    mt_buf_init(&buf, 4);
    assert_int_equal(mt_http_escape(&buf, "ab cd"), MT_ERR_LIMIT);
    mt_buf_deinit(&buf);
}

/* R16: full jitter, rand(0, min(60 s, 1 s · 2^n)). */
static void backoff_fills_its_range(void **state)
{
    (void)state;
    mt_rand_seed(7);
    for (unsigned n = 0; n < 40; n++) {
        int64_t top_ms = n < 6 ? INT64_C(1000) << n : 60000;
        int64_t low = INT64_MAX;
        int64_t high = -1;
        for (int i = 0; i < 2000; i++) {
            int64_t ms = backoff_ms(n);
            low = ms < low ? ms : low;
            high = ms > high ? ms : high;
        }
        assert_true(low >= 0 && low < top_ms / 20);
        assert_true(high <= top_ms && high > top_ms - top_ms / 20);
    }
    mt_rand_seed(0);
}

int test_parse(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),   cmocka_unit_test(same_place),
        cmocka_unit_test(retry_after), cmocka_unit_test(escapes),
        cmocka_unit_test(dates),       cmocka_unit_test(backoff_fills_its_range),
    };
    return cmocka_run_group_tests_name("http parse", tests, NULL, NULL);
}
