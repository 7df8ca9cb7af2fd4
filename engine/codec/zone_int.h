/* What comes after the last change that a zone's file lists: a rule for every year. Private. */
#ifndef MT_CODEC_ZONE_INT_H
#define MT_CODEC_ZONE_INT_H

#include "codec/zone.h"

/* One of the two changes of a year, as POSIX writes it: Jn (1 to 365, never the leap day), n (0 to
 * 365), Mm.w.d. */
struct mt_zone_day {
    enum { MT_ZONE_JULIAN, MT_ZONE_NTH, MT_ZONE_WEEKDAY } kind;
    int day;         /* of the year, or of the week (0 is Sunday) */
    int month, week; /* week 5 is the last */
    int32_t at_s;    /* by the clocks that are changed; may be negative, or beyond a day */
};

struct mt_zone_rule {
    int32_t standard_s, summer_s; /* ahead of UTC */
    bool changes;                 /* false: standard time all year */
    struct mt_zone_day to_summer, to_standard;
};

/* "CET-1CEST,M3.5.0,M10.5.0/3". false: it is none. */
bool mt_zone_rule_parse(const char *text, struct mt_zone_rule *out);
/* The span by the rule alone. */
void mt_zone_rule_span(const struct mt_zone_rule *rule, int64_t time_s, struct mt_zone_span *out);

#endif
