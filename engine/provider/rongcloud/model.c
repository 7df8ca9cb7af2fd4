/* Counters, settings and read times of conversations: see model_int.h. */
#include "provider/rongcloud/model_int.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "provider/rongcloud/content_int.h"
#include "provider/rongcloud/walk_int.h"

#include <stdlib.h>
#include <string.h>

/* DownStreamMessage (rongcloud.proto), and bits of it (4.3). */
enum { FIELD_NAME = 4, FIELD_EXT_STATUS = 20, FIELD_OPTIONS = 23 };
#define EXT_STATUS_OF_THE_MOMENT 64
#define OPTION_NOT_LAST          1
#define OPTION_COUNT_DOWN        16

/* ---------------------------------------------------------------- entries */

struct mt_rong_model *mt_rong_model_new(const char *user)
{
    struct mt_rong_model *model = mt_mem_calloc(1, sizeof *model);

    if (model == NULL)
        return NULL;
    model->entries = mt_map_new();
    model->user = mt_mem_strdup(user);
    model->broadcast_ms = 1; /* 4.2 */
    if (model->entries != NULL && model->user != NULL)
        return model;
    mt_rong_model_free(model);
    return NULL;
}

void mt_rong_entry_forget_last(struct mt_rong_model *model, struct mt_rong_entry *entry)
{
    model->last_bytes -= entry->last_len;
    mt_mem_free(entry->last);
    entry->last = NULL;
    entry->last_len = 0;
}

static void forget_mention(struct mt_rong_entry *entry)
{
    mt_mem_free(entry->mention_users);
    entry->mention_users = NULL;
    entry->mention_users_n = 0;
    entry->mentioned = false;
    entry->mention_all = false;
}

static void entry_free(void *value)
{
    struct mt_rong_entry *entry = value;

    if (entry == NULL)
        return;
    mt_mem_free(entry->mention_users);
    mt_mem_free(entry->counts);
    mt_mem_free(entry->last);
    mt_mem_free(entry);
}

void mt_rong_model_free(struct mt_rong_model *model)
{
    if (model == NULL)
        return;
    mt_map_free(model->entries, entry_free);
    mt_mem_free(model->user);
    mt_mem_free(model);
}

static void key_of(const struct mt_conversation_ref *ref, char key[MT_CONVERSATION_ID_MAX])
{
    mt_conversation_ref_format(ref, key);
}

struct mt_rong_entry *mt_rong_model_find(const struct mt_rong_model *model,
                                         const struct mt_conversation_ref *ref)
{
    char key[MT_CONVERSATION_ID_MAX];

    key_of(ref, key);
    return mt_map_get(model->entries, key);
}

struct least {
    struct mt_rong_entry *entry;
    int64_t worth;
};

/* Settings and what is unread cannot be had again so easily as a place in the list. */
static bool look_for_least(void *ud, const char *key, void *value)
{
    struct least *least = ud;
    struct mt_rong_entry *entry = value;
    int64_t worth = entry->operation_ms > entry->read_ms ? entry->operation_ms : entry->read_ms;

    (void)key;
    if (entry->top || entry->level != 0)
        worth += INT64_MAX / 4;
    if (entry->unread > 0)
        worth += INT64_MAX / 8;
    if (least->entry == NULL || worth < least->worth)
        *least = (struct least){entry, worth};
    return true;
}

static void make_room(struct mt_rong_model *model)
{
    struct least least = {NULL, 0};
    char key[MT_CONVERSATION_ID_MAX];

    if (mt_map_count(model->entries) < MT_RONG_ENTRIES_MAX)
        return;
    mt_map_each(model->entries, look_for_least, &least);
    key_of(&least.entry->ref, key);
    mt_rong_entry_forget_last(model, least.entry);
    entry_free(mt_map_remove(model->entries, key));
}

struct mt_rong_entry *mt_rong_entry_of(struct mt_rong_model *model,
                                       const struct mt_conversation_ref *ref)
{
    struct mt_rong_entry *entry = mt_rong_model_find(model, ref);
    char key[MT_CONVERSATION_ID_MAX];

    if (entry != NULL)
        return entry;
    make_room(model);
    entry = mt_mem_calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    entry->ref = *ref;
    key_of(ref, key);
    if (mt_map_put(model->entries, key, entry) == MT_OK)
        return entry;
    entry_free(entry);
    return NULL;
}

struct copying {
    struct mt_rong_model *to;
    bool ok;
};

static bool copy_settings(void *ud, const char *key, void *value)
{
    struct copying *copying = ud;
    const struct mt_rong_entry *from = value;
    struct mt_rong_entry *entry = NULL;

    (void)key;
    if (!from->top && from->level == 0 && from->read_ms == 0)
        return true;
    entry = mt_rong_entry_of(copying->to, &from->ref);
    copying->ok = entry != NULL;
    if (entry == NULL)
        return false;
    entry->top = from->top;
    entry->top_ms = from->top_ms;
    entry->level = from->level;
    entry->read_ms = from->read_ms;
    entry->version_ms = from->read_ms;
    return true;
}

struct mt_rong_model *mt_rong_model_fresh(const struct mt_rong_model *model)
{
    struct copying copying = {mt_rong_model_new(model->user), true};

    if (copying.to == NULL)
        return NULL;
    memcpy(copying.to->levels, model->levels, sizeof model->levels);
    copying.to->states_version = model->states_version;
    copying.to->server_counts = model->server_counts;
    copying.to->realtime = model->realtime;
    copying.to->listings = model->listings;
    mt_map_each(model->entries, copy_settings, &copying);
    if (copying.ok)
        return copying.to;
    mt_rong_model_free(copying.to);
    return NULL;
}

/* ---------------------------------------------------------------- counting */

void mt_rong_entry_nothing_unread(struct mt_rong_entry *entry)
{
    entry->unread = 0;
    entry->mentions = 0;
    entry->mentions_me = 0;
    entry->newest_ms = 0;
    forget_mention(entry);
}

void mt_rong_entry_forget_counts(struct mt_rong_entry *entry, int64_t until_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < entry->counts_n; i++)
        if (entry->counts[i].time_ms > until_ms)
            entry->counts[kept++] = entry->counts[i];
    entry->counts_n = kept;
}

void mt_rong_entry_clear(struct mt_rong_entry *entry, int64_t until_ms)
{
    mt_rong_entry_nothing_unread(entry);
    entry->read_ms = until_ms;
    if (until_ms > entry->version_ms)
        entry->version_ms = until_ms;
    mt_rong_entry_forget_counts(entry, until_ms);
}

static bool remember(const struct mt_rong_model *model, struct mt_rong_entry *entry,
                     const struct mt_rong_count *count)
{
    if (!model->server_counts)
        return true;
    if (entry->counts_n == MT_RONG_COUNTS_MAX) {
        memmove(entry->counts, entry->counts + 1, (entry->counts_n - 1) * sizeof *entry->counts);
        entry->counts_n--;
    }
    if (entry->counts_n == entry->counts_cap) {
        size_t cap = entry->counts_cap > 0 ? 2 * entry->counts_cap : 8;
        struct mt_rong_count *more = mt_mem_realloc(entry->counts, cap * sizeof *more);

        if (more == NULL)
            return false;
        entry->counts = more;
        entry->counts_cap = cap;
    }
    entry->counts[entry->counts_n++] = *count;
    return true;
}

/* Whom the first mention names; NULL and *ok false when memory is short. */
static char *name_users(const struct mt_value *users, size_t *n, bool *ok)
{
    size_t bytes = 0;
    char *list = NULL;
    char *at = NULL;

    *n = 0;
    if (users == NULL || users->type != MT_VALUE_LIST)
        return NULL;
    for (size_t i = 0; i < users->items_n && i < MT_RONG_MENTIONS_MAX; i++)
        if (users->items[i].type == MT_VALUE_STR)
            bytes += users->items[i].len + 1;
    list = bytes > 0 ? mt_mem_alloc(bytes) : NULL;
    *ok = bytes == 0 || list != NULL;
    at = list;
    for (size_t i = 0; list != NULL && i < users->items_n && i < MT_RONG_MENTIONS_MAX; i++) {
        const struct mt_value *user = &users->items[i];

        if (user->type != MT_VALUE_STR)
            continue;
        memcpy(at, user->s, user->len);
        for (size_t k = 0; k < user->len; k++) /* it ends with its only NUL */
            at[k] = at[k] == '\0' ? '?' : at[k];
        at[user->len] = '\0';
        at += user->len + 1;
        (*n)++;
    }
    return list;
}

static bool names(const struct mt_value *users, const char *user)
{
    size_t len = strlen(user);

    for (size_t i = 0; users != NULL && users->type == MT_VALUE_LIST && i < users->items_n; i++)
        if (users->items[i].type == MT_VALUE_STR && users->items[i].len == len &&
            memcmp(users->items[i].s, user, len) == 0)
            return true;
    return false;
}

/* One more is unread (5.1). */
static enum mt_rc count(const struct mt_rong_model *model, struct mt_rong_entry *entry,
                        const struct mt_message *m)
{
    const struct mt_value *mentions = mt_value_get(&m->body, "mentions");
    const struct mt_value *users = mentions != NULL ? mt_value_get(mentions, "users") : NULL;
    const struct mt_value *says = mentions != NULL ? mt_value_get(mentions, "all") : NULL;
    bool all = says != NULL && says->type == MT_VALUE_BOOL && says->b;
    struct mt_rong_count change = {.time_ms = m->time_ms, .n = 1};
    char *list = NULL;
    size_t list_n = 0;
    bool ok = true;

    if (mentions != NULL) {
        change.mentions_me = !all && names(users, model->user);
        change.mentions = all || change.mentions_me;
        if (!entry->mentioned && !all)
            list = name_users(users, &list_n, &ok);
    }
    if (!ok || !remember(model, entry, &change)) {
        mt_mem_free(list);
        return MT_ERR_NOMEM;
    }
    if (mentions != NULL && !entry->mentioned) {
        entry->mentioned = true;
        entry->mention_all = all;
        entry->mention_users = list;
        entry->mention_users_n = list_n;
    }
    entry->unread++;
    entry->mentions += change.mentions;
    entry->mentions_me += change.mentions_me;
    if (m->time_ms > entry->newest_ms)
        entry->newest_ms = m->time_ms;
    return MT_OK;
}

static int64_t whole(const struct mt_value *map, const char *key)
{
    const struct mt_value *v = mt_value_get(map, key);

    return v != NULL && v->type == MT_VALUE_INT ? v->i : 0;
}

/* One that was unread may have been taken back (4.6). */
static enum mt_rc count_down(const struct mt_rong_model *model, struct mt_rong_entry *entry,
                             const struct mt_message *m, uint64_t options)
{
    const struct mt_value *original = mt_value_get(&m->body, "original_from");
    const char *from = original != NULL && original->type == MT_VALUE_STR && original->len > 0
                           ? original->s
                           : m->from;
    struct mt_rong_count change = {.time_ms = whole(&m->body, "sent_time"), .n = -1};

    if (change.time_ms <= entry->read_ms || change.time_ms <= 0 || from == NULL ||
        strcmp(from, model->user) == 0)
        return MT_OK;
    if (model->server_counts && !(options & OPTION_COUNT_DOWN))
        return MT_OK; /* the cloud counts it down itself */
    if (!remember(model, entry, &change))
        return MT_ERR_NOMEM;
    if (entry->unread > 0)
        entry->unread--;
    if (entry->unread == 0)
        mt_rong_entry_nothing_unread(entry);
    return MT_OK;
}

/* ---------------------------------------------------------------- messages */

/* What of a message stands in its bytes alone. */
struct wire {
    char name[64];
    uint64_t ext_status, options;
};

/* What it means for the counts. */
struct arrival {
    bool mine, recall, counted;
    uint64_t options;
};

static void read_wire(const struct mt_message *m, struct wire *out)
{
    struct mt_rong_walk walk;
    struct mt_rong_field field;

    memset(out, 0, sizeof *out);
    mt_rong_walk_init(&walk, m->raw, m->raw_len);
    while (m->raw != NULL && mt_rong_walk_next(&walk, &field)) {
        if (field.is_bytes && field.number == FIELD_NAME && field.len < sizeof out->name) {
            memcpy(out->name, field.bytes, field.len);
            out->name[field.len] = '\0';
        } else if (!field.is_bytes && field.number == FIELD_EXT_STATUS) {
            out->ext_status = field.value;
        } else if (!field.is_bytes && field.number == FIELD_OPTIONS) {
            out->options = field.value;
        }
    }
}

static bool is_counted_kind(const struct mt_conversation_ref *ref)
{
    const char *target = NULL;
    int type = mt_rong_ref_type(ref, &target);

    return type != RONGCLOUD__CHANNEL_TYPE__CT_TEMPGROUP &&
           type != RONGCLOUD__CHANNEL_TYPE__CT_CUSTOMERSERVICE && *target != '\0';
}

bool mt_rong_entry_keep_last(struct mt_rong_model *model, struct mt_rong_entry *entry,
                             const struct mt_message *m)
{
    uint8_t *copy = NULL;

    if (!model->keeps_last || m->raw == NULL || m->raw_len == 0) {
        mt_rong_entry_forget_last(model, entry);
        return true;
    }
    if (model->last_bytes - entry->last_len + m->raw_len > MT_RONG_LAST_BYTES) {
        mt_rong_entry_forget_last(model, entry);
        return true;
    }
    copy = mt_mem_alloc(m->raw_len);
    if (copy == NULL)
        return false;
    memcpy(copy, m->raw, m->raw_len);
    mt_rong_entry_forget_last(model, entry);
    entry->last = copy;
    entry->last_len = m->raw_len;
    model->last_bytes += m->raw_len;
    return true;
}

/* Reading on another device (4.7): what is older than what was counted last changes nothing. */
static enum mt_rc read_elsewhere(struct mt_rong_model *model, const struct mt_message *m)
{
    struct mt_rong_entry *entry = mt_rong_entry_of(model, &m->conversation);

    if (entry == NULL)
        return MT_ERR_NOMEM;
    if (entry->version_ms < m->time_ms)
        mt_rong_entry_clear(entry, m->time_ms);
    return MT_OK;
}

/* By this user on another device: the sync of read times, and the receipt of a single chat. */
static bool is_own_reading(const struct mt_message *m, const struct wire *wire)
{
    return strcmp(wire->name, "RC:SRSMsg") == 0 || (strcmp(wire->name, "RC:ReadNtf") == 0 &&
                                                    m->conversation.kind == MT_CONVERSATION_SINGLE);
}

/* Whether it changes a conversation at all; names that the SDK does not know do not (4.3). */
static bool is_kept(const struct mt_rong_model *model, const struct mt_rong_object *object,
                    const struct wire *wire)
{
    return object != NULL && object->persisted && !model->realtime &&
           !(wire->ext_status & EXT_STATUS_OF_THE_MOMENT);
}

/* One that is newer than what was counted last. */
static enum mt_rc count_new(const struct mt_rong_model *model, struct mt_rong_entry *entry,
                            const struct mt_message *m, const struct arrival *how)
{
    enum mt_rc rc = MT_OK;

    if (entry->version_ms >= m->time_ms)
        return MT_OK;
    if (how->recall)
        rc = count_down(model, entry, m, how->options);
    else if (!how->mine && how->counted)
        rc = count(model, entry, m);
    if (rc != MT_OK)
        return rc;
    entry->hidden = false;
    entry->version_ms = m->time_ms;
    return MT_OK;
}

enum mt_rc mt_rong_model_arrive(struct mt_rong_model *model, const struct mt_message *m)
{
    const struct mt_rong_object *object = NULL;
    struct mt_rong_entry *entry = NULL;
    struct arrival how;
    struct wire wire;

    read_wire(m, &wire);
    if (!is_counted_kind(&m->conversation))
        return MT_OK;
    how.mine = m->sent || (m->from != NULL && strcmp(m->from, model->user) == 0);
    if (how.mine && is_own_reading(m, &wire))
        return read_elsewhere(model, m);
    object = mt_rong_object_find(wire.name);
    if (!is_kept(model, object, &wire))
        return MT_OK;
    entry = mt_rong_entry_of(model, &m->conversation);
    if (entry == NULL)
        return MT_ERR_NOMEM;
    how.recall = strcmp(wire.name, "RC:RcCmd") == 0;
    how.counted = object->counted;
    how.options = wire.options;
    if (!(wire.options & OPTION_NOT_LAST) && m->time_ms >= entry->operation_ms &&
        !mt_rong_entry_keep_last(model, entry, m))
        return MT_ERR_NOMEM;
    if (m->time_ms > entry->operation_ms && (!how.recall || entry->hidden))
        entry->operation_ms = m->time_ms;
    return count_new(model, entry, m, &how);
}

enum mt_rc mt_rong_model_sent(struct mt_rong_model *model, const struct mt_message *m)
{
    struct mt_rong_entry *entry = NULL;

    if (!is_counted_kind(&m->conversation))
        return MT_OK;
    entry = mt_rong_entry_of(model, &m->conversation);
    if (entry == NULL || !mt_rong_entry_keep_last(model, entry, m))
        return MT_ERR_NOMEM;
    entry->hidden = false;
    if (m->time_ms > entry->operation_ms)
        entry->operation_ms = m->time_ms;
    return MT_OK;
}

enum mt_rc mt_rong_model_read(struct mt_rong_model *model, const struct mt_conversation_ref *ref,
                              int64_t until_ms)
{
    struct mt_rong_entry *entry = mt_rong_entry_of(model, ref);

    if (entry == NULL)
        return MT_ERR_NOMEM;
    if (until_ms >= entry->read_ms)
        mt_rong_entry_clear(entry, until_ms);
    return MT_OK;
}
