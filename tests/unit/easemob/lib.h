/* What the tests of this room share. */
#ifndef TESTS_EASEMOB_LIB_H
#define TESTS_EASEMOB_LIB_H

#include "codec/json.h"
#include "model/message.h"
#include "provider/easemob/decode_int.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text of a file of the shared protocol facts (MT_SHARED, or ../shared beside the repository);
 * NULL with a TAP line that says so when they are not there. Freed with mt_mem_free. */
char *shared_file(const char *name, size_t *len);
/* Bytes of a hex text; freed with mt_mem_free. */
uint8_t *from_hex(const char *hex, size_t *len);
/* Calls each(ud, node) for every line of JSON; asserts that each is. */
void each_line(const char *text, size_t len, void (*each)(void *ud, const struct mt_json *node),
               void *ud);
/* A decoder of alice of easemob-demo#chatdemoui; scratch is freed by decoder_free. */
struct mt_em_decoder decoder_new(const char *api);
void decoder_free(struct mt_em_decoder *decoder);
/* The JSON of a value, or of a message without raw; in a static buffer that the next call
 * overwrites. */
const char *json_of(const struct mt_value *value);
const char *message_json(const struct mt_message *m);

#endif
