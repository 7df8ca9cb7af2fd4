/* The clock seam. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* The seam is changed only while no other thread asks for the time; the flag publishes it. */
static struct mt_clock_seam seam;
static atomic_bool seam_on;
static atomic_uint speed = 1;
static int64_t speed_mono_us, speed_wall_us; /* the kernel's when it was set */

static int64_t kernel_us(clockid_t id)
{
    struct timespec t = {0};
    clock_gettime(id, &t); /* cannot fail for the clocks named here */
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t fast_us(clockid_t id, const int64_t *since_us)
{
    unsigned times = atomic_load_explicit(&speed, memory_order_acquire);
    int64_t now_us = kernel_us(id);
    return times == 1 ? now_us : *since_us + (now_us - *since_us) * times;
}

int64_t mt_clock_wall_ms(void)
{
    if (atomic_load_explicit(&seam_on, memory_order_acquire) && seam.wall_ms) {
        return seam.wall_ms(seam.ud);
    }
    return fast_us(CLOCK_REALTIME, &speed_wall_us) / 1000;
}

int64_t mt_clock_mono_us(void)
{
    if (atomic_load_explicit(&seam_on, memory_order_acquire) && seam.mono_us) {
        return seam.mono_us(seam.ud);
    }
    return fast_us(CLOCK_MONOTONIC, &speed_mono_us);
}

int64_t mt_clock_mono_ms(void)
{
    return mt_clock_mono_us() / 1000;
}

int64_t mt_clock_cpu_us(void)
{
    if (atomic_load_explicit(&seam_on, memory_order_acquire) && seam.cpu_us) {
        return seam.cpu_us(seam.ud);
    }
    return kernel_us(CLOCK_PROCESS_CPUTIME_ID);
}

void mt_clock_seam_set(const struct mt_clock_seam *set)
{
    atomic_store_explicit(&seam_on, false, memory_order_release);
    if (set) {
        seam = *set;
        atomic_store_explicit(&seam_on, true, memory_order_release);
    }
}

void mt_clock_seam_speed(unsigned times)
{
    atomic_store_explicit(&speed, 1, memory_order_release);
    speed_wall_us = kernel_us(CLOCK_REALTIME);
    speed_mono_us = kernel_us(CLOCK_MONOTONIC);
    atomic_store_explicit(&speed, times > 0 ? times : 1, memory_order_release);
}

int64_t mt_clock_kernel_ms(int64_t ms)
{
    unsigned times = atomic_load_explicit(&speed, memory_order_acquire);
    return ms > 0 && times > 1 ? (ms + times - 1) / times : ms;
}
