/* Values of the model as protobuf fields; everything new lies in the arena. */
#ifndef MT_EASEMOB_PACK_INT_H
#define MT_EASEMOB_PACK_INT_H

#include "provider/live.h"

#include "msync.pb-c.h"

struct mt_arena;

/* A MAP as a list of pairs, typed as the SDK types them (easemob.md §2). */
enum mt_rc mt_em_pack_pairs(const struct mt_value *map, struct mt_arena *arena,
                            Easemob__Pb__KeyValue ***out, size_t *n) MT_CHECKED;
/* The content of a message. INVALID "send.kind", "send.field" with what is missing. */
enum mt_rc mt_em_pack_content(const struct mt_outgoing *message, struct mt_arena *arena,
                              Easemob__Pb__MessageBody__Content *out,
                              struct mt_fault *fault) MT_CHECKED;

#endif
