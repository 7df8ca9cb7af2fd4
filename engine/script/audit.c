/* What deletes or sends is written down before the cloud is asked, and its outcome after (R24);
 * what deletes is looked at by the holds before that (R13). The call goes on when the intent is
 * durable; its result is only handed over, and is durable with the next append. */
#include "script/audit_int.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "jobs/audit_log.h"

#include <stdio.h>
#include <string.h>

static void actor_of(const struct mt_script *script, char *out, size_t cap)
{
    if (script->host->job)
        snprintf(out, cap, "job %s", script->host->job);
    else
        snprintf(out, cap, "%s", script->command);
}

static struct mt_audit_record record_of(const struct mt_audited *a, enum mt_audit_type type)
{
    const struct mt_script_audit *audit = a->script->host->audit;

    return (struct mt_audit_record){
        .type = type,
        .account = audit->label(audit->ud, a->account),
        .user = a->provider->user(a->account),
        .verb = a->verb,
        .conversation = a->conversation[0] ? a->conversation : NULL,
    };
}

static void intended(void *ud, enum mt_rc rc, const uint64_t *numbers, size_t n,
                     const struct mt_fault *fault)
{
    struct mt_audited *a = ud;

    (void)n;
    if (!rc)
        a->intent = numbers[0];
    a->intending = false;
    a->go(a->ud, rc, fault);
}

static enum mt_rc intend(struct mt_audited *a)
{
    struct mt_audit_record record = record_of(a, MT_AUDIT_INTENT);
    const char **ids = a->n ? mt_mem_calloc(a->n, sizeof *ids) : NULL;
    char actor[300];

    if (a->n && !ids)
        return MT_ERR_NOMEM;
    for (size_t i = 0; i < a->n; i++)
        if (a->keys[i].id)
            ids[record.ids_n++] = a->keys[i].id;
    actor_of(a->script, actor, sizeof actor);
    record.ids = ids;
    record.actor = actor;
    record.why = a->why[0] ? a->why : NULL;
    record.detail = a->detail[0] ? a->detail : NULL;
    enum mt_rc rc = mt_audit_log_append(a->log, &record, 1, intended, a);
    mt_mem_free(ids);
    a->intending = !rc;
    return rc;
}

/* No hold keeps it, or one does, or nobody can say. */
static void on_looked(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_audited *a = ud;

    a->intending = false;
    if (!rc && !a->stopped && a->log) {
        struct mt_fault nomem;
        if (!intend(a))
            return;
        rc = mt_fault_set(&nomem, MT_ERR_NOMEM, "memory", "out of memory");
        a->go(a->ud, rc, &nomem);
        return;
    }
    a->go(a->ud, rc, fault);
}

void mt_audited_init(lua_State *L, struct mt_audited *a, const struct mt_provider *provider,
                     struct mt_provider_account *account, const struct mt_conversation_ref *ref,
                     const char *verb, bool sending)
{
    struct mt_script *script = mt_script_of(L);
    const struct mt_script_audit *audit = script->host->audit;
    struct mt_fault fault;

    memset(a, 0, sizeof *a);
    a->script = script;
    a->provider = provider;
    a->account = account;
    a->verb = verb;
    a->removes = !sending;
    if (ref)
        mt_conversation_ref_format(ref, a->conversation);
    if (audit && audit->log(audit->ud, sending, &a->log, &fault))
        mt_fault_raise(L, &fault);
}

enum mt_rc mt_audited_go(struct mt_audited *a, const struct mt_message_key *keys, size_t n,
                         const char *why, const char *detail,
                         void (*go)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                         void *ud)
{
    a->go = go;
    a->ud = ud;
    a->intent = 0;
    a->keys = keys;
    a->n = n;
    snprintf(a->why, sizeof a->why, "%s", why ? why : "");
    snprintf(a->detail, sizeof a->detail, "%s", detail ? detail : "");
    if (a->removes) {
        a->intending = true;
        mt_held_look(&a->held, a->script, a->provider, a->account,
                     a->conversation[0] ? a->conversation : NULL, keys, n, a->before_ms, on_looked,
                     a);
        return MT_OK;
    }
    if (a->log)
        return intend(a);
    go(ud, MT_OK, NULL);
    return MT_OK;
}

/* An answer that never came may hide that it was done. */
static const char *outcome_of(enum mt_rc rc, const struct mt_fault *fault)
{
    if (rc && fault && mt_str_ends(fault->code, ".unknown"))
        return "unknown";
    switch (rc) {
    case MT_OK:
        return "done";
    case MT_ERR_TIMEOUT:
    case MT_ERR_NETWORK:
    case MT_ERR_CANCELLED:
    case MT_ERR_PROTOCOL:
    case MT_ERR_REMOTE:
        return "unknown";
    case MT_ERR_NOMEM:
    case MT_ERR_IO:
    case MT_ERR_STATE:
        return "failed";
    default:
        return "refused";
    }
}

void mt_audited_end(struct mt_audited *a, enum mt_rc rc, const char *id,
                    const struct mt_fault *fault)
{
    if (!a->log || !a->intent)
        return;
    struct mt_audit_record record = record_of(a, MT_AUDIT_RESULT);
    record.intent = a->intent;
    record.outcome = a->stopped ? "failed" : outcome_of(rc, fault);
    record.code = a->stopped ? "cancelled" : rc && fault ? fault->code : NULL;
    record.ids = &id;
    record.ids_n = id && *id ? 1 : 0;
    a->intent = 0;
    if (mt_audit_log_append(a->log, &record, 1, NULL, NULL))
        mt_log(MT_LOG_ERROR, "audit", "out of memory: a result is missing");
}
