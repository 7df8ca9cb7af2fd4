/* The clock seam: no other file asks the kernel for the time. */
#ifndef MT_BASE_CLOCK_H
#define MT_BASE_CLOCK_H

#include <stdint.h>

int64_t mt_clock_wall_ms(void); /* since the epoch; may jump */
int64_t mt_clock_mono_us(void); /* never goes back */
int64_t mt_clock_mono_ms(void);
int64_t mt_clock_cpu_us(void); /* CPU time of this process */

/* Test side: while set, the clocks read from the given function pointers (a NULL member keeps the
 * kernel's). The struct is copied. NULL restores the kernel's. */
struct mt_clock_seam {
    int64_t (*wall_ms)(void *ud);
    int64_t (*mono_us)(void *ud);
    int64_t (*cpu_us)(void *ud);
    void *ud;
};
void mt_clock_seam_set(const struct mt_clock_seam *set);
/* Test side: from now on wall and monotonic time, and with them the timers of the loop, go so many
 * times as fast as the kernel's. 1 restores; the time that was won is lost then, so nothing may
 * still count on it. */
void mt_clock_seam_speed(unsigned times);
/* How long the kernel must wait for so much of our time to pass; not 0 unless ms is. */
int64_t mt_clock_kernel_ms(int64_t ms);

#endif
