/* A list of holds: any text is read or refused with its line; what is read holds what it says. */
#include "policy/hold_int.h"

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

/* A message just as the hold describes it must be held: else the hold holds nothing. */
static void check_hold(const struct mt_holds *holds, const struct mt_hold *h)
{
    char conversation[MT_CONVERSATION_ID_MAX] = "group:1";
    int64_t time_ms = h->since_ms ? h->since_ms : h->until_ms ? h->until_ms - 1 : 1;
    size_t n = 0;

    check(h->id && *h->id && strlen(h->id) <= 64);
    check(!h->until_ms || h->since_ms < h->until_ms);
    for (const char *c = h->conversation; c && *c; c++) {
        check(n < sizeof conversation - 1);
        if (*c != '*')
            conversation[n++] = *c;
    }
    if (h->conversation)
        conversation[n] = '\0';
    check(time_ms >= 0);
    check(mt_holds_find(holds, h->account ? h->account : "account", "user", conversation,
                        h->person ? h->person : "person", time_ms) != NULL);
    check(mt_holds_find(holds, h->account, NULL, conversation, NULL, 0) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_holds *holds = NULL;
    struct mt_fault fault = {0};

    if (size > TEXT_MAX)
        return 0;
    enum mt_rc rc =
        mt_holds_parse("holds.jsonl", size ? (const char *)data : "", size, &holds, &fault);
    check((rc == MT_OK) == (holds != NULL));
    check(!rc || (rc == MT_ERR_INVALID && !strcmp(fault.code, "hold.syntax") && fault.message[0]));
    for (size_t i = 0; !rc && i < holds->n; i++)
        check_hold(holds, &holds->list[i].hold);
    if (!rc)
        (void)mt_holds_find(holds, "account", "user", "single:peer", "person", 1);
    mt_holds_free(holds);
    return 0;
}
