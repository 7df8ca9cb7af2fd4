/* What this side keeps of the user's conversations, because the cloud does not count what is unread
 * for it: counters, settings and read times, as the official SDK keeps them (rongcloud.md 5.1).
 * Plain data: it is fed with what pulls, pushes and lists brought, and asks for nothing.
 *
 * A live session feeds it with every message that comes (mt_rong_model_take) and with the answers
 * of pullSeAtts, pullSe and pullUgSes. A verb of an account that is not live fills it once a
 * process (prime.c). */
#ifndef MT_RONGCLOUD_MODEL_INT_H
#define MT_RONGCLOUD_MODEL_INT_H

#include "model/conversation.h"
#include "model/message.h"
#include "provider/rongcloud/page_int.h"

struct mt_provider_account;

#define MT_RONG_ENTRIES_MAX  4096 /* the cloud keeps 1,000 conversations, and ultra groups */
#define MT_RONG_COUNTS_MAX   512
#define MT_RONG_LAST_BYTES   ((size_t)48 * 1024 * 1024) /* latest messages, all together */
#define MT_RONG_TYPES_N      16
#define MT_RONG_MENTIONS_MAX 100 /* users whom a message names, of whom is remembered */

/* A change of the count that the cloud's own count may not know of yet. */
struct mt_rong_count {
    int64_t time_ms;
    int8_t n;
    int8_t mentions, mentions_me;
};

struct mt_rong_entry {
    struct mt_conversation_ref ref;
    int64_t unread, mentions, mentions_me;
    int64_t version_ms;   /* what is not newer was counted already */
    int64_t read_ms;      /* until when the user has read */
    int64_t newest_ms;    /* when the newest unread message came; 0: none */
    int64_t operation_ms; /* what lists are sorted by; 0: it stands in none */
    int64_t top_ms;
    int level; /* -1, 0 (not set), 1, 2, 4, 5 */
    bool top, hidden;
    bool mentioned, mention_all; /* an unread message names somebody; the first one names all */
    char *mention_users;         /* whom the first one names, each with its NUL */
    size_t mention_users_n;
    struct mt_rong_count *counts;
    size_t counts_n, counts_cap;
    uint8_t *last; /* the latest message, packed; NULL: not kept */
    size_t last_len;
    uint64_t given_listing; /* conversations.c: by which list and page it was given */
    int64_t given_page;
};

struct mt_rong_model {
    struct mt_map *entries;
    char *user;
    int levels[MT_RONG_TYPES_N]; /* of all conversations of a type; 0: not set */
    int64_t states_version;      /* of the settings */
    int64_t inbox_ms, outbox_ms; /* until when prime.c has pulled */
    int64_t broadcast_ms;
    size_t last_bytes;
    bool server_counts; /* serverSaveUnread: counts of late messages are remembered */
    bool realtime;      /* sessionMode bit 0: nothing is counted (1.2) */
    bool keeps_last;    /* lists are answered from here */
    bool primed;        /* all that the cloud keeps for a new device was counted */
    bool listed;        /* the whole list was read: kept up to date from then on */
    bool truncated;     /* and it had as many as the cloud keeps */
    int64_t listed_ms;  /* when, by the monotonic clock */
    uint64_t listings;
};

/* NULL when memory is short. */
struct mt_rong_model *mt_rong_model_new(const char *user);
/* Another one that knows what was set and read, and has counted nothing. */
struct mt_rong_model *mt_rong_model_fresh(const struct mt_rong_model *model);
void mt_rong_model_free(struct mt_rong_model *model);

struct mt_rong_entry *mt_rong_model_find(const struct mt_rong_model *model,
                                         const struct mt_conversation_ref *ref);
/* Those below make the entry when it is not there; MT_ERR_NOMEM changes nothing. */
/* A message of a pull, a push or an echo, with its bytes in raw. */
enum mt_rc mt_rong_model_arrive(struct mt_rong_model *model, const struct mt_message *m) MT_CHECKED;
/* A message that this device has sent: nothing is counted, but it becomes the latest. */
enum mt_rc mt_rong_model_sent(struct mt_rong_model *model, const struct mt_message *m) MT_CHECKED;
/* The user has read until then, here or on another device: nothing is unread. */
enum mt_rc mt_rong_model_read(struct mt_rong_model *model, const struct mt_conversation_ref *ref,
                              int64_t until_ms) MT_CHECKED;
enum mt_rc mt_rong_model_states(struct mt_rong_model *model,
                                const struct mt_rong_states_out *states) MT_CHECKED;
/* Before the first page of the cloud's own counts: what it does not name is not unread. */
void mt_rong_model_uncount(struct mt_rong_model *model);
enum mt_rc mt_rong_model_unread(struct mt_rong_model *model,
                                const struct mt_rong_unread *unread) MT_CHECKED;
/* An entry of a list; of an ultra group its numbers count, of others the latest message does. */
enum mt_rc mt_rong_model_relation(struct mt_rong_model *model,
                                  const struct mt_rong_relation *relation) MT_CHECKED;
/* Removed from the list: counts and latest message are forgotten, settings stay (5.2); what came
 * until then counts no more. */
enum mt_rc mt_rong_model_removed(struct mt_rong_model *model, const struct mt_conversation_ref *ref,
                                 int64_t now_ms) MT_CHECKED;
/* Messages were deleted: up to until_ms, or those named (until_ms 0). */
void mt_rong_model_deleted(struct mt_rong_model *model, const struct mt_conversation_ref *ref,
                           int64_t until_ms, const struct mt_message_key *keys, size_t n);
enum mt_rc mt_rong_model_top(struct mt_rong_model *model, const struct mt_conversation_ref *ref,
                             bool top, int64_t time_ms) MT_CHECKED;
enum mt_rc mt_rong_model_level(struct mt_rong_model *model, const struct mt_conversation_ref *ref,
                               int level) MT_CHECKED;

/* What is picked from it, and in which order. */
struct mt_rong_pick {
    bool oldest_first;
    int64_t start_ms; /* newest first: older than this; oldest first: newer; 0: no bound */
    bool pinned_only; /* also such as stand in no list */
};
/* The entries, in an array in the arena; NULL when memory is short. */
struct mt_rong_entry **mt_rong_model_pick(const struct mt_rong_model *model,
                                          const struct mt_rong_pick *pick, struct mt_arena *arena,
                                          size_t *n);
/* What the entry says as the noun; last is left alone. Texts lie in the arena. */
enum mt_rc mt_rong_model_tell(const struct mt_rong_model *model, const struct mt_rong_entry *entry,
                              struct mt_arena *arena, struct mt_conversation *out) MT_CHECKED;

/* Entries that the list just read (its number in given_listing) did not name stand in none any
 * more, unless something came for them after that time. */
void mt_rong_model_only_listed(struct mt_rong_model *model, uint64_t listing, int64_t after_ms);

/* model.c, for model_list.c. */
struct mt_rong_entry *mt_rong_entry_of(struct mt_rong_model *model,
                                       const struct mt_conversation_ref *ref);
bool mt_rong_entry_keep_last(struct mt_rong_model *model, struct mt_rong_entry *entry,
                             const struct mt_message *m);
void mt_rong_entry_forget_last(struct mt_rong_model *model, struct mt_rong_entry *entry);
void mt_rong_entry_nothing_unread(struct mt_rong_entry *entry);
void mt_rong_entry_clear(struct mt_rong_entry *entry, int64_t until_ms);
void mt_rong_entry_forget_counts(struct mt_rong_entry *entry, int64_t until_ms);

/* model_feed.c: of the account's model, which is made when there is something to keep; also of the
 * one that prime.c fills meanwhile. For who hears of these things: live sessions, and the verbs
 * that change them. A lack of memory makes the model be filled anew. */
struct mt_rong_model *mt_rong_model_of(struct mt_provider_account *account); /* NULL: no memory */
void mt_rong_model_take(struct mt_provider_account *account, const struct mt_message *m);
/* What this device sent: the request, and the id and time that the cloud answered. */
void mt_rong_model_take_sent(struct mt_provider_account *account, const char *topic,
                             const char *target, const void *payload, size_t len, const char *id,
                             int64_t time_ms);
void mt_rong_model_take_states(struct mt_provider_account *account,
                               const struct mt_rong_states_out *states);
/* A page of pullSe: what it names changes. */
void mt_rong_model_take_unreads(struct mt_provider_account *account,
                                const struct mt_rong_unreads_out *unreads);
/* The user has read until then, here (mark_read) or on another device (updRTime). */
void mt_rong_model_take_read(struct mt_provider_account *account,
                             const struct mt_conversation_ref *ref, int64_t until_ms);
void mt_rong_models_free(struct mt_provider_account *account);

#endif
