/* Timers. */
#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop_int.h"

struct mt_timer {
    uv_timer_t uv; /* first: closed by loop_close */
    void (*fn)(void *ud);
    void *ud;
};

static void on_timer(uv_timer_t *uv)
{
    struct mt_timer *timer = (struct mt_timer *)uv;
    timer->fn(timer->ud); /* may have freed the timer: its memory lives until the close callback */
}

enum mt_rc mt_timer_new(struct mt_loop *loop, void (*fn)(void *ud), void *ud, struct mt_timer **out)
{
    struct mt_timer *timer = mt_mem_calloc(1, sizeof *timer);
    if (!timer) {
        return MT_ERR_NOMEM;
    }
    timer->fn = fn;
    timer->ud = ud;
    (void)uv_timer_init(&loop->uv, &timer->uv); /* cannot fail: it only fills the struct */
    *out = timer;
    return MT_OK;
}

void mt_timer_free(struct mt_timer *timer)
{
    if (timer) {
        loop_close((uv_handle_t *)&timer->uv);
    }
}

void mt_timer_start(struct mt_timer *timer, int64_t after_ms, int64_t repeat_ms)
{
    /* libuv counts from the time at which the loop's turn began. A callback that has worked for 30
     * ms would get a timer of 10 ms that is over already; and a timer of 0 ms restarted in its own
     * callback would never let the turn end, since libuv 1.44 runs whatever is due. Counting from
     * now cures both. */
    uint64_t now_ms = uv_hrtime() / 1000000;
    uint64_t turn_ms = uv_now(timer->uv.loop);
    uint64_t late_ms = now_ms > turn_ms ? now_ms - turn_ms : 0;
    uint64_t after = after_ms > 0 ? (uint64_t)mt_clock_kernel_ms(after_ms) : 0;
    uint64_t repeat = repeat_ms > 0 ? (uint64_t)mt_clock_kernel_ms(repeat_ms) : 0;
    (void)uv_timer_start(&timer->uv, on_timer, after + late_ms, repeat);
}

void mt_timer_stop(struct mt_timer *timer)
{
    (void)uv_timer_stop(&timer->uv);
}

void mt_timer_unref(struct mt_timer *timer)
{
    uv_unref((uv_handle_t *)&timer->uv);
}
