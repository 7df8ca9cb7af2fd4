/* The cloud's clock beside this machine's: see cloud_clock.h. */
#include "provider/cloud_clock.h"

#include "base/clock.h"
#include "codec/time.h"

#include <stdio.h>

#define LAST_MS INT64_C(253402300799999) /* of the year 9999 */

void mt_cloud_clock_heard(struct mt_cloud_clock *clock, int64_t cloud_ms)
{
    if (cloud_ms <= 0 || cloud_ms > LAST_MS)
        return;
    clock->cloud_ms = cloud_ms;
    clock->mono_ms = mt_clock_mono_ms();
}

int64_t mt_cloud_clock_now_ms(const struct mt_cloud_clock *clock)
{
    return clock->cloud_ms ? clock->cloud_ms + mt_clock_mono_ms() - clock->mono_ms
                           : mt_clock_wall_ms();
}

int64_t mt_cloud_clock_off_ms(const struct mt_cloud_clock *clock, bool *known)
{
    *known = clock->cloud_ms != 0;
    return *known ? mt_clock_wall_ms() - mt_cloud_clock_now_ms(clock) : 0;
}

void mt_cloud_clock_check(const struct mt_cloud_clock *clock, struct mt_check *check)
{
    bool known = false;
    int64_t ahead_ms = mt_cloud_clock_off_ms(clock, &known);
    int64_t distance_ms = ahead_ms < 0 ? -ahead_ms : ahead_ms;
    bool off = distance_ms > MT_CLOCK_TOLERANCE_MS;
    char text[MT_TIME_RFC3339_LEN];

    check->name = "clock";
    check->result = !known ? "skipped" : off ? "failed" : "ok";
    mt_duration_format(distance_ms, text);
    if (!known)
        snprintf(check->detail, sizeof check->detail, "the server did not say its time");
    else
        snprintf(check->detail, sizeof check->detail, "this machine is %s %s the server%s", text,
                 ahead_ms < 0 ? "behind" : "ahead of",
                 off ? ": set the clock, ages and schedules would be wrong" : "");
}

enum mt_rc mt_clock_trusted(const struct mt_provider *provider,
                            const struct mt_provider_account *account, struct mt_fault *fault)
{
    bool known = false;
    int64_t ahead_ms = provider->clock_off_ms(account, &known);
    int64_t distance_ms = ahead_ms < 0 ? -ahead_ms : ahead_ms;
    char text[MT_TIME_RFC3339_LEN];

    if (!known)
        return mt_fault_set(fault, MT_ERR_STATE, "clock.unknown",
                            "the cloud has not said what time it is: nothing is deleted by age");
    if (distance_ms <= MT_CLOCK_TOLERANCE_MS)
        return MT_OK;
    mt_duration_format(distance_ms, text);
    return mt_fault_set(fault, MT_ERR_STATE, "clock.differs",
                        "this machine's clock is %s %s the cloud's: set it; nothing is deleted by "
                        "age before",
                        text, ahead_ms < 0 ? "behind" : "ahead of");
}
