/* The fault text, and what it does to requests. */
#include "tests.h"

#include "sandbox/faults_int.h"
#include "sandbox/tokens_int.h"

#include <stdio.h>
#include <string.h>

static const char HISTORY[] = "/sandbox/demo/users/agent/messageroaming";
static const char LIST[] = "/sandbox/demo/users/agent/user_channels";

static struct mt_sb_faults parse(const char *spec)
{
    struct mt_sb_faults faults = {0};
    struct mt_fault fault = {0};
    enum mt_rc rc = mt_sb_faults_parse(&faults, spec, &fault);
    if (rc != MT_OK)
        fail_msg("%s: %s", spec, fault.message);
    return faults;
}

static enum mt_sb_trouble pick(struct mt_sb_faults *faults, const char *path, int64_t now_us)
{
    struct mt_sb_pick one;
    mt_sb_faults_pick(faults, path, now_us, &one);
    return one.trouble;
}

static void test_defaults(void **state)
{
    (void)state;
    struct mt_sb_faults faults = parse("");
    assert_int_equal(faults.list_cap, 500);
    assert_int_equal(faults.old_list_limit, 10);
    assert_int_equal(faults.old_list_age_ms, INT64_C(7) * 24 * 3600 * 1000);
    assert_int_equal(faults.queue_single, 500);
    assert_int_equal(faults.queue_group, 200);
    assert_false(faults.log);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pick(&faults, HISTORY, i), MT_SB_TROUBLE_NONE);
    mt_sb_faults_deinit(&faults);
}

static void test_values(void **state)
{
    (void)state;
    struct mt_sb_faults faults =
        parse(" latency=50ms..80ms, rate=20/s,retry_after=7 ,p429=0.25,no_roaming,log=on,"
              "token_ttl=5s,only=user_channels,list_cap=100,registered=bob|eve,log=off\n");
    assert_int_equal(faults.latency_ms, 50);
    assert_int_equal(faults.latency_max_ms, 80);
    assert_true(faults.rate > 19.9 && faults.rate < 20.1);
    assert_string_equal(faults.retry_after, "7");
    assert_true(faults.no_roaming);
    assert_false(faults.log); /* the later one counts */
    assert_int_equal(faults.token_ttl_ms, 5000);
    assert_int_equal(faults.list_cap, 100);
    assert_string_equal(faults.only, "user_channels");
    assert_string_equal(faults.registered, "bob|eve");
    mt_sb_faults_deinit(&faults);
    faults = parse("retry_after=none");
    assert_string_equal(faults.retry_after, "");
    mt_sb_faults_deinit(&faults);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "p429=2", "p429=-1",        "p429=x",   "latency=5",    "latency=9ms..1ms",
        "rate=0", "retry_after=-1", "after=x",  "token_ttl=0s", "no_roaming=maybe",
        "only=",  "nonsense=1",     "p429=nan", "cut=inf",      "list_cap=99999999999999999999"};
    struct mt_sb_faults faults = parse("list_cap=3");
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct mt_fault fault = {0};
        if (mt_sb_faults_parse(&faults, BAD[i], &fault) != MT_ERR_INVALID)
            fail_msg("%s was taken", BAD[i]);
        assert_int_equal(faults.list_cap, 3); /* what was there stays */
        assert_true(fault.message[0] != '\0');
    }
    struct mt_fault fault = {0};
    assert_int_equal(mt_sb_faults_parse(&faults, "stale_curser=1", &fault), MT_ERR_INVALID);
    assert_non_null(strstr(fault.message, "stale_cursor")); /* names the nearest */
    char spec[6000];
    memset(spec, ',', sizeof spec);
    spec[sizeof spec - 1] = '\0';
    assert_int_equal(mt_sb_faults_parse(&faults, spec, &fault), MT_ERR_LIMIT);
    mt_sb_faults_deinit(&faults);
}

static void test_schedule(void **state)
{
    (void)state;
    struct mt_sb_faults faults = parse("cut=1,after=3,every=2,times=2");
    char seen[16] = "";
    for (int i = 0; i < 12; i++)
        seen[i] = pick(&faults, LIST, i) == MT_SB_TROUBLE_CUT ? 'x' : '.';
    assert_string_equal(seen, "....x.x.....");
    mt_sb_faults_deinit(&faults);
}

static void test_only(void **state)
{
    (void)state;
    struct mt_sb_faults faults = parse("p5xx=1,only=messageroaming,latency=5ms");
    struct mt_sb_pick one;
    mt_sb_faults_pick(&faults, LIST, 1, &one);
    assert_int_equal(one.trouble, MT_SB_TROUBLE_NONE);
    assert_int_equal(one.delay_ms, 0);
    mt_sb_faults_pick(&faults, HISTORY, 1, &one);
    assert_int_equal(one.trouble, MT_SB_TROUBLE_5XX);
    assert_int_equal(one.delay_ms, 5);
    mt_sb_faults_deinit(&faults);
    /* troubles of pages leave other calls alone, and are not used up by them */
    faults = parse("stale_cursor=1,times=1");
    assert_int_equal(pick(&faults, LIST, 1), MT_SB_TROUBLE_NONE);
    assert_int_equal(pick(&faults, HISTORY, 1), MT_SB_TROUBLE_STALE_CURSOR);
    assert_int_equal(pick(&faults, HISTORY, 1), MT_SB_TROUBLE_NONE);
    mt_sb_faults_deinit(&faults);
}

static void test_chance_repeats(void **state)
{
    (void)state;
    struct mt_sb_faults a = parse("p429=0.3,seed=42");
    struct mt_sb_faults b = parse("p429=0.3,seed=42");
    int hits = 0;
    for (int i = 0; i < 10000; i++) {
        enum mt_sb_trouble one = pick(&a, LIST, i);
        assert_int_equal(one, pick(&b, LIST, i));
        hits += one == MT_SB_TROUBLE_429 ? 1 : 0;
    }
    assert_in_range(hits, 2800, 3200);
    mt_sb_faults_deinit(&a);
    mt_sb_faults_deinit(&b);
}

static void test_rate(void **state)
{
    (void)state;
    struct mt_sb_faults faults = parse("rate=10/s");
    int passed = 0;
    for (int64_t us = 1; us < 3000000; us += 1000) /* 1,000 requests a second for three seconds */
        passed += pick(&faults, LIST, us) == MT_SB_TROUBLE_NONE ? 1 : 0;
    assert_in_range(passed, 38, 41); /* the bucket, and ten a second */
    mt_sb_faults_deinit(&faults);
}

static void test_tokens(void **state)
{
    (void)state;
    struct mt_sb_tokens tokens;
    struct mt_sb_user user = {.index = 3};
    struct mt_sb_token_check check;
    char one[MT_SB_TOKEN_LEN + 1];
    char two[MT_SB_TOKEN_LEN + 1];
    assert_int_equal(mt_sb_tokens_init(&tokens), MT_OK);
    assert_int_equal(mt_sb_tokens_issue(&tokens, &user, 1000, one), MT_OK);
    mt_sb_tokens_check(&tokens, one, 999, &check);
    assert_int_equal(check.state, MT_SB_TOKEN_GOOD);
    assert_ptr_equal(check.user, &user);
    mt_sb_tokens_check(&tokens, one, 1000, &check);
    assert_int_equal(check.state, MT_SB_TOKEN_EXPIRED);
    mt_sb_tokens_check(&tokens, "YWMtother", 1, &check);
    assert_int_equal(check.state, MT_SB_TOKEN_UNKNOWN);
    mt_sb_tokens_check(&tokens, "sandbox-", 1, &check);
    assert_int_equal(check.state, MT_SB_TOKEN_UNKNOWN);
    mt_sb_tokens_check(&tokens, "sandbox-eve", 1, &check);
    assert_int_equal(check.state, MT_SB_TOKEN_GOOD);
    assert_string_equal(check.plain_user, "eve");
    mt_sb_tokens_expire_all(&tokens);
    mt_sb_tokens_check(&tokens, one, 1, &check);
    assert_int_equal(check.state, MT_SB_TOKEN_EXPIRED);
    mt_sb_tokens_check(&tokens, "sandbox-eve", 1, &check);
    assert_int_equal(check.state, MT_SB_TOKEN_EXPIRED);
    assert_int_equal(mt_sb_tokens_issue(&tokens, &user, 1000, two), MT_OK);
    assert_string_not_equal(one, two);
    mt_sb_tokens_check(&tokens, two, 1, &check);
    assert_int_equal(check.state, MT_SB_TOKEN_GOOD); /* a new login helps */
    mt_sb_tokens_deinit(&tokens);
}

int test_faults(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_only),     cmocka_unit_test(test_chance_repeats),
        cmocka_unit_test(test_rate),     cmocka_unit_test(test_tokens),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
