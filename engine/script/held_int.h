/* Whether holds keep what is about to be removed. */
#ifndef MT_SCRIPT_HELD_INT_H
#define MT_SCRIPT_HELD_INT_H

#include "script/script_int.h"

#include "model/message.h"
#include "policy/hold.h"

/* Part of a wait, and lives as long. */
struct mt_held {
    struct mt_loop *loop;
    char account[256]; /* its name in the configuration */
    const char *user, *conversation;
    const struct mt_message_key *keys;
    size_t n;
    int64_t before_ms;
    struct mt_hold_lists lists;
    enum mt_rc rc;
    struct mt_fault fault;
    void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault);
    void *ud;
};

/* Reads the lists that are in force for the account, as they are now. done: DENIED "hold.message"
 * when one of the n messages is held, "hold.conversation" when n is 0 and anything of the
 * conversation (NULL: of the account) from before before_ms (0: from whenever) could be; what keeps
 * a list from being read. At once where there is no list. What is pointed to lives until done. */
void mt_held_look(struct mt_held *held, const struct mt_script *script,
                  const struct mt_provider *provider, struct mt_provider_account *account,
                  const char *conversation, const struct mt_message_key *keys, size_t n,
                  int64_t before_ms,
                  void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault), void *ud);

#endif
