/* Deleting, pins and notifications: see manage_int.h. Requests are written when the connection is
 * there, since some depend on what navigation and the settings say. */
#include "provider/rongcloud/manage_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "provider/rongcloud/model_int.h"
#include "provider/rongcloud/outgoing_int.h"

#include <stdio.h>
#include <string.h>

#define PAYLOAD_MAX ((size_t)256 * 1024)
#define ARENA_MAX   ((size_t)64 * 1024 * 1024)
#define LIST_MAX    1000
/* Everything: what comes while it is deleted stands in the list again; not for ever. */
#define ROUNDS_MAX 20

enum what { IDS, BEFORE, CONVERSATION, ALL, TOP, LEVEL };

struct manage_call {
    struct mt_rong_call base; /* first */
    enum what what;
    struct mt_conversation_ref ref;
    struct mt_message_key *keys; /* IDS; their texts lie behind them */
    size_t keys_n;
    int64_t before_ms;
    bool on; /* CONVERSATION: its messages, too; TOP: pinned */
    int level;
    /* ALL */
    struct mt_arena *arena; /* of the list of this round */
    struct mt_conversation_ref *refs;
    size_t refs_n, refs_at;
    unsigned rounds;
    size_t deleted_n;
    mt_done_fn *done;
    void *ud;
};

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

static struct manage_call *of(struct mt_provider_call *call)
{
    return (struct manage_call *)call;
}

/* ---------------------------------------------------------------- requests */

static void begin(struct mt_rong_packet *out, const char *topic, bool repeatable)
{
    memset(out, 0, sizeof *out);
    mt_buf_init(&out->payload, PAYLOAD_MAX);
    mt_rong_packet_begin(out, topic, NULL);
    /* What takes nothing more the second time is asked for again when its answer was lost. */
    out->request.reads = repeatable;
}

static enum mt_rc pack_ids(const struct manage_call *call, struct mt_rong_packet *out,
                           struct mt_fault *fault)
{
    Rongcloud__DeleteMsgInput input = RONGCLOUD__DELETE_MSG_INPUT__INIT;
    Rongcloud__DeleteMsg msgs[MT_RONG_DELETE_MAX];
    Rongcloud__DeleteMsg *list[MT_RONG_DELETE_MAX];
    const char *target = NULL;

    begin(out, call->ref.kind == MT_CONVERSATION_ULTRA ? "delUgMsg" : "delMsg", true);
    input.has_type = true;
    input.type = (Rongcloud__ChannelType)mt_rong_ref_type(&call->ref, &target);
    input.conversationid = unconst(target);
    input.buschannel = unconst(mt_rong_channel(&call->base.life.account->navi, &call->ref));
    for (size_t i = 0; i < call->keys_n; i++) {
        rongcloud__delete_msg__init(&msgs[i]);
        msgs[i].msgid = unconst(call->keys[i].id);
        msgs[i].has_msgdatatime = true;
        msgs[i].msgdatatime = call->keys[i].time_ms;
        msgs[i].has_direct = true;
        msgs[i].direct = call->keys[i].sent ? 1 : 2;
        list[i] = &msgs[i];
    }
    input.msgs = list;
    input.n_msgs = call->keys_n;
    return mt_rong_packet_end(out, &input.base, fault);
}

/* The clean… topics by type of conversation (3); an ultra group's is the group's. */
static const char *clean_topic(int type)
{
    switch (type) {
    case RONGCLOUD__CHANNEL_TYPE__CT_PERSON:
        return "cleanPMsg";
    case RONGCLOUD__CHANNEL_TYPE__CT_GROUP:
    case RONGCLOUD__CHANNEL_TYPE__CT_ULTRAGROUP:
        return "cleanGMsg";
    case RONGCLOUD__CHANNEL_TYPE__CT_CUSTOMERSERVICE:
        return "cleanCMsg";
    case RONGCLOUD__CHANNEL_TYPE__CT_NOTIFY:
        return "cleanSMsg";
    case RONGCLOUD__CHANNEL_TYPE__CT_MC:
        return "cleanMCMsg";
    case RONGCLOUD__CHANNEL_TYPE__CT_MP:
        return "cleanMPMsg";
    default:
        return NULL;
    }
}

static enum mt_rc pack_before(const struct manage_call *call, struct mt_rong_packet *out,
                              struct mt_fault *fault)
{
    Rongcloud__CleanHisMsgInput input = RONGCLOUD__CLEAN_HIS_MSG_INPUT__INIT;
    const char *target = NULL;
    int type = mt_rong_ref_type(&call->ref, &target);

    begin(out, clean_topic(type), true);
    input.targetid = unconst(target);
    input.datatime = call->before_ms - 1; /* the cloud deletes what is of that time, too (5.3) */
    input.has_conversationtype = true;
    input.conversationtype = type;
    input.buschannel = unconst(mt_rong_channel(&call->base.life.account->navi, &call->ref));
    return mt_rong_packet_end(out, &input.base, fault);
}

static enum mt_rc pack_removal(const struct manage_call *call,
                               const struct mt_conversation_ref *refs, size_t n, bool messages,
                               struct mt_rong_packet *out, struct mt_fault *fault)
{
    Rongcloud__RelationDelBatchReq input = RONGCLOUD__RELATION_DEL_BATCH_REQ__INIT;
    Rongcloud__RelationOpInput ops[MT_RONG_DELETE_MAX];
    Rongcloud__RelationOpInput *list[MT_RONG_DELETE_MAX];

    begin(out, "delRelationBatch", false);
    for (size_t i = 0; i < n && i < MT_RONG_DELETE_MAX; i++) {
        const char *target = NULL;

        rongcloud__relation_op_input__init(&ops[i]);
        ops[i].conversationtype = (Rongcloud__ChannelType)mt_rong_ref_type(&refs[i], &target);
        ops[i].conversationid = unconst(target);
        ops[i].buschannel = unconst(mt_rong_channel(&call->base.life.account->navi, &refs[i]));
        list[i] = &ops[i];
    }
    input.relation = list;
    input.n_relation = n;
    input.has_cleanmsg = true;
    input.cleanmsg = messages;
    return mt_rong_packet_end(out, &input.base, fault);
}

static enum mt_rc pack_list(struct mt_rong_packet *out, struct mt_fault *fault)
{
    Rongcloud__RelationQryInput input = RONGCLOUD__RELATION_QRY_INPUT__INIT;

    begin(out, "qryRelationR", true);
    input.has_count = true;
    input.count = LIST_MAX;
    input.has_starttime = true;
    input.has_order = true;
    input.has_compressioenabled = input.compressioenabled = true;
    return mt_rong_packet_end(out, &input.base, fault);
}

static enum mt_rc pack_setting(const struct manage_call *call, struct mt_rong_packet *out,
                               struct mt_fault *fault)
{
    const struct mt_provider_account *account = call->base.life.account;
    Rongcloud__SessionStateModifyReq input = RONGCLOUD__SESSION_STATE_MODIFY_REQ__INIT;
    Rongcloud__SessionState state = RONGCLOUD__SESSION_STATE__INIT;
    Rongcloud__SessionState *states[] = {&state};
    Rongcloud__SessionStateItem item = RONGCLOUD__SESSION_STATE_ITEM__INIT;
    Rongcloud__SessionStateItem *items[] = {&item};
    const char *target = NULL;
    char value[16];

    begin(out, "setSeAtt", true);
    snprintf(value, sizeof value, "%d", call->what == TOP ? (int)call->on : call->level);
    item.sessionstatetype = call->what == TOP ? RONGCLOUD__SESSION_STATE_TYPE__SST_IsTop
                                              : RONGCLOUD__SESSION_STATE_TYPE__SST_IsSilent;
    item.value = value;
    state.type = (Rongcloud__ChannelType)mt_rong_ref_type(&call->ref, &target);
    state.channelid = unconst(target);
    state.buschannel = unconst(mt_rong_channel(&account->navi, &call->ref));
    state.stateitem = items;
    state.n_stateitem = 1;
    input.version = account->model != NULL ? account->model->states_version : 0;
    input.state = states;
    input.n_state = 1;
    input.has_ignoreversion = input.ignoreversion = true;
    return mt_rong_packet_end(out, &input.base, fault);
}

static size_t batch_n(const struct manage_call *call)
{
    size_t n = call->refs_n - call->refs_at;

    return n < MT_RONG_DELETE_MAX ? n : MT_RONG_DELETE_MAX;
}

static enum mt_rc pack(const struct manage_call *call, struct mt_rong_packet *out,
                       struct mt_fault *fault)
{
    switch (call->what) {
    case IDS:
        return pack_ids(call, out, fault);
    case BEFORE:
        return pack_before(call, out, fault);
    case CONVERSATION:
        return pack_removal(call, &call->ref, 1, call->on, out, fault);
    case ALL:
        return call->refs_at < call->refs_n
                   ? pack_removal(call, call->refs + call->refs_at, batch_n(call), true, out, fault)
                   : pack_list(out, fault);
    case TOP:
    case LEVEL:
        break;
    }
    return pack_setting(call, out, fault);
}

static void step(struct mt_provider_call *life)
{
    struct mt_rong_packet packet;
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = pack(of(life), &packet, &fault);

    if (rc == MT_OK)
        mt_rong_ask(life, &packet.request);
    else
        mt_call_end_soon(life, rc, &fault);
    mt_rong_packet_deinit(&packet);
}

/* ---------------------------------------------------------------- answers */

static enum mt_rc change_model(const struct manage_call *call, struct mt_rong_model *model)
{
    /* a little earlier: our idea of the cloud's clock is rounded, and what comes next is to count
     */
    int64_t now_ms = mt_rong_cloud_ms(call->base.life.account) - 2;
    enum mt_rc rc = MT_OK;

    switch (call->what) {
    case IDS:
        mt_rong_model_deleted(model, &call->ref, 0, call->keys, call->keys_n);
        break;
    case BEFORE:
        mt_rong_model_deleted(model, &call->ref, call->before_ms - 1, NULL, 0);
        break;
    case CONVERSATION:
        return mt_rong_model_removed(model, &call->ref, now_ms);
    case ALL:
        for (size_t i = 0; rc == MT_OK && i < batch_n(call); i++)
            rc = mt_rong_model_removed(model, &call->refs[call->refs_at + i], now_ms);
        return rc;
    case TOP:
        return mt_rong_model_top(model, &call->ref, call->on, now_ms);
    case LEVEL:
        return mt_rong_model_level(model, &call->ref, call->level);
    }
    return MT_OK;
}

static void tell_model(const struct manage_call *call)
{
    struct mt_rong_model *model = mt_rong_model_of(call->base.life.account);

    if (model != NULL && change_model(call, model) != MT_OK)
        model->listed = model->primed = false; /* then it is filled anew */
}

static enum mt_rc take_list(struct manage_call *call, const struct mt_rong_answer *answer,
                            struct mt_fault *fault)
{
    struct mt_rong_decoder decoder = {.user = call->base.life.account->user,
                                      .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    struct mt_rong_relations_out out = {.n = 0};
    enum mt_rc rc = MT_ERR_NOMEM;

    mt_arena_free(call->arena);
    call->arena = mt_arena_new(MT_RONG_PAGE_ARENA_MAX);
    fault->kind = MT_OK;
    if (call->arena != NULL && decoder.scratch != NULL)
        rc = mt_rong_relations_parse(&decoder, answer->payload, answer->len, call->arena, &out,
                                     fault);
    mt_arena_free(decoder.scratch);
    if (rc == MT_OK)
        call->refs = mt_arena_calloc(call->arena, out.n + 1, sizeof *call->refs);
    if (rc != MT_OK || call->refs == NULL)
        return fault->kind != MT_OK ? fault->kind
                                    : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    for (size_t i = 0; i < out.n; i++)
        call->refs[i] = out.items[i].ref;
    call->refs_n = out.n;
    call->refs_at = 0;
    if (out.n == 0 && out.seen > 0)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.damaged",
                            "nothing on the conversation list can be read");
    return MT_OK;
}

static void end_all(struct manage_call *call)
{
    struct mt_fault fault;

    if (call->refs_n == 0) {
        mt_call_end(&call->base.life, MT_OK, NULL);
        return;
    }
    (void)mt_fault_set(&fault, MT_ERR_STATE, "delete.incomplete",
                       "%zu conversations were deleted, and the list still is not empty: messages "
                       "come faster than they go, or the cloud does not delete",
                       call->deleted_n);
    mt_call_end(&call->base.life, fault.kind, &fault);
}

/* All of the list, again until nothing stands in it. */
static void go_on(struct manage_call *call, const struct mt_rong_answer *answer)
{
    struct mt_provider_call *life = &call->base.life;
    struct mt_fault fault;

    if (call->refs_at < call->refs_n) { /* this was a batch */
        tell_model(call);
        call->deleted_n += batch_n(call);
        call->refs_at += batch_n(call);
    } else if (take_list(call, answer, &fault) != MT_OK) {
        mt_call_end(life, fault.kind, &fault);
        return;
    } else if (call->refs_n == 0 || call->rounds++ == ROUNDS_MAX) {
        end_all(call);
        return;
    }
    mt_rong_again(life);
}

static void answered(struct mt_provider_call *life, const struct mt_rong_answer *answer,
                     const struct mt_fault *fault)
{
    struct manage_call *call = of(life);

    if (fault != NULL) {
        mt_call_end(life, fault->kind, fault);
        return;
    }
    if (call->what == ALL) {
        go_on(call, answer);
        return;
    }
    tell_model(call);
    mt_call_end(life, MT_OK, NULL);
}

static void finish(struct mt_provider_call *life, enum mt_rc rc, const struct mt_fault *fault)
{
    struct manage_call *call = of(life);
    struct mt_fault told;

    if (rc != MT_OK && call->deleted_n > 0 && strcmp(fault->code, "delete.incomplete") != 0) {
        told = *fault;
        mt_fault_prefix(&told, "after %zu conversations", call->deleted_n);
        fault = &told;
    }
    call->done(call->ud, rc, rc == MT_OK ? NULL : fault);
}

static void release(struct mt_provider_call *life)
{
    mt_mem_free(of(life)->keys);
    mt_arena_free(of(life)->arena);
}

/* ---------------------------------------------------------------- verbs */

static struct manage_call *manage_new(enum what what, const char *verb,
                                      const struct mt_conversation_ref *ref, mt_done_fn *done,
                                      void *ud)
{
    struct manage_call *call = mt_mem_calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    call->base.verb = verb;
    call->base.answer = answered;
    call->base.life.step = step;
    call->base.life.finish = finish;
    call->base.life.release = release;
    call->what = what;
    if (ref != NULL)
        call->ref = *ref;
    call->done = done;
    call->ud = ud;
    return call;
}

/* Takes the call over. rc: what was wrong already with what was asked for. */
static enum mt_rc manage_start(struct mt_provider_account *account, struct manage_call *call,
                               enum mt_rc rc, const struct mt_fault *fault,
                               struct mt_provider_call **out)
{
    rc = rc != MT_OK ? mt_call_fail(&account->calls, &call->base.life, rc, fault)
                     : mt_call_start(&account->calls, &call->base.life);
    if (out != NULL)
        *out = rc == MT_OK ? &call->base.life : NULL;
    return rc;
}

/* Rooms stand in no list, and nothing of them can be set or deleted for one user. */
static enum mt_rc not_a_room(const struct mt_conversation_ref *ref, struct mt_fault *fault)
{
    return ref->kind != MT_CONVERSATION_ROOM
               ? MT_OK
               : mt_fault_set(fault, MT_ERR_UNSUPPORTED, "unsupported",
                              "RongCloud keeps nothing of chat rooms for a single user");
}

static enum mt_rc copy_keys(struct manage_call *call, const struct mt_message_key *keys, size_t n,
                            struct mt_fault *fault)
{
    size_t bytes = 0;
    char *at = NULL;

    if (n == 0 || n > MT_RONG_DELETE_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "delete.ids", "1 to %d messages a call, not %zu",
                            MT_RONG_DELETE_MAX, n);
    for (size_t i = 0; i < n; i++) {
        if (!mt_id_is(keys[i].id) || strlen(keys[i].id) >= MT_ID_MAX)
            return mt_fault_set(fault, MT_ERR_INVALID, "delete.ids",
                                "one of the messages has no id");
        if (keys[i].time_ms <= 0)
            return mt_fault_set(fault, MT_ERR_INVALID, "delete.needs_message",
                                "RongCloud finds a message by its id and its time, and that of "
                                "'%.40s' is not known: give the message instead of the id",
                                keys[i].id);
        bytes += strlen(keys[i].id) + 1;
    }
    call->keys = mt_mem_alloc(n * sizeof *keys + bytes);
    if (call->keys == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    at = (char *)(call->keys + n);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(keys[i].id) + 1;

        call->keys[i] = keys[i];
        call->keys[i].from = NULL;
        call->keys[i].id = memcpy(at, keys[i].id, len);
        at += len;
    }
    call->keys_n = n;
    return MT_OK;
}

enum mt_rc mt_rong_delete_ids(struct mt_provider_account *account,
                              const struct mt_conversation_ref *conversation,
                              const struct mt_message_key *messages, size_t n, mt_done_fn *done,
                              void *ud, struct mt_provider_call **out)
{
    struct manage_call *call = manage_new(IDS, "delete", conversation, done, ud);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (call == NULL)
        return MT_ERR_NOMEM;
    rc = not_a_room(conversation, &fault);
    if (rc == MT_OK)
        rc = copy_keys(call, messages, n, &fault);
    return manage_start(account, call, rc, &fault, out);
}

enum mt_rc mt_rong_delete_before(struct mt_provider_account *account,
                                 const struct mt_conversation_ref *conversation, int64_t before_ms,
                                 mt_done_fn *done, void *ud, struct mt_provider_call **out)
{
    struct manage_call *call = manage_new(BEFORE, "delete", conversation, done, ud);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (call == NULL)
        return MT_ERR_NOMEM;
    call->before_ms = before_ms;
    rc = not_a_room(conversation, &fault);
    if (rc == MT_OK && before_ms <= 1) /* 0 would mean everything (5.3) */
        rc = mt_fault_set(&fault, MT_ERR_INVALID, "delete.before", "the time must be after 1970");
    return manage_start(account, call, rc, &fault, out);
}

enum mt_rc mt_rong_delete_conversation(struct mt_provider_account *account,
                                       const struct mt_conversation_ref *conversation, bool history,
                                       mt_done_fn *done, void *ud, struct mt_provider_call **out)
{
    struct manage_call *call = manage_new(CONVERSATION, "delete", conversation, done, ud);
    struct mt_fault fault = {.kind = MT_OK};

    if (call == NULL)
        return MT_ERR_NOMEM;
    call->on = history;
    return manage_start(account, call, not_a_room(conversation, &fault), &fault, out);
}

enum mt_rc mt_rong_delete_all(struct mt_provider_account *account, mt_done_fn *done, void *ud,
                              struct mt_provider_call **out)
{
    struct manage_call *call = manage_new(ALL, "delete", NULL, done, ud);

    return call == NULL ? MT_ERR_NOMEM : manage_start(account, call, MT_OK, NULL, out);
}

enum mt_rc mt_rong_pin(struct mt_provider_account *account,
                       const struct mt_conversation_ref *conversation, bool pinned,
                       mt_done_fn *done, void *ud, struct mt_provider_call **out)
{
    struct manage_call *call = manage_new(TOP, "pin", conversation, done, ud);
    struct mt_fault fault = {.kind = MT_OK};

    if (call == NULL)
        return MT_ERR_NOMEM;
    call->on = pinned;
    return manage_start(account, call, not_a_room(conversation, &fault), &fault, out);
}

enum mt_rc mt_rong_mark(struct mt_provider_account *account,
                        const struct mt_conversation_ref *conversation, int mark, bool on,
                        mt_done_fn *done, void *ud, struct mt_provider_call **out)
{
    struct manage_call *call = manage_new(TOP, "mark", conversation, done, ud);
    struct mt_fault fault = {.kind = MT_OK};

    (void)mark;
    (void)on;
    if (call == NULL)
        return MT_ERR_NOMEM;
    (void)mt_fault_set(&fault, MT_ERR_UNSUPPORTED, "unsupported",
                       "RongCloud has no marks of conversations");
    return manage_start(account, call, fault.kind, &fault, out);
}

enum mt_rc mt_rong_set_notification(struct mt_provider_account *account,
                                    const struct mt_conversation_ref *conversation,
                                    enum mt_notification level, mt_done_fn *done, void *ud,
                                    struct mt_provider_call **out)
{
    static const int levels[MT_NOTIFICATIONS_N] = {
        [MT_NOTIFY_ALL] = -1,         [MT_NOTIFY_MENTIONS] = 1, [MT_NOTIFY_MENTIONS_ME] = 2,
        [MT_NOTIFY_MENTIONS_ALL] = 4, [MT_NOTIFY_NONE] = 5,
    };
    struct manage_call *call = manage_new(LEVEL, "notification", conversation, done, ud);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (call == NULL)
        return MT_ERR_NOMEM;
    rc = not_a_room(conversation, &fault);
    if (rc == MT_OK && (level <= MT_NOTIFY_UNKNOWN || level >= MT_NOTIFICATIONS_N))
        rc = mt_fault_set(&fault, MT_ERR_INVALID, "notification.level", "there is no such level");
    call->level = rc == MT_OK ? levels[level] : 0;
    return manage_start(account, call, rc, &fault, out);
}
