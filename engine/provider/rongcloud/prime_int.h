/* What has to be asked before a list of conversations says what is unread: settings, the cloud's
 * own counts where it keeps them, and the messages that it keeps for a new device, which are
 * counted (rongcloud.md 4.1, 5.1). Once for the account, then only what is new; nothing on a live
 * session that is kept up to date by what it hears. */
#ifndef MT_RONGCLOUD_PRIME_INT_H
#define MT_RONGCLOUD_PRIME_INT_H

#include "provider/rongcloud/account_int.h"
#include "provider/rongcloud/model_int.h"

#define MT_RONG_PAGE_TOKEN_MAX 512

enum mt_rong_prime_stage {
    MT_RONG_PRIME_START,
    MT_RONG_PRIME_STATES,
    MT_RONG_PRIME_UNREADS,
    MT_RONG_PRIME_INBOX,
    MT_RONG_PRIME_ULTRA,
    MT_RONG_PRIME_DONE,
};

struct mt_rong_prime {
    enum mt_rong_prime_stage stage;
    struct mt_rong_model
        *own;        /* that takes the account's model's place; NULL: that one is filled */
    bool registered; /* own hears meanwhile what the session hears */
    bool ultra;      /* ultra groups stand in the list */
    bool first;      /* page of the stage */
    char token[MT_RONG_PAGE_TOKEN_MAX];
    int64_t ultra_ms;
    unsigned pages;
};

/* Memory mode (5.2): ultra groups are in the list, which is kept here then. */
bool mt_rong_memory_mode(const struct mt_provider_account *account);
/* Asks what comes next, with a connection; again after it was lost. False: nothing is left to ask,
 * or *rc is not MT_OK (NOMEM). */
bool mt_rong_prime_ask(struct mt_provider_call *call, struct mt_rong_prime *prime, enum mt_rc *rc);
/* Faults beside those of the answers: PROTOCOL "conversations.stuck". */
enum mt_rc mt_rong_prime_answer(struct mt_provider_account *account, struct mt_rong_prime *prime,
                                const struct mt_rong_answer *answer,
                                struct mt_fault *fault) MT_CHECKED;
void mt_rong_prime_deinit(struct mt_provider_account *account, struct mt_rong_prime *prime);

/* unreads.c: the cloud's own counts, where it keeps them, once more; for live sessions. */
void mt_rong_unreads_pull(struct mt_provider_account *account);

/* A request that only reads. */
void mt_rong_ask_input(struct mt_provider_call *call, const char *topic,
                       const ProtobufCMessage *input);

#endif
