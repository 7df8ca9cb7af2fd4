/* What the tests of this room share. */
#ifndef TESTS_EASEMOB_LIB_H
#define TESTS_EASEMOB_LIB_H

#include "../facts.h"
#include "model/message.h"
#include "provider/easemob/decode_int.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decoder of alice of easemob-demo#chatdemoui; scratch is freed by decoder_free. */
struct mt_em_decoder decoder_new(const char *api);
void decoder_free(struct mt_em_decoder *decoder);
#endif
