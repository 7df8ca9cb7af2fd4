/* A plan: any text is read or called damaged. A text of good lines is given its right end, which no
 * random change would ever hit: then it must be accepted, and not any more after one more change.
 * The first two bytes of an input say where that is made. */
#include "base/arena.h"
#include "base/map.h"
#include "policy/plan_walk_int.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)64 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

struct text {
    const char *p;
    size_t len;
};

/* In portions, so that lines lie across them. */
static enum mt_rc source(void *ud, char *p, size_t cap, int64_t at, size_t *got,
                         struct mt_fault *fault)
{
    const struct text *text = ud;
    size_t left = text->len - (size_t)at;

    (void)fault;
    *got = left < 37 ? left : 37;
    check(*got <= cap);
    memcpy(p, text->p + at, *got);
    return MT_OK;
}

static void check_item(const struct mt_plan_walk *walk)
{
    const struct mt_message_key *key = &walk->item.key;

    check(mt_id_is(key->id) && strlen(key->id) < MT_ID_MAX);
    check(!key->from || strlen(key->from) <= MT_PLAN_FROM_MAX);
    check(walk->inside && walk->conversation[0]);
}

/* Whether all of it is a plan. end: what would have to stand behind it to be one; len 0: nothing
 * makes it one. */
static bool walk_all(const char *p, size_t len, struct mt_buf *end)
{
    struct text text = {p, len};
    struct mt_plan_walk walk;
    struct mt_fault fault = {0};
    struct mt_map *seen = mt_map_new();
    struct mt_arena *strings = mt_arena_new(TEXT_MAX * 16);
    enum mt_plan_event event = MT_PLAN_END;

    check(seen && strings && !mt_plan_walk_init(&walk, source, &text, &fault));
    walk.seen = seen;
    walk.strings = strings;
    enum mt_rc rc = MT_OK;
    while (!rc && !walk.ended) {
        rc = mt_plan_walk_next(&walk, &event, &fault);
        if (!rc && event == MT_PLAN_ITEM)
            check_item(&walk);
    }
    check(!rc || (rc == MT_ERR_DAMAGED && !strcmp(fault.code, "plan.damaged")));
    check(rc || walk.sum.total.planned_n == walk.sum.items_n);
    if (end && rc && strstr(fault.message, "has no end") && walk.line_n > 1 && !walk.inside) {
        char hash[MT_PLAN_HASH_MAX];
        mt_plan_hash_of(&walk.head, &walk.sum, walk.scratch, hash);
        mt_plan_put_end(end, &walk.sum, hash, walk.file);
    }
    mt_plan_walk_deinit(&walk);
    mt_map_free(seen, NULL);
    mt_arena_free(strings);
    return !rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_buf whole, end;

    if (size < 3 || size > TEXT_MAX)
        return 0;
    mt_buf_init(&whole, TEXT_MAX * 2);
    mt_buf_init(&end, TEXT_MAX);
    check(!mt_buf_append(&whole, data + 2, size - 2));
    (void)walk_all(whole.data, whole.len, &end);
    if (end.len) {
        check(!mt_buf_append(&whole, end.data, end.len));
        check(walk_all(whole.data, whole.len, NULL));
        size_t at = ((size_t)data[0] << 8 | data[1]) % whole.len;
        whole.data[at] = (char)(whole.data[at] ^ (1 << (data[1] & 7)));
        check(!walk_all(whole.data, whole.len, NULL));
    }
    mt_buf_deinit(&whole);
    mt_buf_deinit(&end);
    return 0;
}
