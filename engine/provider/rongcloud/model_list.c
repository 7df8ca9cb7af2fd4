/* What settings, lists and the cloud's own counts say of conversations, and what a list is made of:
 * see model_int.h. */
#include "provider/rongcloud/model_int.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- settings */

static void set_top(struct mt_rong_entry *entry, bool top, int64_t time_ms)
{
    entry->top = top;
    entry->top_ms = top && time_ms > 0 ? time_ms : 0;
}

/* Anything else is taken for "not set", as the SDK's table has no word for it. */
static int level_of(int64_t level)
{
    return level == -1 || level == 1 || level == 2 || level == 4 || level == 5 ? (int)level : 0;
}

enum mt_rc mt_rong_model_top(struct mt_rong_model *model, const struct mt_conversation_ref *ref,
                             bool top, int64_t time_ms)
{
    struct mt_rong_entry *entry = mt_rong_entry_of(model, ref);

    if (entry == NULL)
        return MT_ERR_NOMEM;
    set_top(entry, top, time_ms);
    return MT_OK;
}

enum mt_rc mt_rong_model_level(struct mt_rong_model *model, const struct mt_conversation_ref *ref,
                               int level)
{
    struct mt_rong_entry *entry = mt_rong_entry_of(model, ref);

    if (entry == NULL)
        return MT_ERR_NOMEM;
    entry->level = level_of(level);
    return MT_OK;
}

enum mt_rc mt_rong_model_states(struct mt_rong_model *model,
                                const struct mt_rong_states_out *states)
{
    int64_t newest =
        states->version > model->states_version ? states->version : model->states_version;

    for (size_t i = 0; i < states->n; i++) {
        const struct mt_rong_state *state = &states->items[i];
        struct mt_rong_entry *entry = NULL;

        if (state->time_ms > newest)
            newest = state->time_ms;
        if (state->ref.target[0] == '\0') { /* of the whole type */
            if (state->has_level && state->type >= 0 && state->type < MT_RONG_TYPES_N)
                model->levels[state->type] = level_of(state->level);
            continue;
        }
        if (!state->has_level && !state->has_top)
            continue;
        entry = mt_rong_entry_of(model, &state->ref);
        if (entry == NULL)
            return MT_ERR_NOMEM;
        if (state->has_level)
            entry->level = level_of(state->level);
        if (state->has_top)
            set_top(entry, state->top, state->time_ms);
    }
    model->states_version = newest;
    return MT_OK;
}

/* ---------------------------------------------------------------- the cloud's counts */

static bool uncount(void *ud, const char *key, void *value)
{
    struct mt_rong_entry *entry = value;

    (void)ud;
    (void)key;
    if (entry->ref.kind == MT_CONVERSATION_ULTRA)
        return true;
    mt_rong_entry_nothing_unread(entry);
    entry->read_ms = 0;
    return true;
}

void mt_rong_model_uncount(struct mt_rong_model *model)
{
    mt_map_each(model->entries, uncount, NULL);
}

/* What the cloud counted, and what came after it had (5.1). The SDK forgets the newer changes and
 * keeps the older ones; here it is the other way round. */
enum mt_rc mt_rong_model_unread(struct mt_rong_model *model, const struct mt_rong_unread *unread)
{
    struct mt_rong_entry *entry = mt_rong_entry_of(model, &unread->ref);

    if (entry == NULL)
        return MT_ERR_NOMEM;
    mt_rong_entry_nothing_unread(entry);
    entry->unread = unread->count > 0 ? unread->count : 0;
    entry->mentions = unread->mentions > 0 ? unread->mentions : 0;
    entry->mentions_me = unread->mentions_me > 0 ? unread->mentions_me : 0;
    entry->mentioned = entry->mentions > 0 || entry->mentions_me > 0;
    entry->mention_all = entry->mentions > 0 && entry->mentions_me == 0;
    entry->read_ms = unread->clear_ms;
    entry->version_ms = unread->cut_off_ms;
    mt_rong_entry_forget_counts(entry, unread->cut_off_ms);
    for (size_t i = 0; i < entry->counts_n; i++) {
        const struct mt_rong_count *later = &entry->counts[i];

        entry->unread += later->n;
        entry->mentions += later->mentions;
        entry->mentions_me += later->mentions_me;
        if (later->n > 0 && later->time_ms > entry->newest_ms)
            entry->newest_ms = later->time_ms;
        if (later->time_ms > entry->version_ms)
            entry->version_ms = later->time_ms;
    }
    if (entry->unread <= 0)
        mt_rong_entry_nothing_unread(entry);
    else if (entry->newest_ms == 0)
        entry->newest_ms = unread->first_unread_ms > 0 ? unread->first_unread_ms : 0;
    return MT_OK;
}

/* ---------------------------------------------------------------- lists */

static int64_t at_least_0(int64_t n)
{
    return n > 0 ? n : 0;
}

enum mt_rc mt_rong_model_relation(struct mt_rong_model *model,
                                  const struct mt_rong_relation *relation)
{
    struct mt_rong_entry *entry = mt_rong_entry_of(model, &relation->ref);

    if (entry == NULL)
        return MT_ERR_NOMEM;
    if (relation->has_last && !mt_rong_entry_keep_last(model, entry, &relation->last))
        return MT_ERR_NOMEM;
    entry->hidden = false;
    entry->operation_ms = relation->version_ms;
    if (relation->ref.kind != MT_CONVERSATION_ULTRA || relation->unread < 0)
        return MT_OK; /* the cloud's numbers of the others are not kept (5.1) */
    entry->unread = relation->unread;
    entry->mentions = at_least_0(relation->mentions);
    entry->mentions_me = at_least_0(relation->mentions_me);
    entry->mentioned = entry->mentions > 0 || entry->mentions_me > 0;
    entry->mention_all = entry->mentions > 0 && entry->mentions_me == 0;
    entry->read_ms = at_least_0(relation->read_ms);
    entry->newest_ms = entry->unread > 0 ? relation->version_ms : 0;
    if (relation->version_ms > entry->version_ms)
        entry->version_ms = relation->version_ms;
    return MT_OK;
}

enum mt_rc mt_rong_model_removed(struct mt_rong_model *model, const struct mt_conversation_ref *ref,
                                 int64_t now_ms)
{
    struct mt_rong_entry *entry = mt_rong_entry_of(model, ref);

    if (entry == NULL)
        return MT_ERR_NOMEM;
    if (entry->operation_ms > now_ms) /* what was there does not come back by itself */
        now_ms = entry->operation_ms;
    mt_rong_entry_clear(entry, entry->version_ms > now_ms ? entry->version_ms : now_ms);
    mt_rong_entry_forget_last(model, entry);
    entry->hidden = true;
    entry->operation_ms = 0;
    return MT_OK;
}

/* The latest message may be among those that are gone; the list says which it is now. */
void mt_rong_model_deleted(struct mt_rong_model *model, const struct mt_conversation_ref *ref,
                           int64_t until_ms, const struct mt_message_key *keys, size_t n)
{
    struct mt_rong_entry *entry = mt_rong_model_find(model, ref);
    bool hit = false;

    if (entry == NULL || entry->operation_ms == 0)
        return;
    hit = until_ms >= entry->operation_ms;
    for (size_t i = 0; until_ms == 0 && i < n; i++)
        hit = hit || keys[i].time_ms >= entry->operation_ms;
    if (!hit)
        return;
    mt_rong_entry_forget_last(model, entry);
    model->listed = false;
}

struct only {
    uint64_t listing;
    int64_t after_ms;
};

static bool drop_unlisted(void *ud, const char *key, void *value)
{
    const struct only *only = ud;
    struct mt_rong_entry *entry = value;

    (void)key;
    if (entry->ref.kind != MT_CONVERSATION_ULTRA && entry->given_listing != only->listing &&
        entry->operation_ms <= only->after_ms)
        entry->operation_ms = 0;
    return true;
}

void mt_rong_model_only_listed(struct mt_rong_model *model, uint64_t listing, int64_t after_ms)
{
    struct only only = {listing, after_ms};

    mt_map_each(model->entries, drop_unlisted, &only);
}

struct picking {
    const struct mt_rong_pick *pick;
    struct mt_rong_entry **list;
    size_t n;
};

/* Of an ultra group its default channel alone stands in a list (5.2). */
static bool is_default(const struct mt_conversation_ref *ref)
{
    return ref->kind != MT_CONVERSATION_ULTRA || ref->channel[0] == '\0' ||
           strcmp(ref->channel, MT_RONG_DEFAULT_CHANNEL) == 0;
}

static bool pick_one(void *ud, const char *key, void *value)
{
    struct picking *picking = ud;
    const struct mt_rong_pick *pick = picking->pick;
    struct mt_rong_entry *entry = value;
    int64_t ms = entry->operation_ms;

    (void)key;
    if (entry->hidden || !is_default(&entry->ref) || (pick->pinned_only && !entry->top) ||
        (ms == 0 && !pick->pinned_only))
        return true;
    if (pick->start_ms > 0 && (pick->oldest_first ? ms <= pick->start_ms : ms >= pick->start_ms))
        return true;
    picking->list[picking->n++] = entry;
    return true;
}

static int newest_first(const void *a, const void *b)
{
    const struct mt_rong_entry *left = *(struct mt_rong_entry *const *)a;
    const struct mt_rong_entry *right = *(struct mt_rong_entry *const *)b;

    if (left->operation_ms != right->operation_ms)
        return left->operation_ms > right->operation_ms ? -1 : 1;
    if (left->ref.kind != right->ref.kind)
        return left->ref.kind < right->ref.kind ? -1 : 1;
    return strcmp(left->ref.target, right->ref.target);
}

static int oldest_first(const void *a, const void *b)
{
    return newest_first(b, a);
}

struct mt_rong_entry **mt_rong_model_pick(const struct mt_rong_model *model,
                                          const struct mt_rong_pick *pick, struct mt_arena *arena,
                                          size_t *n)
{
    size_t most = mt_map_count(model->entries);
    struct picking picking = {.pick = pick};

    *n = 0;
    picking.list = mt_arena_calloc(arena, most + 1, sizeof(struct mt_rong_entry *));
    if (picking.list == NULL)
        return NULL;
    mt_map_each(model->entries, pick_one, &picking);
    if (picking.n > 0)
        qsort(picking.list, picking.n, sizeof(struct mt_rong_entry *),
              pick->oldest_first ? oldest_first : newest_first);
    *n = picking.n;
    return picking.list;
}

/* ---------------------------------------------------------------- as the noun */

static enum mt_notification notification_of(int level)
{
    switch (level) {
    case -1:
        return MT_NOTIFY_ALL;
    case 1:
        return MT_NOTIFY_MENTIONS;
    case 2:
        return MT_NOTIFY_MENTIONS_ME;
    case 4:
        return MT_NOTIFY_MENTIONS_ALL;
    case 5:
        return MT_NOTIFY_NONE;
    default:
        return MT_NOTIFY_DEFAULT;
    }
}

static bool tell_users(const struct mt_rong_entry *entry, struct mt_arena *arena,
                       struct mt_mentions *out)
{
    const char *at = entry->mention_users;
    const char **users = mt_arena_calloc(arena, entry->mention_users_n + 1, sizeof *users);

    for (size_t i = 0; users != NULL && i < entry->mention_users_n; i++) {
        users[i] = mt_arena_strdup(arena, at);
        if (users[i] == NULL)
            return false;
        at += strlen(at) + 1;
    }
    out->users = users;
    return users != NULL;
}

enum mt_rc mt_rong_model_tell(const struct mt_rong_model *model, const struct mt_rong_entry *entry,
                              struct mt_arena *arena, struct mt_conversation *out)
{
    const char *target = NULL;
    int type = mt_rong_ref_type(&entry->ref, &target);
    int level = entry->level;

    if (level == 0 && type >= 0 && type < MT_RONG_TYPES_N)
        level = model->levels[type];
    out->ref = entry->ref;
    out->unread = entry->unread;
    out->pinned = entry->top;
    out->pinned_ms = entry->top_ms;
    out->notification = notification_of(level);
    out->last_unread_ms = entry->newest_ms;
    out->hidden = entry->hidden;
    out->mentions = (struct mt_mentions){
        .known = true,
        .n = entry->mentions,
        .me = entry->mentions_me,
        .any = entry->mentioned,
        .all = entry->mention_all,
    };
    return entry->mention_users_n == 0 || tell_users(entry, arena, &out->mentions) ? MT_OK
                                                                                   : MT_ERR_NOMEM;
}
