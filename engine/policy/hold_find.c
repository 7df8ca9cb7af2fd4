/* Looking up what holds a message. Each hold stands in a table under its rarest condition, so that
 * a hundred thousand of them cost a message a few looks, and each that is found so is then compared
 * whole. */
#include "policy/hold_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define NONE UINT32_MAX

struct about {
    const char *account, *user, *from;
    const char *conversation; /* in lower case */
    size_t conversation_len;
    const char *peer; /* of a single conversation; otherwise NULL */
    int64_t time_ms;
};

static const struct mt_hold unread = {.id = "unread", .reason = "the holds were not read"};

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* FNV-1a, one byte more. Whoever writes the list has no reason to make the table slow. */
static uint64_t stir(uint64_t hash, char c)
{
    return (hash ^ lower(c)) * 0x100000001B3ull;
}

static uint64_t begin(enum mt_hold_index index)
{
    return stir(0xCBF29CE484222325ull, (char)index);
}

static uint64_t finish(uint64_t hash)
{
    hash ^= hash >> 29;
    return hash ? hash : 1;
}

static uint64_t hash_of(enum mt_hold_index index, const char *text, size_t len)
{
    uint64_t hash = begin(index);

    for (size_t i = 0; i < len; i++)
        hash = stir(hash, text[i]);
    return finish(hash);
}

/* ---------------------------------------------------------------- the table */

static struct mt_hold_slot *slot_of(const struct mt_holds *holds, uint64_t hash)
{
    size_t at = (size_t)hash & (holds->table_cap - 1);

    while (holds->table[at].hash && holds->table[at].hash != hash)
        at = (at + 1) & (holds->table_cap - 1);
    return &holds->table[at];
}

static uint64_t key_of(struct mt_holds *holds, struct mt_hold_entry *e)
{
    const char *key = "";
    size_t len = 0;

    if (e->conversation && !strchr(e->conversation, '*')) {
        e->index = MT_HOLD_BY_CONVERSATION;
        key = e->conversation;
    } else if (e->person) {
        e->index = MT_HOLD_BY_PERSON;
        key = e->person;
    } else if (e->conversation) {
        e->index = MT_HOLD_BY_PREFIX;
        key = e->conversation;
        len = strcspn(key, "*");
        holds->prefixes[len] = true;
        return hash_of(e->index, key, len);
    } else if (e->account) {
        e->index = MT_HOLD_BY_ACCOUNT;
        key = e->account;
    } else {
        e->index = MT_HOLD_BY_NOTHING;
    }
    return hash_of(e->index, key, strlen(key));
}

enum mt_rc mt_holds_index(struct mt_holds *holds)
{
    size_t cap = 16;

    while (cap < holds->n * 2)
        cap *= 2;
    holds->table = mt_mem_calloc(cap, sizeof *holds->table);
    if (!holds->table)
        return MT_ERR_NOMEM;
    holds->table_cap = cap;
    for (size_t i = holds->n; i-- > 0;) { /* from the end, so that the chains are in order */
        struct mt_hold_entry *e = &holds->list[i];
        uint64_t hash = key_of(holds, e);
        struct mt_hold_slot *slot = slot_of(holds, hash);

        e->next = slot->hash ? slot->first : NONE;
        slot->hash = hash;
        slot->first = (uint32_t)i;
    }
    return MT_OK;
}

/* ---------------------------------------------------------------- one message */

/* a is in lower case. */
static bool same(const char *a, const char *b)
{
    while (*a && (unsigned char)*a == lower(*b)) {
        a++;
        b++;
    }
    return !*a && !*b;
}

/* What is not known about a message cannot free it. */
static bool is_account(const struct mt_hold_entry *e, const struct about *m)
{
    return (!m->account && !m->user) || (m->account && same(e->account, m->account)) ||
           (m->user && same(e->account, m->user));
}

static bool is_person(const struct mt_hold_entry *e, const struct about *m)
{
    return !m->from || !m->user || same(e->person, m->from) || same(e->person, m->user) ||
           (m->peer && same(e->person, m->peer));
}

static bool is_held(const struct mt_hold_entry *e, const struct about *m)
{
    if (e->account && !is_account(e, m))
        return false;
    if (e->person && !is_person(e, m))
        return false;
    if (e->conversation &&
        !mt_str_glob(e->conversation, m->conversation, m->conversation_len, false))
        return false;
    if (!m->time_ms)
        return true;
    return m->time_ms >= e->hold.since_ms && (!e->hold.until_ms || m->time_ms < e->hold.until_ms);
}

/* The first of a chain that holds it, if it stands before best. */
static uint32_t look(const struct mt_holds *holds, uint64_t hash, const struct about *m,
                     uint32_t best)
{
    const struct mt_hold_slot *slot = slot_of(holds, hash);

    for (uint32_t i = slot->hash ? slot->first : NONE; i < best; i = holds->list[i].next)
        if (is_held(&holds->list[i], m))
            return i;
    return best;
}

static uint32_t look_for(const struct mt_holds *holds, enum mt_hold_index index, const char *key,
                         const struct about *m, uint32_t best)
{
    return key ? look(holds, hash_of(index, key, strlen(key)), m, best) : best;
}

static uint32_t look_for_prefixes(const struct mt_holds *holds, const struct about *m,
                                  uint32_t best)
{
    uint64_t hash = begin(MT_HOLD_BY_PREFIX);

    for (size_t len = 0; len <= m->conversation_len; len++) {
        if (holds->prefixes[len])
            best = look(holds, finish(hash), m, best);
        hash = stir(hash, m->conversation[len]);
    }
    return best;
}

static uint32_t look_everywhere(const struct mt_holds *holds, const struct about *m)
{
    for (size_t i = 0; i < holds->n; i++)
        if (is_held(&holds->list[i], m))
            return (uint32_t)i;
    return NONE;
}

const struct mt_hold *mt_holds_find(const struct mt_holds *holds, const char *account,
                                    const char *user, const char *conversation, const char *from,
                                    int64_t time_ms)
{
    char lower_case[MT_CONVERSATION_ID_MAX];
    struct about m = {.account = account, .user = user, .from = from, .time_ms = time_ms};
    uint32_t best = NONE;

    if (!holds)
        return &unread;
    if (!holds->n)
        return NULL;
    m.conversation_len = strlen(conversation);
    if (m.conversation_len >= sizeof lower_case) /* no address is that long */
        return &holds->list[0].hold;
    memcpy(lower_case, conversation, m.conversation_len + 1);
    mt_str_fold(lower_case);
    m.conversation = lower_case;
    if (mt_str_starts(lower_case, "single:"))
        m.peer = lower_case + strlen("single:");
    if (!account || !user || !from) {
        best = look_everywhere(holds, &m);
        return best == NONE ? NULL : &holds->list[best].hold;
    }
    best = look(holds, hash_of(MT_HOLD_BY_NOTHING, "", 0), &m, best);
    best = look_for(holds, MT_HOLD_BY_ACCOUNT, account, &m, best);
    best = look_for(holds, MT_HOLD_BY_ACCOUNT, user, &m, best);
    best = look_for(holds, MT_HOLD_BY_CONVERSATION, lower_case, &m, best);
    best = look_for(holds, MT_HOLD_BY_PERSON, from, &m, best);
    best = look_for(holds, MT_HOLD_BY_PERSON, user, &m, best);
    best = look_for(holds, MT_HOLD_BY_PERSON, m.peer, &m, best);
    best = look_for_prefixes(holds, &m, best);
    return best == NONE ? NULL : &holds->list[best].hold;
}

/* ---------------------------------------------------------------- what nobody has looked at */

/* In a conversation of two these are all who can have written; elsewhere it may be anybody. */
static bool may_be_person(const struct mt_hold_entry *e, const struct about *m)
{
    return !m->peer || !m->user || same(e->person, m->user) || same(e->person, m->peer);
}

static bool may_hold(const struct mt_hold_entry *e, const struct about *m, int64_t before_ms)
{
    if (e->account && !is_account(e, m))
        return false;
    if (e->person && !may_be_person(e, m))
        return false;
    if (e->conversation && m->conversation &&
        !mt_str_glob(e->conversation, m->conversation, m->conversation_len, false))
        return false;
    return before_ms <= 0 || e->hold.since_ms < before_ms;
}

const struct mt_hold *mt_holds_reach(const struct mt_holds *holds, const char *account,
                                     const char *user, const char *conversation, int64_t before_ms)
{
    char lower_case[MT_CONVERSATION_ID_MAX];
    struct about m = {.account = account, .user = user};

    if (!holds)
        return &unread;
    if (!holds->n)
        return NULL;
    m.conversation_len = conversation ? strlen(conversation) : 0;
    if (m.conversation_len >= sizeof lower_case)
        return &holds->list[0].hold;
    if (conversation) {
        memcpy(lower_case, conversation, m.conversation_len + 1);
        mt_str_fold(lower_case);
        m.conversation = lower_case;
        if (mt_str_starts(lower_case, "single:"))
            m.peer = lower_case + strlen("single:");
    }
    for (size_t i = 0; i < holds->n; i++)
        if (may_hold(&holds->list[i], &m, before_ms))
            return &holds->list[i].hold;
    return NULL;
}
