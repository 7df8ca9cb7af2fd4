/* Cron expressions and the files of time zones: any text is refused with a fault that says so, or
 * has a next time that is later and fits; any file is refused, or answers for every time. The first
 * byte of an input chooses: bit 0 a file, else an expression; the other bits a time. */
#include "codec/zone.h"
#include "jobs/cron.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)4096)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void ask(const struct mt_cron *cron, const struct mt_zone *zone, int64_t at_ms)
{
    for (int i = 0; i < 4; i++) {
        int64_t next_ms = mt_cron_next(cron, zone, at_ms);
        check(next_ms > at_ms && (next_ms == INT64_MAX || next_ms % 1000 == 0));
        if (next_ms == INT64_MAX)
            return;
        check(mt_cron_next(cron, zone, next_ms - 1) == next_ms);
        at_ms = next_ms;
    }
}

static void try_expression(const char *text, int64_t at_ms)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "Australia/Lord_Howe"};
    struct mt_cron cron;
    struct mt_zone *zone = NULL;
    struct mt_fault fault = {0};

    if (mt_cron_parse(text, &cron, &fault)) {
        check(fault.kind == MT_ERR_INVALID && !strncmp(fault.code, "cron.", 5) && fault.message[0]);
        return;
    }
    check(!mt_zone_load(zones[(uint64_t)at_ms % 3], &zone, &fault));
    ask(&cron, zone, at_ms);
    mt_zone_free(zone);
}

static void try_file(const uint8_t *data, size_t len, int64_t at_ms)
{
    struct mt_zone *zone = NULL;
    struct mt_fault fault = {0};
    struct mt_zone_span span;
    struct mt_cron cron;

    if (mt_zone_parse("file", data, len, &zone, &fault)) {
        check(!zone && fault.kind == MT_ERR_DAMAGED);
        return;
    }
    for (int64_t at_s = at_ms / 1000 - 400000000; at_s < at_ms / 1000 + 400000000;
         at_s += 7777777) {
        mt_zone_span(zone, at_s, &span);
        check(span.start_s <= at_s && at_s < span.end_s);
        check(span.ahead_s >= -30 * 3600 && span.ahead_s <= 30 * 3600);
    }
    check(!mt_cron_parse("30 2 * * *", &cron, &fault));
    ask(&cron, zone, at_ms);
    mt_zone_free(zone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX + 1];

    if (!size || size > TEXT_MAX)
        return 0;
    int64_t at_ms = (int64_t)(data[0] >> 1) * INT64_C(31556952000);
    if (data[0] & 1) {
        try_file(data + 1, size - 1, at_ms);
    } else {
        memcpy(text, data + 1, size - 1);
        text[size - 1] = '\0';
        try_expression(text, at_ms);
    }
    return 0;
}
