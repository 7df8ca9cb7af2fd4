/* What an account's model of its conversations is fed with: see model_int.h. */
#include "provider/rongcloud/account_int.h"
#include "provider/rongcloud/keys_int.h"
#include "provider/rongcloud/model_int.h"

#include "base/arena.h"
#include "base/log.h"

/* What navigation says of counting (1.2). */
static void set_mode(const struct mt_provider_account *account, struct mt_rong_model *model)
{
    model->server_counts = account->navi.server_unread;
    model->realtime = account->navi.realtime;
}

struct mt_rong_model *mt_rong_model_of(struct mt_provider_account *account)
{
    if (account->model == NULL)
        account->model = mt_rong_model_new(account->user);
    if (account->model != NULL)
        set_mode(account, account->model);
    return account->model;
}

/* It does not know all that came: the next list counts anew. */
static void spoil(const struct mt_provider_account *account, struct mt_rong_model *model)
{
    mt_log(MT_LOG_WARN, "rongcloud", "%s: out of memory for the counts of unread messages",
           account->name);
    if (model == NULL)
        return;
    model->primed = false;
    model->listed = false;
}

/* Both: the one in use, and the one that is being filled, in which what comes meanwhile is counted
 * once all the same (a message's time tells). */
static size_t models_of(struct mt_provider_account *account, struct mt_rong_model *out[2])
{
    size_t n = 0;

    out[n] = mt_rong_model_of(account);
    if (out[n] != NULL)
        n++;
    out[n] = account->priming;
    return n + (out[n] != NULL ? 1 : 0);
}

void mt_rong_model_take(struct mt_provider_account *account, const struct mt_message *m)
{
    struct mt_rong_model *models[2];
    size_t n = models_of(account, models);

    mt_rong_note_heard(account, m);
    for (size_t k = 0; k < n; k++) {
        if (mt_rong_model_arrive(models[k], m) != MT_OK)
            spoil(account, models[k]);
    }
}

#define SENT_EXTRA ((size_t)1024 * 1024)

void mt_rong_model_take_sent(struct mt_provider_account *account, const char *topic,
                             const char *target, const void *payload, size_t len, const char *id,
                             int64_t time_ms)
{
    struct mt_rong_decoder decoder = {.user = account->user,
                                      .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    struct mt_arena *arena = mt_arena_new(len * 16 + SENT_EXTRA);
    struct mt_rong_model *models[2];
    size_t n = models_of(account, models);
    struct mt_message m;
    const uint8_t *raw = NULL;
    size_t raw_len = 0;
    bool good = decoder.scratch != NULL && arena != NULL &&
                mt_rong_echo_raw(&decoder, topic, target, payload, len, id, time_ms, arena, &raw,
                                 &raw_len) == MT_OK &&
                mt_rong_decode(&decoder, raw, raw_len, arena, &m) == MT_OK;

    if (good)
        mt_rong_note_heard(account, &m);
    for (size_t k = 0; k < n; k++)
        if (!good || mt_rong_model_sent(models[k], &m) != MT_OK)
            spoil(account, models[k]);
    mt_arena_free(decoder.scratch);
    mt_arena_free(arena);
}

void mt_rong_model_take_states(struct mt_provider_account *account,
                               const struct mt_rong_states_out *states)
{
    struct mt_rong_model *models[2];
    size_t n = 0;

    if (states->n == 0 && account->model == NULL)
        return;
    n = models_of(account, models);
    for (size_t k = 0; k < n; k++) {
        if (mt_rong_model_states(models[k], states) != MT_OK)
            spoil(account, models[k]);
    }
}

void mt_rong_model_take_unreads(struct mt_provider_account *account,
                                const struct mt_rong_unreads_out *unreads)
{
    struct mt_rong_model *models[2];
    size_t n = models_of(account, models);

    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < unreads->n; i++)
            if (mt_rong_model_unread(models[k], &unreads->items[i]) != MT_OK)
                spoil(account, models[k]);
    }
}

void mt_rong_model_take_read(struct mt_provider_account *account,
                             const struct mt_conversation_ref *ref, int64_t until_ms)
{
    struct mt_rong_model *models[2];
    size_t n = models_of(account, models);

    for (size_t k = 0; k < n; k++) {
        if (mt_rong_model_read(models[k], ref, until_ms) != MT_OK)
            spoil(account, models[k]);
    }
}

void mt_rong_models_free(struct mt_provider_account *account)
{
    mt_rong_model_free(account->model);
    mt_rong_model_free(account->priming);
    account->model = NULL;
    account->priming = NULL;
}
