/* What many calls write down at once goes in few appends, and who waits for nothing is not
 * forgotten. */
#include "ground.h"

#include "../../tools/folder.h"
#include "base/clock.h"
#include "jobs/audit_log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int test_audit_log(void);

#define INTENTS 200

struct desk {
    char dir[64];
    struct mt_loop *loop;
    struct mt_audit_log *log;
    unsigned answered, results; /* intents that are durable; results to give for each of them */
    uint64_t last;
};

static int desk_begin(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);

    assert_non_null(desk);
    snprintf(desk->dir, sizeof desk->dir, "%s", "/tmp/moontide-audit-XXXXXX");
    if (!mkdtemp(desk->dir) || mt_loop_new(&desk->loop))
        return -1;
    const struct mt_audit_options options = {.dir = desk->dir, .head_every_n = 100000};
    desk->log = mt_audit_log_new(desk->loop, &options);
    assert_non_null(desk->log);
    *state = desk;
    return 0;
}

static int desk_end(void **state)
{
    struct desk *desk = *state;

    mt_audit_log_free(desk->log);
    mt_loop_run(desk->loop);
    enum mt_rc rc = mt_loop_free(desk->loop);
    tests_remove(desk->dir);
    free(desk);
    return rc ? -1 : 0;
}

struct lines {
    unsigned intents, results, appends;
};

/* What stands in the log. "batch":[0,n] begins an append of n; an append of one has none. */
static struct lines look(const struct desk *desk)
{
    struct lines lines = {0};
    char path[128], line[2000];

    snprintf(path, sizeof path, "%s/000001.jsonl", desk->dir);
    FILE *file = fopen(path, "r");
    if (!file)
        return lines;
    while (fgets(line, sizeof line, file)) {
        lines.intents += strstr(line, "\"type\":\"intent\"") != NULL;
        lines.results += strstr(line, "\"type\":\"result\"") != NULL;
        if (!strstr(line, "\"type\":\"note\""))
            lines.appends += !strstr(line, "\"batch\":[") || strstr(line, "\"batch\":[0,");
    }
    fclose(file);
    return lines;
}

static void give_result(struct desk *desk, uint64_t intent)
{
    const struct mt_audit_record record = {
        .type = MT_AUDIT_RESULT, .intent = intent, .verb = "send", .outcome = "done"};

    assert_int_equal(mt_audit_log_append(desk->log, &record, 1, NULL, NULL), MT_OK);
}

static void intended(void *ud, enum mt_rc rc, const uint64_t *numbers, size_t n,
                     const struct mt_fault *fault)
{
    struct desk *desk = ud;

    assert_null(fault);
    assert_int_equal(rc, MT_OK);
    assert_int_equal(n, 1);
    assert_true(numbers[0] > desk->last); /* in the order of the calls */
    desk->last = numbers[0];
    desk->answered++;
    for (unsigned i = 0; i < desk->results; i++)
        give_result(desk, numbers[0]);
}

static void give_intent(struct desk *desk)
{
    const struct mt_audit_record record = {
        .type = MT_AUDIT_INTENT, .account = "desk", .user = "agent", .verb = "send"};

    assert_int_equal(mt_audit_log_append(desk->log, &record, 1, intended, desk), MT_OK);
}

static void alone(void **state)
{
    struct desk *desk = *state;

    give_intent(desk);
    mt_loop_run(desk->loop);
    assert_int_equal(desk->answered, 1);
    assert_int_equal(look(desk).intents, 1);
}

/* The loop ends only when the results are written, although nobody asks. */
static void results_alone(void **state)
{
    struct desk *desk = *state;

    desk->results = 5;
    give_intent(desk);
    mt_loop_run(desk->loop);
    struct lines lines = look(desk);
    assert_int_equal(lines.results, 5);
    assert_int_equal(lines.appends, 2);
}

static void results_at_the_end(void **state)
{
    struct desk *desk = *state;

    desk->results = 5;
    give_intent(desk);
    while (!desk->answered)
        (void)mt_loop_turn(desk->loop);
    mt_audit_log_free(desk->log);
    desk->log = NULL;
    mt_loop_run(desk->loop);
    assert_int_equal(look(desk).results, 5);
}

static int64_t standing(void *ud)
{
    return atomic_load((_Atomic int64_t *)ud);
}

/* While the clock stands no second append may begin: all that comes then goes into one, when it
 * goes on, and the results take part although nobody waits for them. */
static void many(void **state)
{
    struct desk *desk = *state;
    _Atomic int64_t now_us = mt_clock_mono_us();
    const struct mt_clock_seam clock = {.mono_us = standing, .ud = &now_us};

    mt_clock_seam_set(&clock);
    desk->results = 2;
    give_intent(desk);
    while (!desk->answered)
        (void)mt_loop_turn(desk->loop);
    for (unsigned i = 0; i < INTENTS; i++) {
        give_intent(desk);
        (void)mt_loop_turn(desk->loop);
    }
    assert_int_equal(desk->answered, 1);
    desk->results = 0;
    atomic_fetch_add(&now_us, 1000);
    mt_loop_run(desk->loop);
    mt_clock_seam_set(NULL);
    struct lines lines = look(desk);
    assert_int_equal(desk->answered, 1 + INTENTS);
    assert_int_equal(lines.intents, 1 + INTENTS);
    assert_int_equal(lines.results, 2);
    assert_int_equal(lines.appends, 2);
}

static void settled(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct desk *desk = ud;

    assert_int_equal(rc, MT_OK);
    assert_null(fault);
    assert_int_equal(look(desk).results, 3);
    desk->answered += 100;
}

/* Who reads the audit sees what was given before. */
static void settle(void **state)
{
    struct desk *desk = *state;

    desk->results = 3;
    give_intent(desk);
    while (!desk->answered)
        (void)mt_loop_turn(desk->loop);
    assert_int_equal(mt_audit_log_settle(desk->log, settled, desk), MT_OK);
    mt_loop_run(desk->loop);
    assert_int_equal(desk->answered, 101);
}

int test_audit_log(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(alone, desk_begin, desk_end),
        cmocka_unit_test_setup_teardown(results_alone, desk_begin, desk_end),
        cmocka_unit_test_setup_teardown(results_at_the_end, desk_begin, desk_end),
        cmocka_unit_test_setup_teardown(many, desk_begin, desk_end),
        cmocka_unit_test_setup_teardown(settle, desk_begin, desk_end),
    };
    return cmocka_run_group_tests_name("audit_log", tests, NULL, NULL);
}
