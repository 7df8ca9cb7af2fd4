/* Which times become runs: against what a person would say, through restarts and clocks that are
 * set; and what is kept of them. */
#include "ground.h"

#include "base/mem.h"
#include "base/rand.h"
#include "codec/time.h"
#include "jobs/ask.h"
#include "jobs/ledger.h"
#include "jobs/schedule.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int test_schedule(void);

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)
#define T0   INT64_C(1767225600000) /* 2026-01-01 00:00 UTC */
#define RUNS 4096

static struct mt_schedule *make(struct mt_schedule_options options)
{
    struct mt_schedule *schedule = NULL;
    struct mt_fault fault = {0};

    if (!options.name)
        options.name = "job";
    if (mt_schedule_new(&options, &schedule, &fault))
        fail_msg("%s", fault.message);
    return schedule;
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        struct mt_schedule_options options;
        const char *code, *says;
    } bad[] = {
        {{.name = "j"}, "schedule.which", "either cron or every"},
        {{.name = "j", .cron = "@daily", .every = "1h"}, "schedule.which", "either"},
        {{.name = "j", .every = "1h", .timezone = "UTC"}, "schedule.which", "timezone"},
        {{.name = "j", .every = "10ms"}, "schedule.range", "every"},
        {{.name = "j", .every = "hour"}, "", "every: "},
        {{.name = "j", .cron = "0 25 * * *"}, "cron.range", "hour"},
        {{.name = "j", .cron = "@daily", .timezone = "Berlin"}, "zone.unknown", "Berlin"},
        {{.name = "j", .cron = "@daily", .jitter = "2d"}, "schedule.range", "jitter"},
        {{.name = "j", .cron = "@daily", .missed = "onse"}, "schedule.choice", "did you mean once"},
        {{.name = "j", .cron = "@daily", .overlap = "que"}, "schedule.choice", "overlap"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct mt_schedule *schedule = NULL;
        struct mt_fault fault = {0};
        assert_int_equal(mt_schedule_new(&bad[i].options, &schedule, &fault), MT_ERR_INVALID);
        if (bad[i].code[0])
            assert_string_equal(fault.code, bad[i].code);
        if (!strstr(fault.message, bad[i].says))
            fail_msg("%zu: %s", i, fault.message);
    }
}

/* How many runs there are to be made now; the last one's time and whether it was missed. */
static int runs_now(const struct mt_schedule *s, int64_t now_ms, int64_t *handled_ms,
                    int64_t *due_ms, bool *missed)
{
    int n = 0;

    while (mt_schedule_due(s, now_ms, handled_ms, due_ms, missed) ||
           mt_schedule_next(s, *handled_ms) <= now_ms) {
        n++;
        assert_true(n < RUNS);
    }
    return n;
}

static void missed_times(void **state)
{
    (void)state;
    struct mt_schedule *once = make((struct mt_schedule_options){.cron = "0 3 * * *"});
    struct mt_schedule *skip =
        make((struct mt_schedule_options){.cron = "0 3 * * *", .missed = "skip"});
    struct mt_schedule *all =
        make((struct mt_schedule_options){.cron = "0 3 * * *", .missed = "all"});
    int64_t now = T0 + 5 * DAY + 12 * HOUR; /* five were missed */
    int64_t handled = T0;
    int64_t due = 0;
    bool missed = false;

    assert_int_equal(runs_now(once, now, &handled, &due, &missed), 1);
    assert_true(due == T0 + 5 * DAY + 3 * HOUR && missed && handled == due);
    assert_int_equal(runs_now(once, now, &handled, &due, &missed), 0);
    handled = T0 + DAY;
    assert_false(mt_schedule_due(skip, now, &handled, &due, &missed));
    assert_true(handled == T0 + 5 * DAY + 3 * HOUR); /* dealt with, without a run */
    handled = T0;
    for (int i = 0; i < 6; i++) {
        assert_true(mt_schedule_due(all, now, &handled, &due, &missed));
        assert_true(due == T0 + i * DAY + 3 * HOUR && missed);
    }
    assert_false(mt_schedule_due(all, now, &handled, &due, &missed));
    handled = T0 - 1000 * DAY; /* too many: the newest alone */
    assert_int_equal(runs_now(all, now, &handled, &due, &missed), 1);
    assert_true(due == T0 + 5 * DAY + 3 * HOUR);
    /* on time */
    now = T0 + 6 * DAY + 3 * HOUR + 500;
    assert_true(mt_schedule_due(skip, now, &handled, &due, &missed) && !missed);
    /* ten years, every second */
    struct mt_schedule *often = make((struct mt_schedule_options){.every = "1s"});
    handled = T0;
    assert_int_equal(runs_now(often, T0 + 3652 * DAY, &handled, &due, &missed), 1);
    assert_true(due == T0 + 3652 * DAY);
    struct mt_schedule *minutes = make((struct mt_schedule_options){.cron = "* 0-5 * 1 *"});
    handled = T0;
    assert_int_equal(runs_now(minutes, T0 + 3800 * DAY, &handled, &due, &missed), 1);
    mt_schedule_free(once);
    mt_schedule_free(skip);
    mt_schedule_free(all);
    mt_schedule_free(often);
    mt_schedule_free(minutes);
}

static void a_clock_that_is_set(void **state)
{
    (void)state;
    struct mt_schedule *s = make((struct mt_schedule_options){.cron = "0 * * * *"});
    int64_t handled = T0 + 10 * HOUR;
    int64_t due = 0;
    bool missed = false;

    /* an hour back: the same hour does not come twice */
    assert_false(mt_schedule_due(s, T0 + 9 * HOUR + 1, &handled, &due, &missed));
    assert_false(mt_schedule_due(s, T0 + 10 * HOUR + 1, &handled, &due, &missed));
    assert_true(mt_schedule_due(s, T0 + 11 * HOUR + 1, &handled, &due, &missed));
    /* an hour forward: one is late */
    assert_true(mt_schedule_due(s, T0 + 12 * HOUR + HOUR / 2, &handled, &due, &missed) && missed);
    /* ten years forward, and back again: one run for all of them, then it goes on from here */
    assert_true(mt_schedule_due(s, T0 + 3652 * DAY, &handled, &due, &missed) && missed);
    assert_false(mt_schedule_due(s, T0 + 13 * HOUR + 1, &handled, &due, &missed));
    assert_true(mt_schedule_due(s, T0 + 14 * HOUR + 1, &handled, &due, &missed));
    assert_true(due == T0 + 14 * HOUR);
    /* a clock that stands still */
    for (int i = 0; i < 100; i++)
        assert_false(mt_schedule_due(s, T0 + 14 * HOUR + 1, &handled, &due, &missed));
    mt_schedule_free(s);
}

/* Restarts at random, the clock set by an hour at random: with missed = "all" every time comes
 * exactly once and in order, with "once" never twice. */
static void restarts_and_steps(void **state)
{
    (void)state;
    static const char *const policies[] = {"all", "once", "skip"};
    const char *given = getenv("MT_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1 + mt_rand_below(UINT64_MAX - 1);

    printf("# schedule: MT_TEST_SEED=%llu\n", (unsigned long long)seed);
    mt_rand_seed(seed);
    for (int round = 0; round < 300; round++) {
        const char *policy = policies[round % 3];
        struct mt_schedule *s =
            make((struct mt_schedule_options){.cron = round % 2 ? "*/20 * * * *" : "30 2,3 * * *",
                                              .timezone = "Europe/Berlin",
                                              .jitter = round % 4 > 1 ? "15m" : NULL,
                                              .missed = policy});
        int64_t real = T0 + (int64_t)mt_rand_below(365) * DAY;
        int64_t handled = real;
        int64_t offset = 0;
        int64_t last_due = handled;
        for (int turn = 0; turn < 400; turn++) {
            int64_t due = 0;
            bool missed = false;
            /* it looks often; sometimes it is down for hours */
            real += mt_rand_below(20) ? (int64_t)mt_rand_below(10 * 60000)
                                      : (int64_t)mt_rand_below(20 * (uint64_t)HOUR);
            if (!mt_rand_below(15))
                offset = mt_rand_below(2) ? HOUR : mt_rand_below(2) ? -HOUR : 0;
            while (mt_schedule_due(s, real + offset, &handled, &due, &missed)) {
                assert_true(due > last_due && due <= real + offset);
                assert_true(mt_schedule_start(s, due) <= real + offset);
                if (round % 3 == 0)
                    assert_true(due == mt_schedule_next(s, last_due)); /* no gap */
                last_due = due;
            }
            assert_true(handled >= last_due);
        }
        mt_schedule_free(s);
    }
    mt_rand_seed(0);
}

static void jitter_is_the_same_for_everybody(void **state)
{
    (void)state;
    struct mt_schedule *a = make((struct mt_schedule_options){.every = "1h", .jitter = "10m"});
    struct mt_schedule *same = make((struct mt_schedule_options){.every = "1h", .jitter = "10m"});
    struct mt_schedule *other =
        make((struct mt_schedule_options){.name = "other", .every = "1h", .jitter = "10m"});
    int64_t least = INT64_MAX;
    int64_t most = 0;
    int differ = 0;

    for (int64_t due = T0; due < T0 + 1000 * HOUR; due += HOUR) {
        int64_t late = mt_schedule_start(a, due) - due;
        assert_true(late >= 0 && late <= 600000);
        assert_true(mt_schedule_start(same, due) == due + late);
        differ += mt_schedule_start(other, due) != due + late;
        least = late < least ? late : least;
        most = late > most ? late : most;
    }
    assert_true(differ > 990 && least < 10000 && most > 590000);
    mt_schedule_free(a);
    mt_schedule_free(same);
    mt_schedule_free(other);
}

/* ---------------------------------------------------------------- the ledger */

struct reading {
    struct mt_loop *loop;
    struct mt_ledger *ledger;
    enum mt_rc rc;
};

static void loaded(void *ud, enum mt_rc rc, const struct mt_store_entry *entries, size_t n,
                   const struct mt_fault *fault)
{
    struct reading *reading = ud;
    struct mt_fault damaged;

    (void)fault;
    reading->rc = rc ? rc : mt_ledger_read(reading->ledger, entries, n, &damaged);
    mt_loop_stop(reading->loop);
}

/* Opens it as a new process would. */
static void again(const char *dir, struct mt_ledger *ledger,
                  void (*change)(struct mt_ledger *ledger))
{
    struct reading reading = {.ledger = ledger};
    struct mt_stores *stores = NULL;
    struct mt_store *store = NULL;
    struct mt_fault fault = {0};

    assert_int_equal(mt_loop_new(&reading.loop), MT_OK);
    stores = mt_stores_new(reading.loop);
    assert_non_null(stores);
    assert_int_equal(mt_store_get(stores, dir, "a job", &store, &fault), MT_OK);
    assert_int_equal(mt_store_load(store, loaded, &reading), MT_OK);
    mt_loop_run(reading.loop);
    assert_int_equal(reading.rc, MT_OK);
    if (change) {
        change(ledger);
        assert_int_equal(mt_ledger_write(ledger, store, &fault), MT_OK);
    }
    mt_stores_free(stores);
    assert_int_equal(mt_loop_free(reading.loop), MT_OK);
}

static void begin_one(struct mt_ledger *ledger)
{
    assert_true(ledger->fresh);
    ledger->handled_ms = T0;
    mt_approval_add(&ledger->approved, "script", "abc", 3);
    snprintf(ledger->changed, sizeof ledger->changed, "script, file \"x\".lua");
    mt_ledger_begin(ledger, T0, "schedule", 1, T0 + 1);
}

static void end_one(struct mt_ledger *ledger)
{
    struct mt_fault fault;

    mt_fault_set(&fault, MT_ERR_IO, "x.y", "a \"message\"");
    assert_true(!ledger->fresh && ledger->running.number == 1 && ledger->running.due_ms == T0);
    struct mt_approval same = {0};
    mt_approval_add(&same, "script", "abc", 3);
    assert_true(mt_approval_same(&ledger->approved, &same));
    assert_string_equal(ledger->changed, "script, file \"x\".lua");
    mt_ledger_end(ledger, "failed", &fault, T0 + 5001);
    ledger->failures_n = 1;
}

static void skip_one(struct mt_ledger *ledger)
{
    assert_true(!ledger->running.number && ledger->failures_n == 1);
    assert_string_equal(ledger->runs[0].message, "a \"message\"");
    assert_true(ledger->runs[0].ended_ms == T0 + 5001);
    mt_ledger_begin(ledger, T0 + DAY, "asked", 1, T0 + DAY);
    mt_ledger_skip(ledger, T0 + DAY + HOUR, T0 + DAY + HOUR);
    ledger->queued = true;
    ledger->again = ledger->runs[1]; /* the one that failed, as if it had been cut off */
}

static void is_kept(void **state)
{
    (void)state;
    char dir[] = "/tmp/moontide-ledger-XXXXXX";
    char command[64];
    static struct mt_ledger ledger;

    assert_non_null(mkdtemp(dir));
    again(dir, &ledger, begin_one);
    again(dir, &ledger, end_one);
    again(dir, &ledger, skip_one);
    again(dir, &ledger, NULL);
    assert_true(ledger.queued && ledger.runs_n == 3 && ledger.running.number == 2);
    assert_true(ledger.again.number == 1 && ledger.again.due_ms == T0);
    assert_string_equal(ledger.running.how, "asked");
    assert_string_equal(ledger.runs[0].status, "skipped");
    assert_true(ledger.runs[0].number == 3 && ledger.runs[1].number == 1 && !ledger.runs[2].number);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static void obeys(void **state)
{
    (void)state;
    static struct mt_ledger l;
    struct mt_fault fault;

    struct mt_approval old = {0};
    struct mt_approval new = {0};
    mt_approval_add(&old, "script", "old", 3);
    mt_approval_add(&new, "script", "new", 3);
    l = (struct mt_ledger){.handled_ms = T0, .approved = old};
    assert_int_equal(mt_ledger_obey(&l, MT_LEDGER_PAUSE, &new, T0 + DAY, &fault), MT_OK);
    assert_string_equal(l.paused, "asked");
    assert_int_equal(mt_ledger_obey(&l, MT_LEDGER_CONFIRM, &old, T0 + DAY, &fault), MT_OK);
    assert_string_equal(l.paused, "asked"); /* another matter */
    assert_int_equal(mt_ledger_obey(&l, MT_LEDGER_RESUME, &new, T0 + DAY, &fault), MT_OK);
    assert_true(!l.paused[0] && l.handled_ms == T0 + DAY);
    snprintf(l.paused, sizeof l.paused, "changed");
    for (int ask = MT_LEDGER_RUN; ask <= MT_LEDGER_RESUME; ask++) {
        assert_int_equal(mt_ledger_obey(&l, (enum mt_ledger_ask)ask, &new, T0, &fault),
                         MT_ERR_STATE);
        assert_string_equal(fault.code, "jobs.confirm");
    }
    assert_true(mt_approval_same(&l.approved, &old));
    assert_int_equal(mt_ledger_obey(&l, MT_LEDGER_CONFIRM, &new, T0, &fault), MT_OK);
    assert_true(!l.paused[0] && mt_approval_same(&l.approved, &new));
    mt_ledger_begin(&l, T0, "asked", 1, T0);
    assert_int_equal(mt_ledger_obey(&l, MT_LEDGER_RUN, &new, T0, &fault), MT_ERR_STATE);
    assert_string_equal(fault.code, "jobs.running");
}

/* ---------------------------------------------------------------- questions */

static bool take_mine(void *ud, const char *job, const char *word, const char *path)
{
    int *n = ud;

    if (strcmp(job, "mine \"it\"") != 0)
        return false;
    assert_string_equal(word, "pause");
    mt_ask_answer(path, "{}", 2);
    ++*n;
    return true;
}

static void asks_and_answers(void **state)
{
    (void)state;
    char dir[] = "/tmp/moontide-ask-XXXXXX";
    char path[2][MT_ASK_PATH_MAX];
    char command[160];
    struct mt_fault fault;
    struct mt_buf text;
    int n = 0;

    assert_non_null(mkdtemp(dir));
    mt_buf_init(&text, 100);
    assert_int_equal(mt_ask_post(dir, "mine \"it\"", "pause", path[0], &fault), MT_OK);
    assert_int_equal(mt_ask_post(dir, "another's", "run", path[1], &fault), MT_OK);
    snprintf(command, sizeof command, "echo '{' >%s/x.ask", dir);
    assert_int_equal(system(command), 0);
    assert_false(mt_ask_take(path[0], &text));
    mt_ask_each(dir, take_mine, &n);
    mt_ask_each(dir, take_mine, &n);
    assert_int_equal(n, 1);
    assert_true(mt_ask_take(path[0], &text));
    assert_false(mt_ask_take(path[0], &text));
    assert_false(mt_ask_take(path[1], &text));
    mt_ask_withdraw(path[1]);
    mt_buf_deinit(&text);
    snprintf(command, sizeof command, "rm %s/x.ask && rmdir %s", dir,
             dir); /* nothing else is there */
    assert_int_equal(system(command), 0);
}

int test_schedule(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(missed_times),
        cmocka_unit_test(a_clock_that_is_set),
        cmocka_unit_test(restarts_and_steps),
        cmocka_unit_test(jitter_is_the_same_for_everybody),
        cmocka_unit_test(is_kept),
        cmocka_unit_test(obeys),
        cmocka_unit_test(asks_and_answers),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
