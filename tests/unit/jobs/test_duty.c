/* What is decided before a run: approvals, runs that were cut off, clocks that were set. */
#include "ground.h"

#include "base/rand.h"
#include "codec/json.h"
#include "jobs/duty.h"
#include "jobs/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int test_duty(void);

#define MINUTE INT64_C(60000)
#define HOUR   INT64_C(3600000)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)
#define T0     INT64_C(1767225600000) /* 2026-01-01 00:00 UTC */

/* ---------------------------------------------------------------- what was approved */

struct job {
    const char *version, *script, *args[8], *accounts[4], *grant[4];
};

static void approval_of(const struct job *job, struct mt_approval *out)
{
    struct mt_fault fault;

    memset(out, 0, sizeof *out);
    assert_int_equal(mt_approval_add_program(out, job->version, &fault), MT_OK);
    mt_approval_add(out, "script", job->script, strlen(job->script));
    assert_int_equal(mt_approval_add_list(out, "arguments", job->args, &fault), MT_OK);
    assert_int_equal(mt_approval_add_list(out, "accounts", job->accounts, &fault), MT_OK);
    assert_int_equal(mt_approval_add_list(out, "grant", job->grant, &fault), MT_OK);
    mt_approval_look(out, job->args);
}

static const struct job sound = {.version = "0.1.0",
                                 .script = "print(1)",
                                 .args = {"--older_than", "90d", "--archive", "/a"},
                                 .accounts = {"desk"},
                                 .grant = {"17 0 0 1"}};

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* A ledger whose job was approved as given. */
static void approved_as(const struct job *job, struct mt_ledger *ledger, struct mt_approval *now)
{
    memset(ledger, 0, sizeof *ledger);
    ledger->fresh = true;
    approval_of(job, now);
    assert_false(mt_duty_approve(ledger, now));
    ledger->fresh = false;
}

/* Every part that decides what the job does pauses it, is named, and is let through only by
 * confirm. */
static void changes_pause(void **state)
{
    (void)state;
    static struct mt_ledger ledger;
    struct mt_approval now;
    struct mt_fault fault;
    struct job changed[8];
    static const char *const names[8] = {"moontide itself", "script",    "arguments", "accounts",
                                         "grant",           "arguments", "arguments", "accounts"};

    for (size_t i = 0; i < 8; i++)
        changed[i] = sound;
    changed[0].version = "0.1.1";
    changed[1].script = "print(1) ";
    changed[2].args[1] = "9d";
    changed[3].accounts[0] = "*";
    changed[4].grant[0] = "17 1000000 0 1";
    changed[5].args[4] = "--again";
    changed[6].args[3] = NULL;
    changed[7].accounts[1] = "support";
    for (size_t i = 0; i < 8; i++) {
        approved_as(&sound, &ledger, &now);
        assert_false(mt_duty_approve(&ledger, &now));
        assert_string_equal(ledger.paused, "");
        approval_of(&changed[i], &now);
        assert_true(mt_duty_approve(&ledger, &now));
        assert_string_equal(ledger.paused, "changed");
        assert_string_equal(ledger.changed, names[i]);
        assert_string_equal(mt_ledger_remedy(&ledger), "confirm");
        assert_false(mt_duty_approve(&ledger, &now)); /* told once */
        mt_ledger_begin(&ledger, T0, "asked", 1, T0);
        assert_true(mt_duty_held(&ledger)); /* not even when it was asked for */
        mt_ledger_end(&ledger, "stopped", NULL, T0);
        for (int ask = MT_LEDGER_RUN; ask <= MT_LEDGER_RESUME; ask++)
            assert_int_equal(mt_ledger_obey(&ledger, (enum mt_ledger_ask)ask, &now, T0, &fault),
                             MT_ERR_STATE);
        assert_non_null(strstr(fault.message, names[i]));
        assert_int_equal(mt_ledger_obey(&ledger, MT_LEDGER_CONFIRM, &now, T0, &fault), MT_OK);
        assert_string_equal(ledger.paused, "");
        assert_string_equal(ledger.changed, "");
        assert_false(mt_duty_approve(&ledger, &now));
        assert_string_equal(ledger.paused, "");
        approval_of(&sound, &now); /* and back again is another change */
        assert_true(mt_duty_approve(&ledger, &now));
    }
    /* several at once; one that did not delete before; one that a person had paused */
    approved_as(&sound, &ledger, &now);
    changed[1].grant[0] = "16";
    approval_of(&changed[1], &now);
    assert_true(mt_duty_approve(&ledger, &now));
    assert_string_equal(ledger.changed, "script, grant");
    memset(&ledger.approved, 0, sizeof ledger.approved);
    ledger.paused[0] = '\0';
    assert_true(mt_duty_approve(&ledger, &now));
    assert_string_equal(ledger.changed, "that it deletes");
    approved_as(&sound, &ledger, &now);
    assert_int_equal(mt_ledger_obey(&ledger, MT_LEDGER_PAUSE, &now, T0, &fault), MT_OK);
    approval_of(&changed[0], &now);
    assert_true(mt_duty_approve(&ledger, &now));
    assert_int_equal(mt_ledger_obey(&ledger, MT_LEDGER_CONFIRM, &now, T0, &fault), MT_OK);
    assert_string_equal(ledger.paused, "asked");
    /* what does not delete is nobody's matter */
    memset(&now, 0, sizeof now);
    ledger.paused[0] = '\0';
    assert_false(mt_duty_approve(&ledger, &now));
    assert_string_equal(ledger.paused, "");
}

/* The policies that the arguments name. */
static void policies_pause(void **state)
{
    (void)state;
    static struct mt_ledger ledger;
    char dir[] = "/tmp/moontide-duty-XXXXXX";
    char policy[64], plain[64], holds[64], want[80], command[64];
    struct mt_approval now;
    struct job job = sound;

    assert_non_null(mkdtemp(dir));
    snprintf(policy, sizeof policy, "%s/p.lua", dir);
    snprintf(plain, sizeof plain, "%s/plain", dir);
    snprintf(holds, sizeof holds, "%s/holds.jsonl", dir);
    put_file(policy, "return older_than '90d'");
    put_file(plain, "return all()");
    put_file(holds, "{}");
    for (int form = 0; form < 3; form++) {
        char joined[80];
        snprintf(joined, sizeof joined, form == 1 ? "--policy=%s" : "%s",
                 form == 2 ? plain : policy);
        const char *path = form == 2 ? plain : policy;
        job.args[4] = form == 1 ? joined : form == 2 ? "--policy" : "--keep";
        job.args[5] = form == 1 ? NULL : path;
        snprintf(want, sizeof want, "file %s", path);
        put_file(path, "return older_than '90d'");
        approved_as(&job, &ledger, &now);
        mt_approval_look(&now, job.args); /* again is the same */
        assert_false(mt_duty_approve(&ledger, &now));
        assert_string_equal(ledger.paused, "");
        put_file(path, "return older_than '9d' ");
        mt_approval_look(&now, job.args);
        assert_true(mt_duty_approve(&ledger, &now));
        assert_string_equal(ledger.changed, want);
        ledger.approved = now;
        ledger.paused[0] = '\0';
        assert_int_equal(unlink(path), 0); /* gone, and there again */
        mt_approval_look(&now, job.args);
        assert_true(mt_duty_approve(&ledger, &now));
        assert_string_equal(ledger.changed, want);
        put_file(path, "return older_than '9d' ");
        mt_approval_look(&now, job.args);
        ledger.paused[0] = '\0';
        assert_false(mt_duty_approve(&ledger, &now));
    }
    /* holds are read anew before each batch, and written by other people: no approval of theirs */
    job.args[4] = "--hold";
    job.args[5] = holds;
    approved_as(&job, &ledger, &now);
    put_file(holds, "{\"id\":\"all\",\"everything\":true}");
    mt_approval_look(&now, job.args);
    assert_false(mt_duty_approve(&ledger, &now));
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static void many_parts(void **state)
{
    (void)state;
    struct mt_approval a = {0};
    struct mt_approval b = {0};
    struct mt_approval back;
    struct mt_json *json = NULL;
    struct mt_buf text;
    struct mt_jsonw w;
    char said[40];
    char name[16];

    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "file %d", i);
        mt_approval_add(&a, name, "x", 1);
        mt_approval_add(&b, name, i == 30 ? "y" : "x", 1);
    }
    assert_true(a.n == MT_APPROVAL_PARTS && !mt_approval_same(&a, &b));
    mt_approval_differs(&a, &b, said, sizeof said);
    assert_string_equal(said, "file (one of many)");
    memset(&b, 0, sizeof b);
    mt_approval_add(&b, "z", "", 0);
    mt_approval_differs(&a, &b, said, sizeof said);
    assert_true(strlen(said) < sizeof said && !strncmp(said, "z, file 0, file 1", 17));
    mt_buf_init(&text, 1 << 16);
    mt_jsonw_init(&w, &text);
    mt_approval_write(&a, &w);
    assert_int_equal(mt_json_parse(text.data, text.len, 1 << 16, &json, NULL), MT_OK);
    mt_approval_read(json, &back);
    assert_true(mt_approval_same(&a, &back));
    mt_json_free(json);
    /* what an older version kept, or anything else, approves nothing */
    static const char *const odd[] = {"\"abc\"", "[1]", "[[]]", "[[\"a\"]]", "{}", "[[\"a\",1]]"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_int_equal(mt_json_parse(odd[i], strlen(odd[i]), 100, &json, NULL), MT_OK);
        mt_approval_read(json, &back);
        assert_int_equal(back.n, 0);
        mt_json_free(json);
    }
    mt_buf_deinit(&text);
}

/* ---------------------------------------------------------------- runs that were cut off */

static void cut_off(void **state)
{
    (void)state;
    static struct mt_ledger l;
    struct mt_run lost;
    int64_t now = T0 + 1;

    memset(&l, 0, sizeof l);
    assert_int_equal(mt_duty_lost(&l, true, now, &lost), MT_LOST_NONE);
    assert_false(l.queued);
    mt_ledger_begin(&l, T0, "schedule", 1, T0);
    for (unsigned attempt = 1; attempt < MT_LEDGER_ATTEMPTS; attempt++) {
        int64_t rest = attempt > 1 ? INT64_C(500) << (attempt - 1) : 0;
        assert_int_equal(mt_duty_lost(&l, true, now, &lost), MT_LOST_AGAIN);
        assert_true(lost.attempt == attempt && l.queued && !l.running.number);
        assert_string_equal(l.runs[0].code, "run.cut_off");
        assert_int_equal(mt_duty_lost(&l, true, now, &lost), MT_LOST_NONE);
        /* each time it rests longer, by the clock that the next process has, too */
        assert_true(mt_duty_ready(&l, now) == now + rest &&
                    mt_duty_next(&l, NULL, now) == now + rest);
        assert_true(mt_duty_ready(&l, now + rest) == now + rest);
        assert_true(mt_duty_ready(&l, now - HOUR) == now - HOUR); /* the clock was set back */
        assert_true(mt_duty_ready(&l, now + 10 * YEAR) == now + 10 * YEAR);
        now += rest + 2;
        mt_ledger_skip(&l, T0 + MINUTE, now); /* another entry of the history is not it */
        mt_duty_begin_queued(&l, now);
        assert_true(!l.queued && l.running.due_ms == T0 && l.running.attempt == attempt + 1);
        assert_string_equal(l.running.how, "again");
    }
    assert_int_equal(mt_duty_lost(&l, true, now, &lost), MT_LOST_OFTEN);
    assert_string_equal(l.paused, "failed");
    assert_false(l.queued);
    assert_non_null(strstr(lost.message, "(attempt 8 of 8): it is given up"));
    assert_string_equal(l.runs[0].message, lost.message);
    /* what wants to be confirmed still does */
    snprintf(l.paused, sizeof l.paused, "changed");
    mt_ledger_begin(&l, T0, "again", MT_LEDGER_ATTEMPTS, T0);
    assert_int_equal(mt_duty_lost(&l, true, T0 + 3, &lost), MT_LOST_OFTEN);
    assert_string_equal(l.paused, "changed");
    memset(&l, 0, sizeof l);
    mt_ledger_begin(&l, T0, "schedule", 1, T0);
    assert_int_equal(mt_duty_lost(&l, false, T0, &lost), MT_LOST_LEFT);
    assert_true(!l.queued && !strcmp(l.runs[0].status, "lost"));
    assert_non_null(strstr(l.runs[0].message, "it is not made again"));
    /* what was stopped in good order has not rested, and its attempts begin anew */
    mt_ledger_begin(&l, T0, "again", 4, T0);
    mt_ledger_end(&l, "stopped", NULL, T0 + 1);
    mt_duty_put_back(&l);
    assert_true(mt_duty_ready(&l, T0 + 1) == T0 + 1);
    mt_duty_begin_queued(&l, T0 + 1);
    assert_true(l.running.attempt == 1 && l.running.due_ms == T0);
}

/* Times that had come before a run began are made up for after it; those that come meanwhile
 * overlap. */
static void in_hand(void **state)
{
    (void)state;
    static struct mt_ledger l;
    struct mt_schedule *s = NULL;
    struct mt_schedule_options options = {.name = "j", .every = "1m", .missed = "all"};
    struct mt_fault fault;
    int64_t now = T0 + 5 * MINUTE + 10;
    int64_t due = 0;
    bool missed = false;

    assert_int_equal(mt_schedule_new(&options, &s, &fault), MT_OK);
    memset(&l, 0, sizeof l);
    l.handled_ms = T0;
    for (int i = 1; i <= 5; i++) { /* five were missed: one after the other, none left out */
        assert_true(mt_duty_due(&l, s, now, &due, &missed) && due == T0 + i * MINUTE);
        mt_ledger_begin(&l, due, "missed", 1, now);
        for (int look = 0; look < 3 && i < 5; look++) {
            assert_false(mt_duty_due(&l, s, now + 10, &due, &missed));
            assert_true(mt_duty_next(&l, s, now) == INT64_MAX && l.handled_ms == T0 + i * MINUTE);
        }
        if (i < 5)
            mt_ledger_end(&l, "done", NULL, now + 20);
    }
    /* the last of them takes long: the next times are an overlap */
    assert_true(mt_duty_next(&l, s, now) == T0 + 6 * MINUTE);
    assert_false(mt_duty_due(&l, s, now, &due, &missed));
    assert_true(mt_duty_due(&l, s, now + 60000, &due, &missed) && due == T0 + 6 * MINUTE);
    assert_true(l.handled_ms == due);
    mt_schedule_free(s);
}

/* A node as moontide serve is one, killed between any two steps: what it knew is gone, what it kept
 * is there. Each time is begun for the first time once, in order and without a gap, and is done
 * once, unless it was cut off MT_LEDGER_ATTEMPTS times. */
#define TICKS  16000
#define END_MS (T0 + (int64_t)TICKS * 1000)
struct effects {
    uint8_t begun[TICKS + 2], again[TICKS + 2], done[TICKS + 2];
};

static void step(struct mt_ledger *l, const struct mt_schedule *s, int64_t now_ms)
{
    int64_t due_ms = 0;
    bool missed = false;

    if (!l->queued && mt_duty_due(l, s, now_ms < END_MS ? now_ms : END_MS, &due_ms, &missed))
        mt_ledger_begin(l, due_ms, missed ? "missed" : "schedule", 1, now_ms);
    else if (l->queued && mt_duty_ready(l, now_ms) <= now_ms)
        mt_duty_begin_queued(l, now_ms);
}

/* Of the times, those that were cut off so often that nobody tried again; every other one is done
 * once. */
static unsigned count_undone(const struct effects *effects)
{
    unsigned undone = 0;
    for (size_t tick = 1; tick <= TICKS; tick++) {
        if (effects->begun[tick] != 1 || effects->again[tick] >= MT_LEDGER_ATTEMPTS ||
            effects->done[tick] > 1)
            fail_msg("time %zu: begun %d times, %d times again, done %d times", tick,
                     effects->begun[tick], effects->again[tick], effects->done[tick]);
        if (!effects->done[tick]) {
            assert_int_equal(effects->again[tick], MT_LEDGER_ATTEMPTS - 1);
            undone++;
        }
    }
    return undone;
}

static void killed_anywhere(void **state)
{
    (void)state;
    static struct mt_ledger kept, mine;
    static struct effects effects;
    const char *given = getenv("MT_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1 + mt_rand_below(UINT64_MAX - 1);
    struct mt_schedule *s = NULL;
    struct mt_schedule_options options = {.name = "j", .every = "1s", .missed = "all"};
    struct mt_fault fault;
    struct mt_run lost;
    unsigned kills = 0;
    int64_t now = T0;

    printf("# duty: MT_TEST_SEED=%llu\n", (unsigned long long)seed);
    mt_rand_seed(seed);
    assert_int_equal(mt_schedule_new(&options, &s, &fault), MT_OK);
    memset(&effects, 0, sizeof effects);
    memset(&kept, 0, sizeof kept);
    kept.handled_ms = T0;
    mine = kept;
    while (kept.handled_ms < END_MS || kept.running.number || kept.queued) {
        now += (int64_t)mt_rand_below(700);
        bool killed = !mt_rand_below(9);
        if (!mine.running.number) {
            step(&mine, s, now);
            if (mine.running.number && !killed) { /* durable, then the script begins */
                kept = mine;
                size_t tick = (size_t)((mine.running.due_ms - T0) / 1000);
                assert_in_range(tick, 1, TICKS);
                if (strcmp(mine.running.how, "again") != 0)
                    effects.begun[tick]++;
                else
                    effects.again[tick]++;
            } else if (!killed) {
                kept = mine;
            }
        } else {
            effects.done[(mine.running.due_ms - T0) / 1000] += !killed;
            mt_ledger_end(&mine, "done", NULL, now);
            if (!killed)
                kept = mine;
        }
        if (killed) {
            kills++;
            mine = kept;
            if (mt_duty_lost(&mine, mt_schedule_makes_up(s), now, &lost) == MT_LOST_OFTEN)
                mine.paused[0] = '\0'; /* somebody resumes it */
            kept = mine;
        }
    }
    unsigned undone = count_undone(&effects);
    printf("# duty: %d times, %u kills, %u times cut off %d times\n", TICKS, kills, undone,
           MT_LEDGER_ATTEMPTS);
    assert_true(kills > 1000 && undone < TICKS / 200);
    mt_schedule_free(s);
    mt_rand_seed(0);
}

/* ---------------------------------------------------------------- clocks */

static void clocks(void **state)
{
    (void)state;
    static const struct {
        int64_t jump_ms;
        bool pauses;
    } jumps[] = {{0, false},        {HOUR, false},           {-HOUR, false},
                 {2 * HOUR, false}, {DAY - 1, false},        {DAY, true},
                 {-DAY, true},      {10 * YEAR, true},       {-10 * YEAR, true},
                 {-DAY + 1, false}, {INT64_C(1) << 60, true}};
    static struct mt_ledger l;

    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        for (int deletes = 0; deletes < 2; deletes++) {
            struct mt_duty_clock clock = {T0, 777};
            memset(&l, 0, sizeof l);
            l.handled_ms = T0 - HOUR;
            for (int look = 1; look < 100; look++) { /* hours without a jump */
                assert_false(
                    mt_duty_watch(&clock, &l, deletes, T0 + look * HOUR, 777 + look * HOUR));
            }
            bool paused = mt_duty_watch(&clock, &l, deletes, T0 + 100 * HOUR + jumps[i].jump_ms,
                                        777 + 100 * HOUR);
            if (paused != (deletes && jumps[i].pauses))
                fail_msg("jump %zu", i);
            assert_string_equal(l.paused, paused ? "clock" : "");
            assert_string_equal(mt_ledger_remedy(&l), paused ? "confirm" : "");
            /* told once, and the next look finds nothing new */
            l.handled_ms = 0;
            assert_false(mt_duty_watch(&clock, &l, deletes, T0 + 100 * HOUR + jumps[i].jump_ms,
                                       777 + 100 * HOUR));
        }
    }
    /* a machine that slept: the monotonic clock stood, more than a day */
    struct mt_duty_clock clock = {T0, 777};
    memset(&l, 0, sizeof l);
    assert_true(mt_duty_watch(&clock, &l, true, T0 + 3 * DAY, 778));
    /* it was wrong when the process began: the times that were dealt with lie far ahead */
    clock = (struct mt_duty_clock){T0, 777};
    memset(&l, 0, sizeof l);
    l.handled_ms = T0 + 10 * YEAR;
    assert_true(mt_duty_watch(&clock, &l, true, T0, 777));
    /* what is paused for another reason stays so */
    snprintf(l.paused, sizeof l.paused, "asked");
    assert_false(mt_duty_watch(&clock, &l, true, T0, 777));
    assert_string_equal(l.paused, "asked");
}

int test_duty(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_pause), cmocka_unit_test(policies_pause),
        cmocka_unit_test(many_parts),    cmocka_unit_test(cut_off),
        cmocka_unit_test(in_hand),       cmocka_unit_test(killed_anywhere),
        cmocka_unit_test(clocks),
    };
    return cmocka_run_group_tests_name("duty", tests, NULL, NULL);
}
