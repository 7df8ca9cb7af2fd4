/* Policies: any text is one, or is refused with a reason; what it is written as is the same policy,
 * and whatever it means of a message lies within its bounds. */
#include "base/buf.h"
#include "base/clock.h"
#include "policy/policy.h"
#include "script/policy_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)16 << 10)
#define NOW      INT64_C(1800000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

/* A text may compute for a second; here each look at the clock takes 100 ms. */
static int64_t hurried_us(void *ud)
{
    int64_t *now = ud;
    return *now += 100000;
}

static bool within(const struct mt_policy_bounds *b, const struct mt_message *m)
{
    bool kind = !b->kinds_n;

    for (size_t i = 0; i < b->kinds_n; i++)
        kind = kind || !strcmp(b->kinds[i], m->kind_name);
    return !b->nothing && kind && (!b->since_ms || m->time_ms >= b->since_ms) &&
           (!b->until_ms || m->time_ms < b->until_ms) && (!b->from || !strcmp(b->from, m->from));
}

static void decide(const struct mt_policy *policy)
{
    static const char *const kinds[] = {"text", "image"};
    struct mt_policy_bounds bounds;
    struct mt_field size = {"size_bytes", {.type = MT_VALUE_INT, .i = 6000000}};

    mt_policy_bounds(policy, NOW, &bounds);
    for (int i = 0; i < 16; i++) {
        struct mt_message m = {.id = "1",
                               .time_ms = i & 1 ? NOW - 1 : INT64_C(1700000000000),
                               .conversation = {MT_CONVERSATION_GROUP, "1", ""},
                               .from = i & 2 ? "a" : "b",
                               .kind = i & 4 ? MT_MESSAGE_TEXT : MT_MESSAGE_IMAGE,
                               .kind_name = kinds[!(i & 4)],
                               .text = i & 4 ? "some text" : NULL,
                               .text_len = i & 4 ? 9 : 0,
                               .body = {.type = MT_VALUE_MAP, .fields = &size, .fields_n = 1}};
        struct mt_policy_facts facts = {
            .message = &m, .pinned = i & 8, .newer_n = (uint64_t)i * 100, .now_ms = NOW};
        check(!mt_policy_holds(policy, &facts) ||
              (within(&bounds, &m) && mt_policy_may_concern(policy, &m.conversation)));
    }
}

static void write_and_read(const struct mt_policy *policy)
{
    struct mt_policy *again = NULL;
    struct mt_buf text, same;
    struct mt_fault fault = {0};

    mt_buf_init(&text, (size_t)1 << 24);
    mt_buf_init(&same, (size_t)1 << 24);
    check(!mt_policy_write(policy, &text));
    if (text.len <= MT_POLICY_FILE_MAX) {
        check(!mt_policy_parse(text.data, text.len, "again", &again, &fault));
        check(!mt_policy_write(again, &same));
        check(same.len == text.len && !memcmp(same.data, text.data, text.len));
    }
    mt_policy_release(again);
    mt_buf_deinit(&text);
    mt_buf_deinit(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_policy *policy = NULL;
    struct mt_fault fault = {0};
    int64_t now = 0, bytes = 0;

    if (size > TEXT_MAX)
        return 0;
    mt_clock_seam_set(&(struct mt_clock_seam){.cpu_us = hurried_us, .ud = &now});
    enum mt_rc rc = mt_policy_parse((const char *)data, size, "fuzz", &policy, &fault);
    mt_clock_seam_set(NULL);
    check(!rc == (policy != NULL));
    check(!rc || (fault.kind == rc && fault.code[0] && fault.message[0]));
    if (policy) {
        decide(policy);
        write_and_read(policy);
    }
    mt_policy_release(policy);
    if (size && size < 64 && !memchr(data, 0, size)) {
        char text[64];
        memcpy(text, data, size);
        text[size] = '\0';
        rc = mt_policy_size_parse(text, &bytes, &fault);
        check(rc == MT_ERR_INVALID || (!rc && bytes >= 0));
    }
    return 0;
}
