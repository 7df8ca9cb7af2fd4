/* The hub: who is handed what, and when the cloud is told. The session is a table of our own: what
 * is looked at is the hub's side of the interface. */
#include "tests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"
#include "loop/loop.h"
#include "provider/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mt_provider_account {
    const struct mt_live_handlers *handlers;
    void *ud;
    int starts, stops, done;
    int read;         /* batches that were done while it was live */
    char resumed[64]; /* the position that the latest start was given */
};

struct script {
    struct mt_event_batch *got[16];
    int n, ended;
    struct mt_seat *seat;
};

static int64_t ahead_us;

static int64_t later(void *ud)
{
    static int64_t calls;
    (void)ud;
    return ahead_us + ++calls;
}

static enum mt_rc start(struct mt_provider_account *account, const struct mt_live_options *options,
                        const struct mt_live_handlers *handlers, void *ud, struct mt_fault *fault)
{
    (void)fault;
    snprintf(account->resumed, sizeof account->resumed, "%s",
             options->position ? options->position : "none");
    account->handlers = handlers;
    account->ud = ud;
    account->starts++;
    return MT_OK;
}

static void stop(struct mt_provider_account *account)
{
    account->stops++;
}

static void done(struct mt_provider_account *account, struct mt_event_batch *batch)
{
    (void)batch;
    account->done++;
    account->read += account->starts > account->stops;
}

/* As far as the batches that are done. */
static size_t position(const struct mt_provider_account *account, char *out, size_t cap)
{
    return account->read ? (size_t)snprintf(out, cap, "1 %d", account->read) : 0;
}

static const char *called(const struct mt_provider_account *account)
{
    (void)account;
    return "me";
}

static const struct mt_provider_live live = {
    .start = start, .stop = stop, .done = done, .device = called, .position = position};
static const struct mt_provider provider = {
    .name = "none", .live = &live, .appkey = called, .user = called};

static void batch_came(void *ud, struct mt_event_batch *batch)
{
    struct script *script = ud;
    script->got[script->n++] = batch;
}

static void session_ended(void *ud, const struct mt_fault *fault)
{
    (void)fault;
    ((struct script *)ud)->ended++;
}

static const struct mt_live_handlers handlers = {batch_came, session_ended};
static const struct mt_live_options options;

struct ground {
    struct mt_loop *loop;
    struct mt_hub *hub;
    struct mt_provider_account account;
    struct mt_event_batch batches[8];
    char dir[64];
};

static void state_dir(void *ud, char *out, size_t cap)
{
    snprintf(out, cap, "%s", ((struct ground *)ud)->dir);
}

static int ground_up(void **state)
{
    struct ground *ground = calloc(1, sizeof *ground);

    assert_non_null(ground);
    assert_int_equal(mt_loop_new(&ground->loop), MT_OK);
    snprintf(ground->dir, sizeof ground->dir, "/tmp/moontide-hub-XXXXXX");
    assert_non_null(mkdtemp(ground->dir));
    ground->hub = mt_hub_new(ground->loop, state_dir, ground);
    assert_non_null(ground->hub);
    *state = ground;
    return 0;
}

/* A folder and what lies in it. */
static void clear(const char *dir)
{
    char **names = NULL;
    char path[512];
    size_t n = 0;

    if (mt_fs_list(dir, &names, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        clear(path);
        (void)mt_fs_unlink(path);
    }
    mt_mem_free(names);
    (void)mt_fs_rmdir(dir);
}

static int ground_down(void **state)
{
    struct ground *ground = *state;

    mt_hub_free(ground->hub);
    assert_int_equal(ground->account.starts, ground->account.stops);
    assert_int_equal(mt_loop_free(ground->loop), MT_OK);
    clear(ground->dir);
    free(ground);
    return 0;
}

static enum mt_rc sit(struct ground *ground, const char *name, struct script *script)
{
    struct mt_fault fault;

    memset(script, 0, sizeof *script);
    return mt_hub_sit(ground->hub, name, &provider, &ground->account, &options, &handlers, script,
                      &script->seat, &fault);
}

static void come(struct ground *ground, int i)
{
    ground->account.handlers->batch(ground->account.ud, &ground->batches[i]);
}

static void all_must_be_done(void **state)
{
    struct ground *ground = *state;
    struct script a, b;

    assert_int_equal(sit(ground, "a", &a), MT_OK);
    assert_int_equal(sit(ground, "b", &b), MT_OK);
    assert_int_equal(ground->account.starts, 1);
    mt_seat_listen(a.seat);
    mt_seat_listen(b.seat);
    come(ground, 0);
    assert_int_equal(a.n + b.n, 2);
    mt_seat_done(a.seat, a.got[0]);
    mt_seat_done(a.seat, a.got[0]); /* once more is nothing */
    assert_int_equal(ground->account.done, 0);
    mt_seat_done(b.seat, b.got[0]);
    assert_int_equal(ground->account.done, 1);
    come(ground, 1);
    mt_seat_leave(b.seat, false); /* is not waited for */
    mt_seat_done(a.seat, &ground->batches[1]);
    assert_int_equal(ground->account.done, 2);
    mt_seat_leave(a.seat, false);
    assert_int_equal(ground->account.stops, 1);
}

static struct mt_account_figures *count_all(void *ud, const struct mt_provider_account *account)
{
    (void)account;
    return ud;
}

static void what_comes_is_counted(void **state)
{
    struct ground *ground = *state;
    struct mt_account_figures *figures = calloc(1, sizeof *figures);
    const struct mt_account_counting counting = {count_all, figures};
    struct mt_event events[4];
    struct script a;

    assert_non_null(figures);
    memset(events, 0, sizeof events);
    events[0].type = MT_EVENT_CONNECTED;
    events[1].type = MT_EVENT_MESSAGE;
    events[2].type = MT_EVENT_DISCONNECTED;
    events[2].fault = (struct mt_fault){.kind = MT_ERR_NETWORK, .code = "ws.closed"};
    events[3].type = MT_EVENT_CONNECTED;
    mt_hub_count(ground->hub, &counting);
    assert_int_equal(sit(ground, "a", &a), MT_OK);
    assert_true(figures->live && !figures->connected && !figures->ended);
    mt_seat_listen(a.seat);
    ground->batches[0] = (struct mt_event_batch){events, 2};
    ground->batches[1] = (struct mt_event_batch){&events[2], 1};
    ground->batches[2] = (struct mt_event_batch){&events[3], 1};
    come(ground, 0);
    assert_true(figures->connected && figures->since_ms > 0 && figures->event_ms > 0);
    assert_int_equal(figures->events_n, 2);
    assert_int_equal(mt_hub_waiting(ground->hub), 1);
    mt_seat_done(a.seat, a.got[0]);
    assert_int_equal(mt_hub_waiting(ground->hub), 0);
    come(ground, 1);
    assert_false(figures->connected);
    assert_int_equal(figures->faults_n, 1);
    assert_string_equal(figures->faults->counts[0].code, "ws.closed");
    come(ground, 2);
    assert_int_equal(figures->connects_n, 2);
    mt_seat_leave(a.seat, false);
    assert_true(!figures->live && !figures->connected);
    assert_int_equal(mt_hub_waiting(ground->hub), 0);
    assert_int_equal(sit(ground, "a", &a), MT_OK);
    ground->account.handlers->ended(ground->account.ud,
                                    &(struct mt_fault){.kind = MT_ERR_DENIED, .code = "kicked"});
    assert_true(figures->ended && !figures->connected);
    mt_seat_leave(a.seat, false);
    mt_mem_free(figures->faults);
    free(figures);
}

static void nobody_listens_yet(void **state)
{
    struct ground *ground = *state;
    struct script a;

    assert_int_equal(sit(ground, NULL, &a), MT_OK); /* it only sends */
    come(ground, 0);
    assert_int_equal(a.n, 0);
    assert_int_equal(ground->account.done, 0);
    mt_seat_listen(a.seat);
    assert_int_equal(a.n, 1);
    mt_seat_leave(a.seat, true); /* without a name nobody comes back */
    assert_int_equal(ground->account.stops, 1);
}

static void who_comes_back_gets_the_rest(void **state)
{
    struct ground *ground = *state;
    struct script a;

    assert_int_equal(sit(ground, "a", &a), MT_OK);
    mt_seat_listen(a.seat);
    for (int i = 0; i < 3; i++)
        come(ground, i);
    mt_seat_done(a.seat, &ground->batches[1]);
    mt_seat_leave(a.seat, true);
    assert_int_equal(ground->account.stops, 0);
    come(ground, 3);
    assert_int_equal(sit(ground, "a", &a), MT_OK);
    mt_seat_listen(a.seat);
    assert_int_equal(ground->account.starts, 1);
    assert_int_equal(a.n, 3);
    assert_ptr_equal(a.got[0], &ground->batches[0]);
    assert_ptr_equal(a.got[1], &ground->batches[2]);
    assert_ptr_equal(a.got[2], &ground->batches[3]);
    assert_int_equal(ground->account.done, 1);
}

static void no_line(void *ud, enum mt_log_level level, const char *line)
{
    (void)level;
    if (strstr(line, "are not kept for it"))
        ++*(int *)ud;
}

static void wait_a_turn(void *ud)
{
    mt_loop_stop(ud);
}

/* A second of the loop, at the time that later tells. */
static void turn(struct ground *ground)
{
    struct mt_timer *timer = NULL;

    assert_int_equal(mt_timer_new(ground->loop, wait_a_turn, ground->loop, &timer), MT_OK);
    mt_timer_start(timer, 1200, 0);
    mt_loop_run(ground->loop);
    mt_timer_free(timer);
}

static void who_is_not_there_is_waited_for_so_long(void **state)
{
    struct ground *ground = *state;
    const struct mt_clock_seam seam = {.mono_us = later};
    const struct mt_event notice = {.type = MT_EVENT_NOTICE};
    struct script a, b;
    int told = 0;

    mt_clock_seam_set(&seam);
    mt_log_sink_set(no_line, &told);
    assert_int_equal(sit(ground, "a", &a), MT_OK);
    assert_int_equal(sit(ground, "b", &b), MT_OK);
    mt_seat_listen(a.seat);
    mt_seat_listen(b.seat);
    mt_seat_leave(b.seat, true);
    ground->batches[0] = (struct mt_event_batch){&notice, 1};
    come(ground, 0);
    mt_seat_done(a.seat, &ground->batches[0]);
    ahead_us += (int64_t)(MT_HUB_HOLD_MS - 1000) * 1000;
    turn(ground);
    assert_int_equal(ground->account.done, 0);
    ahead_us += (int64_t)2000 * 1000;
    turn(ground);
    assert_int_equal(ground->account.done, 1);
    come(ground, 1); /* not kept for b any more */
    mt_seat_done(a.seat, &ground->batches[1]);
    assert_int_equal(ground->account.done, 2);
    mt_log_sink_set(NULL, NULL);
    mt_clock_seam_set(NULL);
    assert_int_equal(told, 1);
}

static void what_has_ended_stays_so(void **state)
{
    struct ground *ground = *state;
    struct mt_fault fault;
    struct script a, b;

    mt_fault_set(&fault, MT_ERR_AUTH, "kicked.other_device", "kicked");
    assert_int_equal(sit(ground, "a", &a), MT_OK);
    assert_int_equal(sit(ground, "b", &b), MT_OK);
    ground->account.handlers->ended(ground->account.ud, &fault);
    assert_int_equal(a.ended + b.ended, 2);
    assert_true(mt_hub_lost(ground->hub, "a"));
    mt_seat_leave(a.seat, true);
    struct mt_seat *stays = b.seat;
    assert_int_equal(sit(ground, "a", &a), MT_ERR_AUTH);
    mt_hub_again(ground->hub);
    assert_int_equal(sit(ground, "a", &a), MT_ERR_AUTH); /* b is still there */
    mt_seat_leave(stays, true);
    assert_int_equal(ground->account.stops, 1);
    assert_int_equal(sit(ground, "a", &a), MT_OK);
    assert_int_equal(ground->account.starts, 2);
}

static void a_position_is_kept_for_the_next_process(void **state)
{
    struct ground *ground = *state;
    struct script a, b;

    assert_int_equal(sit(ground, "a", &a), MT_OK);
    assert_string_equal(ground->account.resumed, "");
    mt_seat_listen(a.seat);
    come(ground, 0);
    mt_seat_done(a.seat, a.got[0]);
    come(ground, 1); /* which nobody has dealt with when it ends */
    mt_seat_leave(a.seat, false);
    assert_int_equal(sit(ground, "a", &b), MT_OK);
    assert_string_equal(ground->account.resumed, "1 1");
    come(ground, 0);
    mt_seat_listen(b.seat);
    mt_seat_done(b.seat, b.got[0]);
    mt_hub_free(ground->hub);
    mt_loop_run(ground->loop); /* what is being written ends */
    ground->hub = mt_hub_new(ground->loop, state_dir, ground);
    assert_non_null(ground->hub);
    assert_int_equal(sit(ground, "a", &a), MT_OK);
    assert_string_equal(ground->account.resumed, "1 2");
}

int test_hub(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_is_counted, ground_up, ground_down),
        cmocka_unit_test_setup_teardown(all_must_be_done, ground_up, ground_down),
        cmocka_unit_test_setup_teardown(nobody_listens_yet, ground_up, ground_down),
        cmocka_unit_test_setup_teardown(who_comes_back_gets_the_rest, ground_up, ground_down),
        cmocka_unit_test_setup_teardown(who_is_not_there_is_waited_for_so_long, ground_up,
                                        ground_down),
        cmocka_unit_test_setup_teardown(what_has_ended_stays_so, ground_up, ground_down),
        cmocka_unit_test_setup_teardown(a_position_is_kept_for_the_next_process, ground_up,
                                        ground_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
