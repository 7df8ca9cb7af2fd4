/* Fills the model of an account's conversations: see prime_int.h. */
#include "provider/rongcloud/prime_int.h"

#include "base/arena.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define PAGES_MAX 10000 /* of one stage; a cloud that never ends is no cloud */

bool mt_rong_memory_mode(const struct mt_provider_account *account)
{
    return account->navi.ultra && account->navi.ultra_in_list;
}

void mt_rong_ask_input(struct mt_provider_call *call, const char *topic,
                       const ProtobufCMessage *input)
{
    size_t len = protobuf_c_message_get_packed_size(input);
    uint8_t *packed = mt_mem_alloc(len + 1);

    if (packed == NULL) {
        struct mt_fault fault;

        (void)mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
        mt_call_end_soon(call, MT_ERR_NOMEM, &fault);
        return;
    }
    (void)protobuf_c_message_pack(input, packed);
    mt_rong_ask(call, &(struct mt_rong_request){
                          .topic = topic, .reads = true, .payload = packed, .len = len});
    mt_mem_free(packed);
}

/* ---------------------------------------------------------------- asking */

static struct mt_rong_model *target_of(struct mt_provider_account *account,
                                       const struct mt_rong_prime *prime)
{
    return prime->own != NULL ? prime->own : mt_rong_model_of(account);
}

/* Counting begins at the beginning, in a model of its own: the one in use may know newer messages
 * only, and then older ones would not be counted any more. */
static enum mt_rc begin(struct mt_provider_account *account, struct mt_rong_prime *prime)
{
    struct mt_rong_model *model = mt_rong_model_of(account);

    if (model == NULL)
        return MT_ERR_NOMEM;
    prime->ultra = mt_rong_memory_mode(account);
    prime->first = true;
    if (model->primed) {
        prime->stage = account->live != NULL ? MT_RONG_PRIME_DONE : MT_RONG_PRIME_STATES;
        return MT_OK;
    }
    prime->own = mt_rong_model_fresh(model);
    if (prime->own == NULL)
        return MT_ERR_NOMEM;
    prime->own->keeps_last = prime->ultra || account->live != NULL;
    if (account->priming == NULL) {
        account->priming = prime->own;
        prime->registered = true;
    }
    prime->stage = MT_RONG_PRIME_STATES;
    return MT_OK;
}

static void ask_states(struct mt_provider_call *call, const struct mt_rong_model *model)
{
    Rongcloud__SessionReq input = RONGCLOUD__SESSION_REQ__INIT;

    input.time = model->states_version;
    mt_rong_ask_input(call, "pullSeAtts", &input.base);
}

static void ask_unreads(struct mt_provider_call *call, struct mt_rong_prime *prime)
{
    Rongcloud__SessionQryInput input = RONGCLOUD__SESSION_QRY_INPUT__INIT;

    input.has_version = true;
    input.has_compress = input.compress = true;
    input.pagetoken = prime->token[0] != '\0' ? prime->token : NULL;
    mt_rong_ask_input(call, "pullSe", &input.base);
}

static void ask_inbox(struct mt_provider_call *call, const struct mt_rong_model *model)
{
    Rongcloud__SyncRequestMsg input = RONGCLOUD__SYNC_REQUEST_MSG__INIT;

    input.synctime = model->inbox_ms;
    input.has_ispullsend = input.ispullsend = true;
    input.has_sendboxsynctime = true;
    input.sendboxsynctime = model->outbox_ms;
    input.has_broadcastsynctime = true;
    input.broadcastsynctime = model->broadcast_ms;
    input.has_compressioenabled = input.compressioenabled = true;
    mt_rong_ask_input(call, "pullMsg", &input.base);
}

static void ask_ultra(struct mt_provider_call *call, const struct mt_rong_prime *prime)
{
    Rongcloud__UltraGrpPullSes input = RONGCLOUD__ULTRA_GRP_PULL_SES__INIT;

    input.synctime = prime->ultra_ms;
    input.has_iserasemsgcontent = true;
    mt_rong_ask_input(call, "pullUgSes", &input.base);
}

bool mt_rong_prime_ask(struct mt_provider_call *call, struct mt_rong_prime *prime, enum mt_rc *rc)
{
    struct mt_provider_account *account = call->account;
    const struct mt_rong_model *model = NULL;

    *rc = prime->stage == MT_RONG_PRIME_START ? begin(account, prime) : MT_OK;
    if (*rc != MT_OK || prime->stage == MT_RONG_PRIME_DONE)
        return false;
    model = target_of(account, prime);
    if (model == NULL) {
        *rc = MT_ERR_NOMEM;
        return false;
    }
    if (prime->stage == MT_RONG_PRIME_STATES)
        ask_states(call, model);
    else if (prime->stage == MT_RONG_PRIME_UNREADS)
        ask_unreads(call, prime);
    else if (prime->stage == MT_RONG_PRIME_INBOX)
        ask_inbox(call, model);
    else
        ask_ultra(call, prime);
    return true;
}

/* ---------------------------------------------------------------- answers */

/* What is done with one answer. */
struct taking {
    struct mt_provider_account *account;
    struct mt_rong_prime *prime;
    struct mt_rong_model *model;
    const struct mt_rong_answer *answer;
    struct mt_rong_decoder decoder;
    struct mt_arena *arena;
    bool more;
};

static enum mt_rc stuck(const char *what, struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.stuck",
                        "the cloud says that there are more %s, and gives the same again", what);
}

static enum mt_rc take_states(struct taking *t, struct mt_fault *fault)
{
    struct mt_rong_states_out states;
    enum mt_rc rc =
        mt_rong_states_parse(t->answer->payload, t->answer->len, t->arena, &states, fault);

    return rc == MT_OK ? mt_rong_model_states(t->model, &states) : rc;
}

static enum mt_rc take_unreads(struct taking *t, struct mt_fault *fault)
{
    struct mt_rong_unreads_out unreads;
    enum mt_rc rc =
        mt_rong_unreads_parse(t->answer->payload, t->answer->len, t->arena, &unreads, fault);

    if (rc != MT_OK)
        return rc;
    if (t->prime->first)
        mt_rong_model_uncount(t->model);
    for (size_t i = 0; rc == MT_OK && i < unreads.n; i++)
        rc = mt_rong_model_unread(t->model, &unreads.items[i]);
    t->more = unreads.page_token != NULL && *unreads.page_token != '\0';
    if (!t->more)
        return rc;
    if (strlen(unreads.page_token) >= sizeof t->prime->token ||
        strcmp(unreads.page_token, t->prime->token) == 0)
        return stuck("counts of unread messages", fault);
    snprintf(t->prime->token, sizeof t->prime->token, "%s", unreads.page_token);
    return rc;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static enum mt_rc take_inbox(struct taking *t, struct mt_fault *fault)
{
    struct mt_rong_pull_out pull;
    struct mt_rong_model *model = t->model;
    enum mt_rc rc =
        mt_rong_pull_parse(&t->decoder, t->answer->payload, t->answer->len, t->arena, &pull, fault);

    if (rc != MT_OK)
        return rc;
    t->more = !pull.finished;
    if (t->more && pull.sync_ms <= model->inbox_ms)
        return stuck("messages", fault);
    for (size_t i = 0; rc == MT_OK && i < pull.messages.n; i++) {
        rc = mt_rong_model_arrive(model, &pull.messages.items[i]);
        if (pull.messages.items[i].sent)
            model->outbox_ms = later(model->outbox_ms, pull.messages.items[i].time_ms);
    }
    model->inbox_ms = later(model->inbox_ms, pull.sync_ms);
    model->broadcast_ms = later(model->broadcast_ms, pull.broadcast_ms);
    return rc;
}

static enum mt_rc take_ultra(struct taking *t, struct mt_fault *fault)
{
    struct mt_rong_relations_out out;
    int64_t before = t->prime->ultra_ms;
    enum mt_rc rc = mt_rong_relations_parse(&t->decoder, t->answer->payload, t->answer->len,
                                            t->arena, &out, fault);

    for (size_t i = 0; rc == MT_OK && i < out.n; i++) {
        rc = mt_rong_model_relation(t->model, &out.items[i]);
        t->prime->ultra_ms = later(t->prime->ultra_ms, out.items[i].version_ms);
    }
    if (rc != MT_OK)
        return rc;
    t->more = out.has_finished && !out.finished;
    return t->more && t->prime->ultra_ms <= before ? stuck("ultra groups", fault) : MT_OK;
}

/* All was read: the new model takes its place, unless another one did meanwhile. */
static void complete(struct mt_provider_account *account, struct mt_rong_prime *prime)
{
    if (prime->own == NULL)
        return;
    if (prime->registered)
        account->priming = NULL;
    if (account->model != NULL && account->model->primed) {
        mt_rong_model_free(prime->own);
    } else {
        mt_rong_model_free(account->model);
        account->model = prime->own;
        account->model->primed = true;
    }
    prime->own = NULL;
    prime->registered = false;
}

static void next_stage(struct mt_provider_account *account, struct mt_rong_prime *prime)
{
    do
        prime->stage = (enum mt_rong_prime_stage)(prime->stage + 1);
    while ((prime->stage == MT_RONG_PRIME_UNREADS && !account->navi.server_unread) ||
           (prime->stage == MT_RONG_PRIME_ULTRA && !prime->ultra));
    prime->first = true;
    prime->pages = 0;
    prime->token[0] = '\0';
    prime->ultra_ms = 0;
    if (prime->stage == MT_RONG_PRIME_DONE)
        complete(account, prime);
}

enum mt_rc mt_rong_prime_answer(struct mt_provider_account *account, struct mt_rong_prime *prime,
                                const struct mt_rong_answer *answer, struct mt_fault *fault)
{
    struct taking t = {
        .account = account,
        .prime = prime,
        .model = target_of(account, prime),
        .answer = answer,
        .decoder = {.user = account->user, .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)},
        .arena = mt_arena_new(MT_RONG_PAGE_ARENA_MAX)};
    enum mt_rc rc = MT_ERR_NOMEM;

    fault->kind = MT_OK;
    if (t.model != NULL && t.decoder.scratch != NULL && t.arena != NULL) {
        if (prime->stage == MT_RONG_PRIME_STATES)
            rc = take_states(&t, fault);
        else if (prime->stage == MT_RONG_PRIME_UNREADS)
            rc = take_unreads(&t, fault);
        else if (prime->stage == MT_RONG_PRIME_INBOX)
            rc = take_inbox(&t, fault);
        else
            rc = take_ultra(&t, fault);
    }
    mt_arena_free(t.decoder.scratch);
    mt_arena_free(t.arena);
    if (rc == MT_OK && t.more && ++prime->pages >= PAGES_MAX)
        rc = stuck("pages", fault);
    if (rc != MT_OK)
        return fault->kind != MT_OK ? fault->kind
                                    : mt_fault_set(fault, rc, "memory", "out of memory");
    prime->first = false;
    if (!t.more)
        next_stage(account, prime);
    return MT_OK;
}

void mt_rong_prime_deinit(struct mt_provider_account *account, struct mt_rong_prime *prime)
{
    if (prime->registered && account->priming == prime->own)
        account->priming = NULL;
    mt_rong_model_free(prime->own);
    prime->own = NULL;
}
