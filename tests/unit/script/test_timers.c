/* moontide.cron with a clock that is moved: days in seconds, nights with a change, and clocks that
 * are set. */
#include "base/clock.h"
#include "codec/time.h"
#include "loop/loop.h"
#include "script/script.h"
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SPEED   40000 /* a day in two seconds */
#define HOUR_MS INT64_C(3600000)
#define LINES   64
#define LATE_MS 3000000 /* of the moved clock: 75 ms of the kernel's */

struct world {
    struct mt_loop *loop;
    struct mt_script *script;
    struct mt_script_host host;
    int64_t wall_ms; /* shown when it began */
    int64_t mono_ms;
    int64_t after_ms, set_ms; /* then the clock is set by that much */
    int64_t lines[LINES];
    int lines_n;
    bool failed;
    struct mt_fault fault;
};

static int64_t wall(void *ud)
{
    const struct world *w = ud;
    int64_t passed_ms = mt_clock_mono_ms() - w->mono_ms;

    return w->wall_ms + passed_ms + (passed_ms >= w->after_ms ? w->set_ms : 0);
}

static void print(void *ud, const char *line, size_t len)
{
    struct world *w = ud;

    (void)len;
    if (w->lines_n < LINES)
        w->lines[w->lines_n++] = strtoll(line, NULL, 10);
}

static void progress(void *ud, const char *label, int64_t done, int64_t total, const char *unit,
                     const char *extra)
{
    (void)ud, (void)label, (void)done, (void)total, (void)unit, (void)extra;
}

static void flush(void *ud)
{
    (void)ud;
}

static void ended(void *ud, int status, const struct mt_fault *fault)
{
    struct world *w = ud;

    (void)status;
    w->failed = fault != NULL;
    if (fault)
        w->fault = *fault;
    mt_loop_stop(w->loop);
}

/* Runs the script from that moment on until it ends. */
static void run(struct world *w, const char *from, const char *text)
{
    struct mt_clock_seam seam = {.wall_ms = wall, .ud = w};
    struct mt_script_options options = {
        .name = "clock.lua", .text = text, .text_len = strlen(text)};
    struct mt_fault fault;

    w->host =
        (struct mt_script_host){.print = print, .flush = flush, .progress = progress, .ud = w};
    assert_int_equal(mt_time_parse(from, &w->wall_ms), MT_OK);
    mt_clock_seam_speed(SPEED);
    w->mono_ms = mt_clock_mono_ms();
    mt_clock_seam_set(&seam);
    assert_int_equal(mt_loop_new(&w->loop), MT_OK);
    w->host.loop = w->loop;
    assert_int_equal(mt_script_start(&w->host, &options, ended, w, &w->script, &fault), MT_OK);
    mt_loop_run(w->loop);
    mt_script_free(w->script);
    assert_int_equal(mt_loop_free(w->loop), MT_OK);
    mt_clock_seam_set(NULL);
    mt_clock_seam_speed(1);
    if (w->failed)
        fail_msg("the script failed: %s", w->fault.message);
}

/* The lines are these times, or a little later. */
static void expect(const struct world *w, const char *const *times)
{
    int n = 0;

    for (; times[n]; n++) {
        int64_t want_ms = 0;
        char got[MT_TIME_RFC3339_LEN];
        assert_int_equal(mt_time_parse(times[n], &want_ms), MT_OK);
        assert_true(n < w->lines_n);
        mt_time_format(w->lines[n], got);
        if (w->lines[n] < want_ms || w->lines[n] > want_ms + LATE_MS)
            fail_msg("call %d came at %s instead of %s", n + 1, got, times[n]);
    }
    assert_int_equal(w->lines_n, n);
}

#define TIMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SCRIPT(expression, zone, n)                                                                \
    "local m, n = require 'moontide', 0\n"                                                         \
    "local timer\n"                                                                                \
    "timer = m.cron('" expression "', function()\n"                                                \
    "  print(m.now())\n"                                                                           \
    "  n = n + 1\n"                                                                                \
    "  if n == " #n " then timer:cancel() end\n"                                                   \
    "end, { timezone = '" zone "' })\n"

static void calls_by_the_clocks_of_a_zone(void **state)
{
    (void)state;
    struct world w = {0};

    run(&w, "2026-03-27T12:00:00Z", SCRIPT("30 2 * * *", "Europe/Berlin", 3));
    expect(&w, TIMES("2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"));
}

static void a_clock_set_forward_is_noticed(void **state)
{
    (void)state;
    struct world w = {0};

    w.after_ms = 2 * HOUR_MS;
    w.set_ms = 50 * HOUR_MS; /* three times are passed over: one call makes up for them */
    run(&w, "2026-01-01T00:00:00Z", SCRIPT("0 3 * * *", "UTC", 2));
    expect(&w, TIMES("2026-01-03T04:00:00Z", "2026-01-04T03:00:00Z"));
}

static void a_clock_set_back_makes_nothing_come_twice(void **state)
{
    (void)state;
    struct world w = {0};

    w.after_ms = 3 * HOUR_MS + HOUR_MS / 2;
    w.set_ms = -HOUR_MS;
    run(&w, "2026-01-01T00:00:00Z", SCRIPT("0 3,4 * * *", "UTC", 3));
    expect(&w, TIMES("2026-01-01T03:00:00Z", "2026-01-01T04:00:00Z", "2026-01-02T03:00:00Z"));
}

static void a_clock_set_by_years_goes_on_from_there(void **state)
{
    (void)state;
    struct world w = {0};

    w.after_ms = 4 * HOUR_MS;
    w.set_ms = -INT64_C(3652) * 24 * HOUR_MS;
    run(&w, "2026-01-01T00:00:00Z", SCRIPT("0 3 * * *", "UTC", 2));
    expect(&w, TIMES("2026-01-01T03:00:00Z", "2016-01-03T03:00:00Z"));
}

static void a_long_call_is_not_overtaken(void **state)
{
    (void)state;
    struct world w = {0};

    run(&w, "2026-01-01T00:30:00Z",
        "local m, n = require 'moontide', 0\n"
        "local timer\n"
        "timer = m.cron('@hourly', function()\n"
        "  print(m.now())\n"
        "  n = n + 1\n"
        "  if n == 1 then m.sleep '150m' error 'on purpose' end\n"
        "  if n == 3 then timer:cancel() end\n"
        "end)\n");
    expect(&w, TIMES("2026-01-01T01:00:00Z", "2026-01-01T04:00:00Z", "2026-01-01T05:00:00Z"));
}

int test_timers(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_by_the_clocks_of_a_zone),
        cmocka_unit_test(a_clock_set_forward_is_noticed),
        cmocka_unit_test(a_clock_set_back_makes_nothing_come_twice),
        cmocka_unit_test(a_clock_set_by_years_goes_on_from_there),
        cmocka_unit_test(a_long_call_is_not_overtaken),
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
