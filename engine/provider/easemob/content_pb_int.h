/* The protobuf form of a message's content. */
#ifndef MT_EASEMOB_CONTENT_PB_INT_H
#define MT_EASEMOB_CONTENT_PB_INT_H

#include "msync.pb-c.h"
#include "provider/easemob/content_int.h"

/* Only the first Content counts, as in the SDK (easemob.md §3.3). stream is filled when the body
 * has one. */
enum mt_rc mt_em_content_from_pb(const Easemob__Pb__MessageBody *body, struct mt_arena *arena,
                                 struct mt_em_stream *stream, struct mt_em_content *out) MT_CHECKED;

#endif
