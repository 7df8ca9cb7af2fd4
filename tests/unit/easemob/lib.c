/* See lib.h. */
#include "lib.h"

#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct mt_em_decoder decoder_new(const char *api)
{
    struct mt_em_decoder decoder = {.user = "alice",
                                    .appkey = "easemob-demo#chatdemoui",
                                    .api = api,
                                    .scratch = mt_arena_new(MT_EM_SCRATCH_MAX)};

    assert_non_null(decoder.scratch);
    return decoder;
}

void decoder_free(struct mt_em_decoder *decoder)
{
    mt_arena_free(decoder->scratch);
}
