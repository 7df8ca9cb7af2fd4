/* The lists of holds against what a script is about to remove (R13): every call that does so comes
 * by here on its way to the audit, and no script has a say in it. */
#include "script/held_int.h"

#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

static enum mt_rc one_held(struct mt_held *held, const struct mt_message_key *key,
                           const struct mt_hold *hold)
{
    bool vague = !key->from || !key->time_ms;

    return mt_fault_set(
        &held->fault, MT_ERR_DENIED, "hold.message",
        "the message %.40s of %.100s is held by '%.64s'%s: nothing of what was "
        "asked for together is removed",
        key->id ? key->id : "0", held->conversation ? held->conversation : "?", hold->id,
        vague ? " (for all that is known of it: give the message, not its id)" : "");
}

static enum mt_rc judge(struct mt_held *held, const struct mt_holds *holds)
{
    const struct mt_hold *hold = NULL;

    for (size_t i = 0; i < held->n; i++) {
        const struct mt_message_key *key = &held->keys[i];

        hold = mt_holds_find(holds, held->account, held->user, held->conversation, key->from,
                             key->time_ms);
        if (hold)
            return one_held(held, key, hold);
    }
    if (!held->n)
        hold =
            mt_holds_reach(holds, held->account, held->user, held->conversation, held->before_ms);
    if (!hold)
        return MT_OK;
    return mt_fault_set(&held->fault, MT_ERR_DENIED, "hold.conversation",
                        "'%.64s' may hold messages of %.100s, and this removes them unseen: delete "
                        "by ids, or under a plan",
                        hold->id, held->conversation ? held->conversation : "the account");
}

static void look(void *ud)
{
    struct mt_held *held = ud;
    struct mt_holds *holds = NULL;

    held->rc = mt_holds_read_all(&held->lists, &holds, &held->fault);
    if (!held->rc)
        held->rc = judge(held, holds);
    mt_holds_free(holds);
}

static void looked(void *ud, bool cancelled)
{
    struct mt_held *held = ud;

    mt_hold_lists_clear(&held->lists);
    if (cancelled)
        held->rc = mt_fault_set(&held->fault, MT_ERR_CANCELLED, "cancelled", "cancelled");
    held->done(held->ud, held->rc, held->rc ? &held->fault : NULL);
}

void mt_held_look(struct mt_held *held, const struct mt_script *script,
                  const struct mt_provider *provider, struct mt_provider_account *account,
                  const char *conversation, const struct mt_message_key *keys, size_t n,
                  int64_t before_ms,
                  void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault), void *ud)
{
    const struct mt_hold_source *source = script->host->holds;
    const char *name = NULL;
    enum mt_rc rc = MT_OK;

    memset(held, 0, sizeof *held);
    held->loop = script->host->loop;
    held->user = provider->user(account);
    held->conversation = conversation;
    held->keys = keys;
    held->n = n;
    held->before_ms = before_ms;
    held->done = done;
    held->ud = ud;
    if (source)
        rc = source->lists(source->ud, account, &held->lists, &name, &held->fault);
    (void)snprintf(held->account, sizeof held->account, "%s", name ? name : "");
    if (!rc && held->lists.n && mt_work_start(held->loop, look, looked, held, NULL))
        rc = mt_fault_set(&held->fault, MT_ERR_NOMEM, "memory", "out of memory");
    else if (!rc && held->lists.n)
        return;
    mt_hold_lists_clear(&held->lists);
    done(ud, rc, rc ? &held->fault : NULL);
}
