/* What the cloud says about a message besides its content: reactions, edits, threads, read marks,
 * priority. */
#ifndef MT_EASEMOB_EXTRA_INT_H
#define MT_EASEMOB_EXTRA_INT_H

#include "model/fields.h"
#include "msync.pb-c.h"

struct mt_json;

/* The JSON object of MessageBody.meta (protobuf form: text) or payload.meta (JSON form): our names
 * for the known members, the cloud's own for the rest (docs/messages.md). */
enum mt_rc mt_em_extra_body(struct mt_fields *extra, const struct mt_json *meta) MT_CHECKED;
enum mt_rc mt_em_extra_body_text(struct mt_fields *extra, const char *text) MT_CHECKED;
/* Meta.meta (bytes of JSON: is_online, callback_replace) and Meta.ext (priority, broadcast). */
enum mt_rc mt_em_extra_meta(struct mt_fields *extra, const Easemob__Pb__Meta *meta) MT_CHECKED;

#endif
