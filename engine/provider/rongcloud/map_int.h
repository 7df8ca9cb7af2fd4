/* The decoder: the bytes of a DownStreamMessage (history, lists, pulls, pushes, archives) into a
 * message (rongcloud.md 4.3). */
#ifndef MT_RONGCLOUD_MAP_INT_H
#define MT_RONGCLOUD_MAP_INT_H

#include "model/fields.h"
#include "model/message.h"

#include "rongcloud.pb-c.h"

struct mt_arena;

struct mt_rong_decoder {
    const char *user;         /* whose "sent" it is */
    struct mt_arena *scratch; /* reset by each decoded message */
    /* NULL, or the conversation that was asked for: it wins over what the message says (4.3) */
    const struct mt_conversation_ref *conversation;
};

#define MT_RONG_SCRATCH_MAX ((size_t)4 * 1024 * 1024) /* what one unpacked message may need */

/* The channel of an ultra group that stands for the wire's empty one (1.2, ugDriven). */
#define MT_RONG_DEFAULT_CHANNEL "RCDefault"

/* raw must live as long as the arena: out->raw points to it. Content that cannot be read is kept in
 * a message of kind OTHER. MT_ERR_PROTOCOL: no DownStreamMessage at all. MT_ERR_NOMEM: the arena is
 * full. */
enum mt_rc mt_rong_decode(const struct mt_rong_decoder *decoder, const void *raw, size_t len,
                          struct mt_arena *arena, struct mt_message *out) MT_CHECKED;
/* What could not be decoded, kept whole: kind OTHER "undecodable", only raw filled. */
void mt_rong_decode_none(const void *raw, size_t len, struct mt_message *out);

/* The bytes of what another device of this user has sent (2.5: the frame, then its PUBACK), as the
 * DownStreamMessage that everybody else got; in the arena. MT_ERR_PROTOCOL: no UpStreamMessage. */
enum mt_rc mt_rong_echo_raw(const struct mt_rong_decoder *decoder, const char *topic,
                            const char *target, const void *payload, size_t payload_len,
                            const char *id, int64_t time_ms, struct mt_arena *arena,
                            const uint8_t **raw, size_t *len) MT_CHECKED;

/* A conversation by the wire's words. Types that the model has no word for are system
 * conversations whose target begins with "customer/", "app/" or "public/". False when the id is
 * empty or does not fit. */
bool mt_rong_ref_set(struct mt_conversation_ref *ref, int type, const char *target,
                     const char *channel);
/* And back: the type, and the id as the wire has it. */
int mt_rong_ref_type(const struct mt_conversation_ref *ref, const char **target);
bool mt_rong_type_is_group(int type); /* groupId names it, not fromUserId */

/* extra.c: what the cloud says of the message besides its content. */
void mt_rong_extra(struct mt_fields *extra, const Rongcloud__DownStreamMessage *message);

/* For protobuf-c: everything lies in the arena. */
ProtobufCAllocator mt_rong_allocator(struct mt_arena *arena);

#endif
