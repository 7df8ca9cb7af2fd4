/* What goes out: a message or a reference to one as topic, target and payload, field by field as
 * the official SDK sends them (rongcloud.md 3, 4.4, 4.6, 4.7). */
#ifndef MT_RONGCLOUD_OUTGOING_INT_H
#define MT_RONGCLOUD_OUTGOING_INT_H

#include "base/buf.h"
#include "provider/live.h"
#include "provider/rongcloud/account_int.h"

#include "rongcloud.pb-c.h"

/* Who sends, and how its cloud wants it. */
struct mt_rong_sender {
    const char *user;
    const struct mt_rong_navi *navi;
    int64_t now_ms;  /* the cloud's time */
    uint64_t unique; /* mt_rong_unique_id */
    bool unasked; /* a read message of a single chat had not asked for receipts: it is told the way
                     that needs no asking */
};

/* A request whose target and payload are its own: it is not to be moved. */
struct mt_rong_packet {
    struct mt_rong_request request;
    char target[160];
    struct mt_buf payload;
};

/* The id that a client gives its message: digits as the SDK makes them. */
uint64_t mt_rong_unique_id(int64_t now_ms, uint64_t counter);

/* All of them initialise out, which is deinited whether they succeed or not. INVALID "send.field",
 * "send.only", LIMIT "send.too_large", UNSUPPORTED "send.device", "conversation.kind", …: what is
 * wrong. */
enum mt_rc mt_rong_outgoing_pack(const struct mt_rong_sender *sender,
                                 const struct mt_outgoing *message, struct mt_rong_packet *out,
                                 struct mt_fault *fault) MT_CHECKED;
/* READ as the version of receipts wants it that navigation announced; CONVERSATION as its kind of
 * unread counts wants it, until message.time_ms or now; RECALL; EDIT. */
enum mt_rc mt_rong_reference_pack(const struct mt_rong_sender *sender,
                                  const struct mt_reference *reference, struct mt_rong_packet *out,
                                  struct mt_fault *fault) MT_CHECKED;
/* Receipts of the first version are asked for by a message of their own, after the one that they
 * are about was sent. */
enum mt_rc mt_rong_receipt_request_pack(const struct mt_rong_sender *sender,
                                        const struct mt_conversation_ref *to, const char *id,
                                        struct mt_rong_packet *out,
                                        struct mt_fault *fault) MT_CHECKED;
void mt_rong_packet_deinit(struct mt_rong_packet *packet);

/* The channel of a conversation as the wire has it: NULL unless an ultra group. */
const char *mt_rong_channel(const struct mt_rong_navi *navi, const struct mt_conversation_ref *ref);

/* outgoing.c, for refer.c. */
void mt_rong_packet_begin(struct mt_rong_packet *packet, const char *topic, const char *target);
enum mt_rc mt_rong_packet_end(struct mt_rong_packet *packet, const ProtobufCMessage *message,
                              struct mt_fault *fault) MT_CHECKED;
/* An instruction of the cloud's own as a message: its name and JSON; only: NULL, or one member. */
enum mt_rc mt_rong_instruct(const struct mt_rong_sender *sender,
                            const struct mt_conversation_ref *to, const char *name,
                            const struct mt_buf *content, const char *only,
                            struct mt_rong_packet *out, struct mt_fault *fault) MT_CHECKED;

#endif
