/* The decoder: the bytes of a Meta (history, live frames, archives) into a message. */
#ifndef MT_EASEMOB_DECODE_INT_H
#define MT_EASEMOB_DECODE_INT_H

#include "model/message.h"

struct mt_arena;
struct mt_json;

struct mt_em_decoder {
    const char *user;         /* who "sent" and the peer are counted from */
    const char *appkey;       /* stripped from string JIDs */
    const char *api;          /* REST host for attachment URLs; "" if not known yet */
    struct mt_arena *scratch; /* reset by each decoded message */
};

#define MT_EM_SCRATCH_MAX ((size_t)4 * 1024 * 1024) /* what one unpacked message may need */

/* raw must live as long as the arena: out->raw points to it. Results:
 * MT_OK: a CHAT meta; when its payload is no MessageBody the message is of kind OTHER
 * ("undecodable"). MT_ERR_UNSUPPORTED: a Meta of another namespace (the SDK leaves those out of
 * history, easemob.md §4.3). MT_ERR_PROTOCOL: no Meta at all. MT_ERR_NOMEM, MT_ERR_LIMIT: the arena
 * is full. */
enum mt_rc mt_em_decode_meta(const struct mt_em_decoder *decoder, const void *raw, size_t len,
                             struct mt_arena *arena, struct mt_message *out) MT_CHECKED;
/* What could not be decoded, kept whole: kind OTHER, only id and raw filled. */
void mt_em_decode_none(const char *id, const void *raw, size_t len, struct mt_message *out);

/* The JSON form of a last message (§4.1): meta {id, from, to, timestamp, payload}.
 * MT_ERR_NOT_FOUND: no message in it. raw stays NULL: the list does not carry the bytes. */
enum mt_rc mt_em_decode_payload(const struct mt_em_decoder *decoder, const struct mt_json *meta,
                                struct mt_arena *arena, struct mt_message *out) MT_CHECKED;

/* "org#app_93734273351681@conference.easemob.com/res" or "bob": the name, and whether it stands in
 * the conference domain (§1.1: known prefix stripped, cut at '@'). False when empty or longer than
 * out. */
bool mt_em_jid_parse(const char *jid, const char *appkey, char *out, size_t out_size,
                     bool *conference);
/* Fills a conversation address; single targets are folded. False when the id does not fit or is
 * empty. */
bool mt_em_ref_set(struct mt_conversation_ref *ref, enum mt_conversation_kind kind,
                   const char *target);

#endif
