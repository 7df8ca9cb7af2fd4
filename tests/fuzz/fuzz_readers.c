/* Who has read a message, and what the cloud says when it refuses: any text ends in a page, or in a
 * fault with a name. */
#include "base/arena.h"
#include "provider/easemob/faults_int.h"
#include "provider/easemob/manage_int.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void read_page(const char *text, size_t len)
{
    struct mt_arena *arena = mt_arena_new((size_t)16 << 20);
    struct mt_readers_page page;
    struct mt_fault fault;

    check(arena != NULL);
    if (mt_em_readers_parse(text, len, arena, &page, &fault)) {
        check(fault.code[0] && fault.message[0]);
    } else {
        check(!page.cursor || page.cursor[0]);
        for (size_t i = 0; i < page.n; i++)
            check(page.items[i].user[0] != '\0');
    }
    mt_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 400, 401, 403, 404, 429, 500, 503};
    const char *text = size ? (const char *)data : "";

    read_page(text, size);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct mt_fault fault = {.kind = MT_OK};
        enum mt_rc rc = mt_em_fault_answer(&fault, MT_EM_FEATURE_READERS, statuses[i], text, size);

        check(rc != MT_OK && fault.kind == rc && fault.code[0] && fault.message[0]);
    }
    return 0;
}
