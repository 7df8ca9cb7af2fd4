/* Schedules in words. */
#include "jobs/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

int test_words(void);

static void sentences(void **state)
{
    static const struct {
        const char *cron, *zone, *words;
    } cases[] = {
        {"0 3 * * *", "Asia/Shanghai", "every day at 03:00, Asia/Shanghai"},
        {"30 8 * * mon-fri", "Europe/Berlin", "on Monday to Friday at 08:30, Europe/Berlin"},
        {"5 8,12,18 * * 1,3,sun", NULL,
         "on Monday, Wednesday and Sunday at 08:05, 12:05 and 18:05, UTC"},
        {"0 0 1,15 * *", NULL, "on day 1 and 15 of the month at 00:00, UTC"},
        {"0 4 1 jan,jul *", NULL, "on day 1 of the month in January and July at 04:00, UTC"},
        {"*/10 * * * *", NULL, "every 10 minutes, UTC"},
        {"*/15 8-18 * * 1-5", NULL,
         "on Monday to Friday every 15 minutes from 08:00 to 18:59, UTC"},
        {"* * * * *", NULL, "every minute, UTC"},
        {"7 * * * *", NULL, "every hour, 7 minutes past, UTC"},
        {"0 */6 * * *", NULL, "every 6 hours, 0 minutes past, UTC"},
        {"15 9-17 * * *", NULL, "every hour from 09:15 to 17:15, UTC"},
        {"@daily", NULL, "every day at 00:00, UTC"},
        {"@weekly", NULL, "on Sunday at 00:00, UTC"},
        {"@yearly", NULL, "on day 1 of the month in January at 00:00, UTC"},
        /* what is no sentence stays as it is */
        {"0 3 1 * mon", NULL, "cron 0 3 1 * mon, UTC"},
        {"0 3 */2 * *", NULL, "cron 0 3 */2 * *, UTC"},
        {"1,31 3 * * *", NULL, "cron 1,31 3 * * *, UTC"},
        {"0 8-18/2 * * *", NULL, "cron 0 8-18/2 * * *, UTC"},
        {"0 1,2,3,4,5,6,7 * * *", NULL, "cron 0 1,2,3,4,5,6,7 * * *, UTC"},
    };
    char words[400];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mt_schedule_words(cases[i].cron, NULL, cases[i].zone, words, sizeof words);
        assert_string_equal(words, cases[i].words);
    }
    mt_schedule_words(NULL, "1h", NULL, words, sizeof words);
    assert_string_equal(words, "every 1h");
}

static void whatever_is_given(void **state)
{
    static const char marks[] = "0159*/,- @monjan";
    char cron[64];
    char words[80];
    unsigned seed = 1;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        size_t len = (size_t)i % (sizeof cron - 1);
        for (size_t at = 0; at < len; at++) {
            seed = seed * 1103515245 + 12345;
            cron[at] = marks[(seed >> 16) % (sizeof marks - 1)];
        }
        cron[len] = '\0';
        mt_schedule_words(cron, NULL, "UTC", words, i % 2 ? sizeof words : 8);
        assert_true(strlen(words) < sizeof words);
    }
}

int test_words(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences),
        cmocka_unit_test(whatever_is_given),
    };
    return cmocka_run_group_tests_name("jobs/words", tests, NULL, NULL);
}
