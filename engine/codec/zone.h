/* Time zones: what the clocks of a place show. Read from the system's files (TZif, RFC 8536)
 * without the C library, whose zone is one for the whole process
 * (docs/decisions/6-time-zones.md). */
#ifndef MT_CODEC_ZONE_H
#define MT_CODEC_ZONE_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_zone;

/* A stretch of time in which the clocks are ahead of UTC by the same amount. */
struct mt_zone_span {
    int64_t start_s, end_s; /* since the epoch; INT64_MIN and INT64_MAX: without an end */
    int32_t ahead_s;        /* of UTC; negative in the west */
    int32_t before_s;       /* ahead of UTC in front of start_s; ahead_s where there is nothing */
};

/* By its IANA name, such as "Asia/Shanghai"; "UTC" is known without a file. Faults: INVALID
 * "zone.unknown" (also names that are none), NOT_FOUND "zone.files" (the system has no zones at
 * all), DAMAGED "zone.damaged". */
enum mt_rc mt_zone_load(const char *name, struct mt_zone **out, struct mt_fault *fault) MT_CHECKED;
/* The same from the bytes of a file. */
enum mt_rc mt_zone_parse(const char *name, const void *data, size_t len, struct mt_zone **out,
                         struct mt_fault *fault) MT_CHECKED;
void mt_zone_free(struct mt_zone *zone);
/* The span that time_s lies in. Two spans beside each other differ. Times are from the year 1 to
 * 9999; beyond it the nearest of those. */
void mt_zone_span(const struct mt_zone *zone, int64_t time_s, struct mt_zone_span *out);

#endif
