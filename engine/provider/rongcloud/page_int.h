/* Answers that hold lists: read entry by entry, so that a broken one costs itself alone, and
 * inflated as often as the cloud nests them (rongcloud.md 3, "Compression"). */
#ifndef MT_RONGCLOUD_PAGE_INT_H
#define MT_RONGCLOUD_PAGE_INT_H

#include "model/conversation.h"
#include "model/message.h"
#include "provider/rongcloud/map_int.h"

struct mt_arena;

#define MT_RONG_PAGE_ARENA_MAX ((size_t)96 * 1024 * 1024)
#define MT_RONG_INFLATED_MAX   ((size_t)32 * 1024 * 1024) /* of one answer, all levels together */
#define MT_RONG_INFLATE_DEPTH  4
#define MT_RONG_ITEMS_MAX      20000 /* of one answer */

/* Messages of an answer. Those that cannot be decoded are kept as kind OTHER. */
struct mt_rong_messages {
    struct mt_message *items;
    size_t n;
    size_t cap;
};

/* HistoryMsgOuput; also the answer of chat rooms. */
struct mt_rong_history_out {
    struct mt_rong_messages messages; /* in the order of the wire: order 0 newest first */
    int64_t sync_ms;
    bool more; /* hasMsg */
};
enum mt_rc mt_rong_history_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                                 struct mt_arena *arena, struct mt_rong_history_out *out,
                                 struct mt_fault *fault) MT_CHECKED;

/* DownStreamMessages: the answer of a pull. */
struct mt_rong_pull_out {
    struct mt_rong_messages messages;
    int64_t sync_ms, broadcast_ms; /* 0: not said */
    bool finished;
};
enum mt_rc mt_rong_pull_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                              struct mt_arena *arena, struct mt_rong_pull_out *out,
                              struct mt_fault *fault) MT_CHECKED;

/* ChrmDownStreamMessages: the same of a chat room; only messages and sync_ms are said. */
enum mt_rc mt_rong_room_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                              struct mt_arena *arena, struct mt_rong_pull_out *out,
                              struct mt_fault *fault) MT_CHECKED;

/* MsgQueryAck: messages by their ids. */
struct mt_rong_query_out {
    struct mt_rong_messages messages;
    const char **missing;
    size_t missing_n;
};
enum mt_rc mt_rong_query_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                               struct mt_arena *arena, struct mt_rong_query_out *out,
                               struct mt_fault *fault) MT_CHECKED;

/* PullModifyMsgResp: messages that were edited, as they are now; their type is EDIT. */
struct mt_rong_edits_out {
    struct mt_rong_messages messages;
    int64_t next_ms;
    bool finished;
};
enum mt_rc mt_rong_edits_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                               struct mt_arena *arena, struct mt_rong_edits_out *out,
                               struct mt_fault *fault) MT_CHECKED;

/* One of RelationsOutput. */
struct mt_rong_relation {
    struct mt_conversation_ref ref;
    bool has_last;
    struct mt_message last;
    int64_t version_ms; /* the key that the list is sorted by; 0: not said */
    int64_t unread, read_ms, mentions, mentions_me; /* the cloud's; -1: not said */
    const char *first_unread;                       /* NULL: not said */
    int64_t first_unread_ms;
};
struct mt_rong_relations_out {
    struct mt_rong_relation *items;
    size_t n, cap;
    size_t skipped; /* entries that are none */
    size_t seen;    /* entries in all, as the cloud counts them */
    bool finished;
    bool has_finished; /* the answer says whether it is */
    int64_t pull_ms;
    const char *page_token; /* NULL: none */
};
enum mt_rc mt_rong_relations_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                                   struct mt_arena *arena, struct mt_rong_relations_out *out,
                                   struct mt_fault *fault) MT_CHECKED;

/* One of SessionsOutput: what the cloud counts as unread. */
struct mt_rong_unread {
    struct mt_conversation_ref ref;
    int64_t version;
    int64_t count, mentions, mentions_me;
    int64_t clear_ms, cut_off_ms;
    const char *first_unread; /* NULL: not said */
    int64_t first_unread_ms;
};
struct mt_rong_unreads_out {
    struct mt_rong_unread *items;
    size_t n, cap;
    size_t skipped;
    const char *page_token; /* NULL: none */
};
enum mt_rc mt_rong_unreads_parse(const void *p, size_t len, struct mt_arena *arena,
                                 struct mt_rong_unreads_out *out,
                                 struct mt_fault *fault) MT_CHECKED;

/* One of SessionStates: what the user has set for a conversation; an empty target: for all of its
 * kind. */
struct mt_rong_state {
    struct mt_conversation_ref ref;
    int type; /* ChannelType */
    int64_t time_ms;
    bool has_level, has_top;
    int64_t level;
    bool top;
    int64_t level_ms, top_ms; /* since when; 0: not said */
};
struct mt_rong_states_out {
    struct mt_rong_state *items;
    size_t n, cap;
    size_t skipped;
    int64_t version;
};
enum mt_rc mt_rong_states_parse(const void *p, size_t len, struct mt_arena *arena,
                                struct mt_rong_states_out *out, struct mt_fault *fault) MT_CHECKED;

/* Who has read, of any version of receipts. */
struct mt_rong_reader {
    const char *user;
    int64_t time_ms; /* 0: not said */
};
struct mt_rong_readers_out {
    struct mt_rong_reader *items;
    size_t n, cap;
    int64_t total; /* members who could read it; -1: not said */
    int64_t read;  /* who has; -1: not said */
    const char *page_token;
};
enum mt_rc mt_rong_readers_v2_parse(const void *p, size_t len, struct mt_arena *arena,
                                    struct mt_rong_readers_out *out,
                                    struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_rong_readers_v4_parse(const void *p, size_t len, struct mt_arena *arena,
                                    struct mt_rong_readers_out *out,
                                    struct mt_fault *fault) MT_CHECKED;
/* ReceiptResp. id: of the message asked for. */
enum mt_rc mt_rong_readers_v5_parse(const void *p, size_t len, const char *id,
                                    struct mt_arena *arena, struct mt_rong_readers_out *out,
                                    struct mt_fault *fault) MT_CHECKED;

#endif
