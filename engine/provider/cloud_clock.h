/* What is known of a cloud's clock: the time that it last said, carried on by this machine's
 * monotonic clock, which nobody sets. The clouds fill it; others ask the provider (clock_off_ms),
 * and before they delete by age mt_clock_trusted. */
#ifndef MT_PROVIDER_CLOUD_CLOCK_H
#define MT_PROVIDER_CLOUD_CLOCK_H

#include "provider/provider.h"

#define MT_CLOCK_TOLERANCE_MS 60000 /* R12: what differs by more is set wrong */

struct mt_cloud_clock {
    int64_t cloud_ms; /* what it said; 0: nothing yet */
    int64_t mono_ms;  /* our monotonic clock then */
};

/* The cloud has said its time just now. What cannot be a time is passed over. */
void mt_cloud_clock_heard(struct mt_cloud_clock *clock, int64_t cloud_ms);
/* The cloud's time now; this machine's as long as the cloud has said none. */
int64_t mt_cloud_clock_now_ms(const struct mt_cloud_clock *clock);
/* By how much this machine's clock is ahead of it now, also when that was set since; 0 while
 * nothing is known. */
int64_t mt_cloud_clock_off_ms(const struct mt_cloud_clock *clock, bool *known);
/* For the doctor: its step "clock". */
void mt_cloud_clock_check(const struct mt_cloud_clock *clock, struct mt_check *check);

/* Whether an age may be counted from this machine's clock (R12). STATE "clock.unknown" when the
 * cloud has not said its time, "clock.differs" when the two are more than MT_CLOCK_TOLERANCE_MS
 * apart. Cheap: ask before every batch, as somebody may set the clock meanwhile. */
enum mt_rc mt_clock_trusted(const struct mt_provider *provider,
                            const struct mt_provider_account *account,
                            struct mt_fault *fault) MT_CHECKED;

#endif
