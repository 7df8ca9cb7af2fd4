/* One call that deletes or sends: held back by holds, or with its intent and its result in the
 * audit. */
#ifndef MT_SCRIPT_AUDIT_INT_H
#define MT_SCRIPT_AUDIT_INT_H

#include "script/held_int.h"

#include "model/conversation.h"

struct mt_audit_log;

/* Part of a wait, and lives as long. */
struct mt_audited {
    struct mt_script *script;
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    const char *verb;         /* static */
    struct mt_audit_log *log; /* NULL: it is not written down */
    char conversation[MT_CONVERSATION_ID_MAX];
    bool removes;      /* or changes for good: holds are looked at first */
    int64_t before_ms; /* of what is removed unseen; 0: from whenever */
    struct mt_held held;
    const struct mt_message_key *keys;
    size_t n;
    char why[200], detail[100];
    uint64_t intent;
    bool intending; /* not looked at, or not durable yet: the cloud has not been asked */
    bool stopped;   /* before the cloud was asked */
    void (*go)(void *ud, enum mt_rc rc, const struct mt_fault *fault);
    void *ud;
};

/* ref NULL: the whole account. Raises where there should be an audit and can be none. */
MT_RAISES void mt_audited_init(lua_State *L, struct mt_audited *a,
                               const struct mt_provider *provider,
                               struct mt_provider_account *account,
                               const struct mt_conversation_ref *ref, const char *verb,
                               bool sending);
/* go when no hold keeps what is removed and the intent is durable, or with why not; at once when
 * there is nothing to look at and it is not written down. keys live until then. One call may have
 * several after each other, each with its end. NOMEM: go is not called. */
enum mt_rc mt_audited_go(struct mt_audited *a, const struct mt_message_key *keys, size_t n,
                         const char *why, const char *detail,
                         void (*go)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                         void *ud) MT_CHECKED;
/* The outcome. id: of the message that was sent, or NULL. */
void mt_audited_end(struct mt_audited *a, enum mt_rc rc, const char *id,
                    const struct mt_fault *fault);

#endif
