/* The rate bucket by itself, on a clock that the test moves. */
#include "base/rand.h"
#include "http/http_int.h"
#include "tests.h"

#include <string.h>

#define S INT64_C(1000000) /* microseconds */

static int64_t take_all(struct mt_http_bucket *bucket, int64_t now_us)
{
    int64_t n = 0;
    while (bucket_take(bucket, now_us) == 0 && n < 100000) {
        n++;
    }
    return n;
}

static void bucket_at(struct mt_http_bucket *bucket, double rate, double burst)
{
    bucket_init(bucket, NULL, rate, burst);
    bucket->refilled_us = 0;
}

/* R17: never more than burst + rate·t in any window, and nearly all of it when the demand is there.
 */
static void admits_what_it_should(void **state)
{
    (void)state;
    struct mt_http_bucket b;
    mt_rand_seed(3);
    for (int round = 0; round < 20; round++) {
        double rate = 1 + (double)mt_rand_below(500);
        double burst = 4 + (double)mt_rand_below(50); /* more than a step of the clock brings */
        int64_t now_us = 0;
        int64_t n = 0;
        bucket_at(&b, rate, burst);
        while (now_us < 20 * S) {
            n += take_all(&b, now_us);
            assert_true((double)n <= burst + rate * (double)now_us / S + 1e-6);
            now_us += 1 + (int64_t)mt_rand_below(3000);
        }
        assert_true((double)n >= 0.98 * rate * 20 - 1);
    }
    mt_rand_seed(0);
}

static void says_how_long_to_wait(void **state)
{
    (void)state;
    struct mt_http_bucket b;
    bucket_at(&b, 10, 1);
    assert_int_equal(bucket_take(&b, 0), 0);
    int64_t wait_us = bucket_take(&b, 0);
    assert_in_range(wait_us, S / 10, S / 10 + 2);
    assert_true(bucket_take(&b, wait_us - 2) > 0);
    assert_int_equal(bucket_take(&b, wait_us), 0);
}

static void unlimited_until_told(void **state)
{
    (void)state;
    struct mt_http_bucket b;
    bucket_at(&b, 0, 0);
    assert_int_equal(take_all(&b, 0), 100000);
    assert_true(mt_http_bucket_rate(&b) == 0);
}

static void a_refusal_blocks_then_halves(void **state)
{
    (void)state;
    struct mt_http_bucket b;
    bucket_at(&b, 0, 0);
    for (int64_t us = 10 * S; us < 13 * S; us += S / 40) { /* 40 a second, three seconds long */
        assert_int_equal(bucket_take(&b, us), 0);
    }
    assert_int_equal(bucket_refused(&b, 13 * S, 13 * S - 10, 5000), 5000);
    assert_true(b.rate_per_s > 19.5 && b.rate_per_s < 20.5);
    assert_int_equal(bucket_wait_us(&b, 13 * S), 5 * S);
    assert_int_equal(bucket_wait_us(&b, 18 * S - 1), 1);
    /* One try when the time has come, not the whole herd. */
    assert_int_equal(take_all(&b, 18 * S), 1);
    int64_t n = 0;
    for (int64_t us = 18 * S; us < 28 * S; us += 1000) {
        n += take_all(&b, us);
    }
    assert_in_range(n, 195, 205);
}

/* 64 answers of one burst say the same: the rate is halved once, the longest wait holds. */
static void one_burst_is_one_refusal(void **state)
{
    (void)state;
    struct mt_http_bucket b;
    bucket_at(&b, 0, 0);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(bucket_take(&b, 10 * S + i), 0);
    }
    for (int i = 0; i < 64; i++) {
        (void)bucket_refused(&b, 10 * S + 5000 + i, 10 * S + i, i == 40 ? 9000 : 2000);
    }
    assert_true(b.rate_per_s > 31 && b.rate_per_s < 33);
    assert_in_range(bucket_wait_us(&b, 10 * S + 6000), 9 * S - 2000, 9 * S);
    /* A request sent after the cut and refused again halves again. */
    assert_int_equal(bucket_take(&b, 20 * S), 0);
    (void)bucket_refused(&b, 20 * S + 100, 20 * S, 1000);
    assert_true(b.rate_per_s < 17);
}

static void never_below_the_floor(void **state)
{
    (void)state;
    struct mt_http_bucket b;
    bucket_at(&b, 0, 0);
    int64_t now_us = 10 * S;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(bucket_take(&b, now_us), 0);
        int64_t wait_ms = bucket_refused(&b, now_us + 10, now_us, 1000);
        now_us += 10 + wait_ms * 1000;
    }
    assert_true(b.rate_per_s >= 0.5);
    assert_true(bucket_wait_us(&b, now_us) <= 2 * S);
}

/* Refusals that state no time: full jitter that grows from one to the next, and forgets after a
 * success. */
static void without_a_stated_time(void **state)
{
    (void)state;
    struct mt_http_bucket b;
    int64_t most = 0;
    mt_rand_seed(11);
    for (int round = 0; round < 200; round++) {
        int64_t now_us = 10 * S;
        bucket_at(&b, 0, 0);
        for (unsigned i = 0; i < 4; i++) {
            int64_t wait_ms = bucket_refused(&b, now_us + 10, now_us, -1);
            assert_true(wait_ms <= INT64_C(1000) << i);
            most = wait_ms > most ? wait_ms : most;
            now_us += 100 + wait_ms * 1000;
        }
        bucket_succeeded(&b, now_us + 10, now_us);
        assert_true(bucket_refused(&b, now_us + 30, now_us + 20, -1) <= 1000);
    }
    assert_true(most > 6000);
    mt_rand_seed(0);
}

static void recovers_slowly(void **state)
{
    (void)state;
    struct mt_http_bucket b;
    bucket_at(&b, 100, 10);
    int64_t us = 10 * S;
    for (; us < 13 * S; us += S / 100) {
        (void)bucket_take(&b, us);
    }
    (void)bucket_refused(&b, us, us - 1, 1000);
    double low = b.rate_per_s;
    assert_true(low > 45 && low < 55);
    bucket_succeeded(&b, us + 500, us - 10); /* a late answer from before the cut says nothing */
    assert_true(b.rate_per_s <= low);
    int64_t back_us = 0;
    for (int64_t t = us + S; t < us + 120 * S && back_us == 0; t += S / 20) {
        bucket_succeeded(&b, t, t - 1000);
        back_us = b.rate_per_s >= 100 ? t - us : 0;
    }
    assert_in_range(back_us, 15 * S, 60 * S);
    assert_true(b.rate_per_s <= 100); /* never above what was given */
}

int test_bucket(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admits_what_it_should),    cmocka_unit_test(says_how_long_to_wait),
        cmocka_unit_test(unlimited_until_told),     cmocka_unit_test(a_refusal_blocks_then_halves),
        cmocka_unit_test(one_burst_is_one_refusal), cmocka_unit_test(never_below_the_floor),
        cmocka_unit_test(without_a_stated_time),    cmocka_unit_test(recovers_slowly),
    };
    return cmocka_run_group_tests_name("http bucket", tests, NULL, NULL);
}
