/* One request that changes the account's own view of the server: bind_manage.c has it,
 * bind_delete.c what deletes. */
#ifndef MT_SCRIPT_MANAGE_INT_H
#define MT_SCRIPT_MANAGE_INT_H

#include "script/audit_int.h"
#include "script/live_int.h"

struct mt_arena;

struct mt_manage_wait {
    struct mt_wait wait;
    const struct mt_provider *provider;
    const struct mt_provider_live *live;
    struct mt_provider_account *account;
    struct mt_conversation_ref ref;
    struct mt_provider_call *call;
    struct mt_audited audited;
    int64_t before_ms;           /* delete_messages { before } */
    bool history;                /* delete { history } */
    char why[200];               /* the script's word on it */
    struct mt_message_key *keys; /* delete_messages { ids }: all of them */
    char (*ids)[MT_ID_MAX];
    struct mt_arena *senders;
    size_t n, at;
    unsigned calls_n;
};

MT_RAISES struct mt_manage_wait *mt_manage_wait_new(lua_State *L,
                                                    const struct mt_provider *provider,
                                                    struct mt_provider_account *account);
/* Waits for what was begun with rc; nothing is its result. */
int mt_manage_wait(lua_State *L, struct mt_manage_wait *w, enum mt_rc rc);
/* The mt_done_fn of a request; ud is the wait. */
void mt_manage_done(void *ud, enum mt_rc rc, const struct mt_fault *fault);
/* What the cloud can do; raises when it is nothing. */
MT_RAISES const struct mt_provider_live *
mt_manage_live(lua_State *L, const struct mt_provider *provider, const char *function);

#endif
