/* The live session, as its files see it: one that keeps the account's connection, tells of what the
 * cloud pushes, and pulls what the cloud keeps for this user (rongcloud.md 4.1, 4.2).
 *
 * live.c: its life and its batches. sync.c: pulling, and until where all was dealt with. */
#ifndef MT_RONGCLOUD_LIVE_INT_H
#define MT_RONGCLOUD_LIVE_INT_H

#include "provider/rongcloud/account_int.h"

/* Called by the connection. */
bool mt_rong_live_wants(const struct mt_provider_account *account);
void mt_rong_live_online(struct mt_provider_account *account);
void mt_rong_live_offline(struct mt_provider_account *account, const struct mt_fault *fault);
void mt_rong_live_refused(struct mt_provider_account *account, enum mt_event_type type,
                          const struct mt_fault *fault);
void mt_rong_live_push(struct mt_provider_account *account, const struct mt_rong_frame *frame);

/* What another device of this user has sent: the pair of 2.5. */
struct mt_rong_echo {
    struct mt_rong_echo *next;
    uint16_t id;
    char topic[MT_RONG_TOPIC_MAX];
    char target[MT_RONG_TARGET_MAX];
    size_t len;
    uint8_t payload[]; /* an UpStreamMessage */
};
void mt_rong_live_echo(struct mt_provider_account *account, const struct mt_rong_echo *echo,
                       int64_t time_ms, const char *uid);

/* live.c, of the table in provider/live.h */
enum mt_rc mt_rong_live_start(struct mt_provider_account *account,
                              const struct mt_live_options *options,
                              const struct mt_live_handlers *handlers, void *ud,
                              struct mt_fault *fault) MT_CHECKED;
void mt_rong_live_stop(struct mt_provider_account *account);
void mt_rong_live_done(struct mt_provider_account *account, struct mt_event_batch *batch);

#endif
